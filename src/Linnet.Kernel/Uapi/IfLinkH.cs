namespace Linnet.Kernel.Uapi;

/// <summary>
/// Attributes of links (linux/if_link.h, linux/veth.h).
/// </summary>
public static class IfLinkH
{
    public const int IFLA_UNSPEC = 0;
    public const int IFLA_ADDRESS = 1;
    public const int IFLA_BROADCAST = 2;
    public const int IFLA_IFNAME = 3;
    public const int IFLA_MTU = 4;
    public const int IFLA_LINK = 5;
    public const int IFLA_QDISC = 6;
    public const int IFLA_STATS = 7;
    public const int IFLA_COST = 8;
    public const int IFLA_PRIORITY = 9;
    public const int IFLA_MASTER = 10;
    public const int IFLA_WIRELESS = 11;
    public const int IFLA_PROTINFO = 12;
    public const int IFLA_TXQLEN = 13;
    public const int IFLA_MAP = 14;
    public const int IFLA_WEIGHT = 15;
    public const int IFLA_OPERSTATE = 16;
    public const int IFLA_LINKMODE = 17;
    public const int IFLA_LINKINFO = 18;
    public const int IFLA_NET_NS_PID = 19;
    public const int IFLA_IFALIAS = 20;
    public const int IFLA_NUM_VF = 21;
    public const int IFLA_VFINFO_LIST = 22;
    public const int IFLA_STATS64 = 23;
    public const int IFLA_VF_PORTS = 24;
    public const int IFLA_PORT_SELF = 25;
    public const int IFLA_AF_SPEC = 26;
    public const int IFLA_GROUP = 27;
    public const int IFLA_NET_NS_FD = 28;
    public const int IFLA_EXT_MASK = 29;
    public const int IFLA_PROMISCUITY = 30;
    public const int IFLA_NUM_TX_QUEUES = 31;
    public const int IFLA_NUM_RX_QUEUES = 32;
    public const int IFLA_CARRIER = 33;
    public const int IFLA_PHYS_PORT_ID = 34;
    public const int IFLA_CARRIER_CHANGES = 35;
    public const int IFLA_PHYS_SWITCH_ID = 36;
    public const int IFLA_LINK_NETNSID = 37;
    public const int IFLA_PHYS_PORT_NAME = 38;
    public const int IFLA_PROTO_DOWN = 39;
    public const int IFLA_GSO_MAX_SEGS = 40;
    public const int IFLA_GSO_MAX_SIZE = 41;
    public const int IFLA_PAD = 42;
    public const int IFLA_XDP = 43;
    public const int IFLA_EVENT = 44;
    public const int IFLA_NEW_NETNSID = 45;
    public const int IFLA_IF_NETNSID = 46;
    public const int IFLA_TARGET_NETNSID = 46;
    public const int IFLA_CARRIER_UP_COUNT = 47;
    public const int IFLA_CARRIER_DOWN_COUNT = 48;
    public const int IFLA_NEW_IFINDEX = 49;
    public const int IFLA_MIN_MTU = 50;
    public const int IFLA_MAX_MTU = 51;
    public const int IFLA_PROP_LIST = 52;
    public const int IFLA_ALT_IFNAME = 53;
    public const int IFLA_PERM_ADDRESS = 54;
    public const int IFLA_PROTO_DOWN_REASON = 55;
    public const int IFLA_PARENT_DEV_NAME = 56;
    public const int IFLA_PARENT_DEV_BUS_NAME = 57;
    public const int IFLA_GRO_MAX_SIZE = 58;
    public const int IFLA_TSO_MAX_SIZE = 59;
    public const int IFLA_TSO_MAX_SEGS = 60;
    public const int IFLA_ALLMULTI = 61;
    public const int IFLA_GSO_IPV4_MAX_SIZE = 63;
    public const int IFLA_GRO_IPV4_MAX_SIZE = 64;
    public const int IFLA_DPLL_PIN = 65;
    public const int IFLA_MAX_PACING_OFFLOAD_HORIZON = 66;
    public const int IFLA_NETNS_IMMUTABLE = 67;
    public const int IFLA_HEADROOM = 68;
    public const int IFLA_TAILROOM = 69;
    public const int IFLA_MAX = 69;

    public const int IFLA_INFO_UNSPEC = 0;
    public const int IFLA_INFO_KIND = 1;
    public const int IFLA_INFO_DATA = 2;
    public const int IFLA_INFO_XSTATS = 3;
    public const int IFLA_INFO_SLAVE_KIND = 4;
    public const int IFLA_INFO_SLAVE_DATA = 5;

    public const int IFLA_INET_UNSPEC = 0;
    public const int IFLA_INET_CONF = 1;

    public const int IFLA_VLAN_UNSPEC = 0;
    public const int IFLA_VLAN_ID = 1;
    public const int IFLA_VLAN_FLAGS = 2;
    public const int IFLA_VLAN_EGRESS_QOS = 3;
    public const int IFLA_VLAN_INGRESS_QOS = 4;
    public const int IFLA_VLAN_PROTOCOL = 5;

    public const int IFLA_VLAN_QOS_UNSPEC = 0;
    public const int IFLA_VLAN_QOS_MAPPING = 1;

    public const int IFLA_BR_UNSPEC = 0;
    public const int IFLA_BR_FORWARD_DELAY = 1;
    public const int IFLA_BR_HELLO_TIME = 2;
    public const int IFLA_BR_MAX_AGE = 3;
    public const int IFLA_BR_AGEING_TIME = 4;
    public const int IFLA_BR_STP_STATE = 5;
    public const int IFLA_BR_PRIORITY = 6;
    public const int IFLA_BR_VLAN_FILTERING = 7;
    public const int IFLA_BR_VLAN_PROTOCOL = 8;
    public const int IFLA_BR_GROUP_FWD_MASK = 9;
    public const int IFLA_BR_ROOT_ID = 10;
    public const int IFLA_BR_BRIDGE_ID = 11;
    public const int IFLA_BR_ROOT_PORT = 12;
    public const int IFLA_BR_ROOT_PATH_COST = 13;
    public const int IFLA_BR_TOPOLOGY_CHANGE = 14;
    public const int IFLA_BR_TOPOLOGY_CHANGE_DETECTED = 15;
    public const int IFLA_BR_HELLO_TIMER = 16;
    public const int IFLA_BR_TCN_TIMER = 17;
    public const int IFLA_BR_TOPOLOGY_CHANGE_TIMER = 18;
    public const int IFLA_BR_GC_TIMER = 19;
    public const int IFLA_BR_GROUP_ADDR = 20;
    public const int IFLA_BR_FDB_FLUSH = 21;
    public const int IFLA_BR_MCAST_ROUTER = 22;
    public const int IFLA_BR_MCAST_SNOOPING = 23;
    public const int IFLA_BR_MCAST_QUERY_USE_IFADDR = 24;

    public const int VETH_INFO_UNSPEC = 0;
    public const int VETH_INFO_PEER = 1;

    public const int RTEXT_FILTER_VF = 1;
    public const int RTEXT_FILTER_BRVLAN = 2;
    public const int RTEXT_FILTER_BRVLAN_COMPRESSED = 4;
    public const int RTEXT_FILTER_SKIP_STATS = 8;
}
