namespace Linnet.Kernel.Uapi;

/// <summary>
/// Netlink protocols, message flags and socket options (linux/netlink.h).
/// </summary>
public static class NetlinkH
{
    public const int NETLINK_ROUTE = 0;
    public const int NETLINK_UNUSED = 1;
    public const int NETLINK_USERSOCK = 2;
    public const int NETLINK_FIREWALL = 3;
    public const int NETLINK_SOCK_DIAG = 4;
    public const int NETLINK_NFLOG = 5;
    public const int NETLINK_XFRM = 6;
    public const int NETLINK_SELINUX = 7;
    public const int NETLINK_ISCSI = 8;
    public const int NETLINK_AUDIT = 9;
    public const int NETLINK_FIB_LOOKUP = 10;
    public const int NETLINK_CONNECTOR = 11;
    public const int NETLINK_NETFILTER = 12;
    public const int NETLINK_IP6_FW = 13;
    public const int NETLINK_DNRTMSG = 14;
    public const int NETLINK_KOBJECT_UEVENT = 15;
    public const int NETLINK_GENERIC = 16;
    public const int NETLINK_SCSITRANSPORT = 18;
    public const int NETLINK_ECRYPTFS = 19;
    public const int NETLINK_RDMA = 20;
    public const int NETLINK_CRYPTO = 21;
    public const int NETLINK_SMC = 22;
    public const int NETLINK_INET_DIAG = NETLINK_SOCK_DIAG;
    public const int NETLINK_ADD_MEMBERSHIP = 1;
    public const int NETLINK_DROP_MEMBERSHIP = 2;
    public const int NETLINK_PKTINFO = 3;
    public const int NETLINK_BROADCAST_ERROR = 4;
    public const int NETLINK_NO_ENOBUFS = 5;
    public const int NETLINK_RX_RING = 6;
    public const int NETLINK_TX_RING = 7;
    public const int NETLINK_LISTEN_ALL_NSID = 8;
    public const int NETLINK_LIST_MEMBERSHIPS = 9;
    public const int NETLINK_CAP_ACK = 10;
    public const int NETLINK_EXT_ACK = 11;
    public const int NETLINK_GET_STRICT_CHK = 12;
    public const int NETLINK_UNCONNECTED = 0;
    public const int NETLINK_CONNECTED = 1;

    public const int NLM_F_REQUEST = 1;
    public const int NLM_F_MULTI = 2;
    public const int NLM_F_ACK = 4;
    public const int NLM_F_ECHO = 8;
    public const int NLM_F_DUMP_INTR = 0x10;
    public const int NLM_F_DUMP_FILTERED = 0x20;
    public const int NLM_F_ROOT = 0x100;
    public const int NLM_F_MATCH = 0x200;
    public const int NLM_F_ATOMIC = 0x400;
    public const int NLM_F_DUMP = 768;
    public const int NLM_F_REPLACE = 0x100;
    public const int NLM_F_EXCL = 0x200;
    public const int NLM_F_CREATE = 0x400;
    public const int NLM_F_APPEND = 0x800;
    public const int NLM_F_NONREC = 0x100;
    public const int NLM_F_BULK = 0x200;
    public const int NLM_F_CAPPED = 0x100;
    public const int NLM_F_ACK_TLVS = 0x200;

    public const int NLMSG_ALIGNTO = 4;
    public const int NLMSG_HDRLEN = 16;
    public const int NLMSG_NOOP = 1;
    public const int NLMSG_ERROR = 2;
    public const int NLMSG_DONE = 3;
    public const int NLMSG_OVERRUN = 4;
    public const int NLMSG_MIN_TYPE = 0x10;

    public const int NLMSGERR_ATTR_UNUSED = 0;
    public const int NLMSGERR_ATTR_MSG = 1;
    public const int NLMSGERR_ATTR_OFFS = 2;
    public const int NLMSGERR_ATTR_COOKIE = 3;
    public const int NLMSGERR_ATTR_POLICY = 4;
    public const int NLMSGERR_ATTR_MISS_TYPE = 5;
    public const int NLMSGERR_ATTR_MISS_NEST = 6;
    public const int MAX_LINKS = 32;

    public const int NLA_F_NESTED = 0x8000;
    public const int NLA_F_NET_BYTEORDER = 0x4000;
    public const int NLA_TYPE_MASK = -49153;
    public const int NLA_ALIGNTO = 4;
    public const int NLA_HDRLEN = 4;
}
