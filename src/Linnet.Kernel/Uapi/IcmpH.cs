namespace Linnet.Kernel.Uapi;

/// <summary>
/// ICMP types, codes and the raw socket filter option (linux/icmp.h).
/// </summary>
public static class IcmpH
{
    public const int ICMP_ECHOREPLY = 0;
    public const int ICMP_DEST_UNREACH = 3;
    public const int ICMP_SOURCE_QUENCH = 4;
    public const int ICMP_REDIRECT = 5;
    public const int ICMP_ECHO = 8;
    public const int ICMP_TIME_EXCEEDED = 11;
    public const int ICMP_PARAMETERPROB = 12;
    public const int ICMP_TIMESTAMP = 13;
    public const int ICMP_TIMESTAMPREPLY = 14;
    public const int ICMP_INFO_REQUEST = 15;
    public const int ICMP_INFO_REPLY = 16;
    public const int ICMP_ADDRESS = 17;
    public const int ICMP_ADDRESSREPLY = 18;
    public const int ICMP_NET_UNREACH = 0;
    public const int ICMP_HOST_UNREACH = 1;
    public const int ICMP_PROT_UNREACH = 2;
    public const int ICMP_PORT_UNREACH = 3;
    public const int ICMP_FRAG_NEEDED = 4;
    public const int ICMP_SR_FAILED = 5;
    public const int ICMP_NET_UNKNOWN = 6;
    public const int ICMP_HOST_UNKNOWN = 7;
    public const int ICMP_HOST_ISOLATED = 8;
    public const int ICMP_NET_ANO = 9;
    public const int ICMP_HOST_ANO = 10;
    public const int ICMP_NET_UNR_TOS = 11;
    public const int ICMP_HOST_UNR_TOS = 12;
    public const int ICMP_PKT_FILTERED = 13;
    public const int ICMP_PREC_VIOLATION = 14;
    public const int ICMP_PREC_CUTOFF = 15;
    public const int ICMP_REDIR_NET = 0;
    public const int ICMP_REDIR_HOST = 1;
    public const int ICMP_REDIR_NETTOS = 2;
    public const int ICMP_REDIR_HOSTTOS = 3;
    public const int ICMP_EXC_TTL = 0;
    public const int ICMP_EXC_FRAGTIME = 1;
    public const int ICMP_EXT_ECHO = 42;
    public const int ICMP_EXT_ECHOREPLY = 43;
    public const int ICMP_EXT_CODE_MAL_QUERY = 1;
    public const int ICMP_EXT_CODE_NO_IF = 2;
    public const int ICMP_EXT_CODE_NO_TABLE_ENT = 3;
    public const int ICMP_EXT_CODE_MULT_IFS = 4;
    public const int ICMP_EXT_ECHOREPLY_ACTIVE = 4;
    public const int ICMP_EXT_ECHOREPLY_IPV4 = 2;
    public const int ICMP_EXT_ECHOREPLY_IPV6 = 1;
    public const int ICMP_EXT_ECHO_CTYPE_NAME = 1;
    public const int ICMP_EXT_ECHO_CTYPE_INDEX = 2;
    public const int ICMP_EXT_ECHO_CTYPE_ADDR = 3;
    public const int ICMP_AFI_IP = 1;
    public const int ICMP_AFI_IP6 = 2;
    public const int ICMP_FILTER = 1;

    public const int NR_ICMP_TYPES = 18;
    public const int NR_ICMP_UNREACH = 15;
}
