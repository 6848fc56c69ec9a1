namespace Linnet.Kernel.Uapi;

/// <summary>
/// Interface flags, hardware types and ARP operations (linux/if.h, linux/if_arp.h, linux/if_tun.h).
/// </summary>
public static class IfH
{
    public const int IFNAMSIZ = 16;

    public const int IFALIASZ = 256;

    public const int IFF_UP = 1;
    public const int IFF_BROADCAST = 2;
    public const int IFF_DEBUG = 4;
    public const int IFF_LOOPBACK = 8;
    public const int IFF_POINTOPOINT = 0x10;
    public const int IFF_NOTRAILERS = 0x20;
    public const int IFF_RUNNING = 0x40;
    public const int IFF_NOARP = 0x80;
    public const int IFF_PROMISC = 0x100;
    public const int IFF_ALLMULTI = 0x200;
    public const int IFF_MASTER = 0x400;
    public const int IFF_SLAVE = 0x800;
    public const int IFF_MULTICAST = 0x1000;
    public const int IFF_PORTSEL = 0x2000;
    public const int IFF_AUTOMEDIA = 0x4000;
    public const int IFF_DYNAMIC = 0x8000;
    public const int IFF_LOWER_UP = 0x10000;
    public const int IFF_DORMANT = 0x20000;
    public const int IFF_ECHO = 0x40000;
    public const int IFF_VOLATILE = 0x70c5a;
    public const int IFF_TUN = 1;
    public const int IFF_TAP = 2;
    public const int IFF_NAPI = 0x10;
    public const int IFF_NAPI_FRAGS = 0x20;
    public const int IFF_NO_CARRIER = 0x40;
    public const int IFF_NO_PI = 0x1000;
    public const int IFF_ONE_QUEUE = 0x2000;
    public const int IFF_VNET_HDR = 0x4000;
    public const int IFF_TUN_EXCL = 0x8000;
    public const int IFF_MULTI_QUEUE = 0x100;
    public const int IFF_ATTACH_QUEUE = 0x200;
    public const int IFF_DETACH_QUEUE = 0x400;
    public const int IFF_PERSIST = 0x800;
    public const int IFF_NOFILTER = 0x1000;

    public const int IF_OPER_UNKNOWN = 0;
    public const int IF_OPER_NOTPRESENT = 1;
    public const int IF_OPER_DOWN = 2;
    public const int IF_OPER_LOWERLAYERDOWN = 3;
    public const int IF_OPER_TESTING = 4;
    public const int IF_OPER_DORMANT = 5;
    public const int IF_OPER_UP = 6;
    public const int IF_LINK_MODE_DEFAULT = 0;
    public const int IF_LINK_MODE_DORMANT = 1;
    public const int IF_LINK_MODE_TESTING = 2;

    public const int ARPHRD_NETROM = 0;
    public const int ARPHRD_ETHER = 1;
    public const int ARPHRD_EETHER = 2;
    public const int ARPHRD_AX25 = 3;
    public const int ARPHRD_PRONET = 4;
    public const int ARPHRD_CHAOS = 5;
    public const int ARPHRD_IEEE802 = 6;
    public const int ARPHRD_ARCNET = 7;
    public const int ARPHRD_APPLETLK = 8;
    public const int ARPHRD_DLCI = 15;
    public const int ARPHRD_ATM = 19;
    public const int ARPHRD_METRICOM = 23;
    public const int ARPHRD_IEEE1394 = 24;
    public const int ARPHRD_EUI64 = 27;
    public const int ARPHRD_INFINIBAND = 32;
    public const int ARPHRD_SLIP = 256;
    public const int ARPHRD_CSLIP = 257;
    public const int ARPHRD_SLIP6 = 258;
    public const int ARPHRD_CSLIP6 = 259;
    public const int ARPHRD_RSRVD = 260;
    public const int ARPHRD_ADAPT = 264;
    public const int ARPHRD_ROSE = 270;
    public const int ARPHRD_X25 = 271;
    public const int ARPHRD_HWX25 = 272;
    public const int ARPHRD_CAN = 280;
    public const int ARPHRD_MCTP = 290;
    public const int ARPHRD_PPP = 512;
    public const int ARPHRD_CISCO = 513;
    public const int ARPHRD_HDLC = ARPHRD_CISCO;
    public const int ARPHRD_LAPB = 516;
    public const int ARPHRD_DDCMP = 517;
    public const int ARPHRD_RAWHDLC = 518;
    public const int ARPHRD_RAWIP = 519;
    public const int ARPHRD_TUNNEL = 768;
    public const int ARPHRD_TUNNEL6 = 769;
    public const int ARPHRD_FRAD = 770;
    public const int ARPHRD_SKIP = 771;
    public const int ARPHRD_LOOPBACK = 772;
    public const int ARPHRD_LOCALTLK = 773;
    public const int ARPHRD_FDDI = 774;
    public const int ARPHRD_BIF = 775;
    public const int ARPHRD_SIT = 776;
    public const int ARPHRD_IPDDP = 777;
    public const int ARPHRD_IPGRE = 778;
    public const int ARPHRD_PIMREG = 779;
    public const int ARPHRD_HIPPI = 780;
    public const int ARPHRD_ASH = 781;
    public const int ARPHRD_ECONET = 782;
    public const int ARPHRD_IRDA = 783;
    public const int ARPHRD_FCPP = 784;
    public const int ARPHRD_FCAL = 785;
    public const int ARPHRD_FCPL = 786;
    public const int ARPHRD_FCFABRIC = 787;
    public const int ARPHRD_IEEE802_TR = 800;
    public const int ARPHRD_IEEE80211 = 801;
    public const int ARPHRD_IEEE80211_PRISM = 802;
    public const int ARPHRD_IEEE80211_RADIOTAP = 803;
    public const int ARPHRD_IEEE802154 = 804;
    public const int ARPHRD_IEEE802154_MONITOR = 805;
    public const int ARPHRD_PHONET = 820;
    public const int ARPHRD_PHONET_PIPE = 821;
    public const int ARPHRD_CAIF = 822;
    public const int ARPHRD_IP6GRE = 823;
    public const int ARPHRD_NETLINK = 824;
    public const int ARPHRD_6LOWPAN = 825;
    public const int ARPHRD_VSOCKMON = 826;
    public const int ARPHRD_VOID = 0xffff;
    public const int ARPHRD_NONE = 0xfffe;

    public const int ARPOP_REQUEST = 1;
    public const int ARPOP_REPLY = 2;
    public const int ARPOP_RREQUEST = 3;
    public const int ARPOP_RREPLY = 4;
    public const int ARPOP_InREQUEST = 8;
    public const int ARPOP_InREPLY = 9;
    public const int ARPOP_NAK = 10;

    public const int ATF_COM = 2;
    public const int ATF_PERM = 4;
    public const int ATF_PUBL = 8;
    public const int ATF_USETRAILERS = 0x10;
    public const int ATF_NETMASK = 0x20;
    public const int ATF_DONTPUB = 0x40;

    public const int TUN_F_CSUM = 1;
    public const int TUN_F_TSO4 = 2;
    public const int TUN_F_TSO6 = 4;
    public const int TUN_F_TSO_ECN = 8;
    public const int TUN_F_UFO = 0x10;
}
