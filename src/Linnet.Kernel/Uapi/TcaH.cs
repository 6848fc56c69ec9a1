namespace Linnet.Kernel.Uapi;

/// <summary>
/// Attributes of queueing disciplines (linux/rtnetlink.h, linux/gen_stats.h).
/// </summary>
public static class TcaH
{
    public const int TCA_UNSPEC = 0;
    public const int TCA_KIND = 1;
    public const int TCA_OPTIONS = 2;
    public const int TCA_STATS = 3;
    public const int TCA_XSTATS = 4;
    public const int TCA_RATE = 5;
    public const int TCA_FCNT = 6;
    public const int TCA_STATS2 = 7;
    public const int TCA_STAB = 8;
    public const int TCA_PAD = 9;
    public const int TCA_DUMP_INVISIBLE = 10;
    public const int TCA_CHAIN = 11;
    public const int TCA_HW_OFFLOAD = 12;
    public const int TCA_INGRESS_BLOCK = 13;
    public const int TCA_EGRESS_BLOCK = 14;
    public const int TCA_DUMP_FLAGS = 15;
    public const int TCA_EXT_WARN_MSG = 16;
    public const int TCA_MAX = 16;

    public const int TCA_STATS_UNSPEC = 0;
    public const int TCA_STATS_BASIC = 1;
    public const int TCA_STATS_RATE_EST = 2;
    public const int TCA_STATS_QUEUE = 3;
    public const int TCA_STATS_APP = 4;
}
