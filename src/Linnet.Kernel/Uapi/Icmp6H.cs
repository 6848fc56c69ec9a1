namespace Linnet.Kernel.Uapi;

/// <summary>
/// ICMPv6 types, codes and filter constants (linux/icmpv6.h).
/// </summary>
public static class Icmp6H
{
    public const int ICMPV6_ROUTER_PREF_LOW = 3;
    public const int ICMPV6_ROUTER_PREF_MEDIUM = 0;
    public const int ICMPV6_ROUTER_PREF_HIGH = 1;
    public const int ICMPV6_ROUTER_PREF_INVALID = 2;
    public const int ICMPV6_DEST_UNREACH = 1;
    public const int ICMPV6_PKT_TOOBIG = 2;
    public const int ICMPV6_TIME_EXCEED = 3;
    public const int ICMPV6_PARAMPROB = 4;
    public const int ICMPV6_ERRMSG_MAX = 127;
    public const int ICMPV6_INFOMSG_MASK = 0x80;
    public const int ICMPV6_ECHO_REQUEST = 128;
    public const int ICMPV6_ECHO_REPLY = 129;
    public const int ICMPV6_MGM_QUERY = 130;
    public const int ICMPV6_MGM_REPORT = 131;
    public const int ICMPV6_MGM_REDUCTION = 132;
    public const int ICMPV6_NI_QUERY = 139;
    public const int ICMPV6_NI_REPLY = 140;
    public const int ICMPV6_MLD2_REPORT = 143;
    public const int ICMPV6_DHAAD_REQUEST = 144;
    public const int ICMPV6_DHAAD_REPLY = 145;
    public const int ICMPV6_MOBILE_PREFIX_SOL = 146;
    public const int ICMPV6_MOBILE_PREFIX_ADV = 147;
    public const int ICMPV6_MRDISC_ADV = 151;
    public const int ICMPV6_MSG_MAX = 255;
    public const int ICMPV6_NOROUTE = 0;
    public const int ICMPV6_ADM_PROHIBITED = 1;
    public const int ICMPV6_NOT_NEIGHBOUR = 2;
    public const int ICMPV6_ADDR_UNREACH = 3;
    public const int ICMPV6_PORT_UNREACH = 4;
    public const int ICMPV6_POLICY_FAIL = 5;
    public const int ICMPV6_REJECT_ROUTE = 6;
    public const int ICMPV6_EXC_HOPLIMIT = 0;
    public const int ICMPV6_EXC_FRAGTIME = 1;
    public const int ICMPV6_HDR_FIELD = 0;
    public const int ICMPV6_UNK_NEXTHDR = 1;
    public const int ICMPV6_UNK_OPTION = 2;
    public const int ICMPV6_HDR_INCOMP = 3;
    public const int ICMPV6_EXT_ECHO_REQUEST = 160;
    public const int ICMPV6_EXT_ECHO_REPLY = 161;
    public const int ICMPV6_FILTER = 1;
    public const int ICMPV6_FILTER_BLOCK = 1;
    public const int ICMPV6_FILTER_PASS = 2;
    public const int ICMPV6_FILTER_BLOCKOTHERS = 3;
    public const int ICMPV6_FILTER_PASSONLY = 4;
}
