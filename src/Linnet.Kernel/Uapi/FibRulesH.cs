namespace Linnet.Kernel.Uapi;

/// <summary>
/// Actions and flags of policy rules (linux/fib_rules.h).
/// </summary>
public static class FibRulesH
{
    public const int FIB_RULE_PERMANENT = 1;
    public const int FIB_RULE_INVERT = 2;
    public const int FIB_RULE_UNRESOLVED = 4;
    public const int FIB_RULE_IIF_DETACHED = 8;
    public const int FIB_RULE_DEV_DETACHED = FIB_RULE_IIF_DETACHED;
    public const int FIB_RULE_OIF_DETACHED = 0x10;
    public const int FIB_RULE_FIND_SADDR = 0x10000;

    public const int FR_ACT_UNSPEC = 0;
    public const int FR_ACT_TO_TBL = 1;
    public const int FR_ACT_GOTO = 2;
    public const int FR_ACT_NOP = 3;
    public const int FR_ACT_BLACKHOLE = 6;
    public const int FR_ACT_UNREACHABLE = 7;
    public const int FR_ACT_PROHIBIT = 8;

    public const int FRA_UNSPEC = 0;
    public const int FRA_DST = 1;
    public const int FRA_SRC = 2;
    public const int FRA_IIFNAME = 3;
    public const int FRA_GOTO = 4;
    public const int FRA_UNUSED2 = 5;
    public const int FRA_PRIORITY = 6;
    public const int FRA_UNUSED3 = 7;
    public const int FRA_UNUSED4 = 8;
    public const int FRA_UNUSED5 = 9;
    public const int FRA_FWMARK = 10;
    public const int FRA_FLOW = 11;
    public const int FRA_TUN_ID = 12;
    public const int FRA_SUPPRESS_IFGROUP = 13;
    public const int FRA_SUPPRESS_PREFIXLEN = 14;
    public const int FRA_TABLE = 15;
    public const int FRA_FWMASK = 16;
    public const int FRA_OIFNAME = 17;
    public const int FRA_PAD = 18;
    public const int FRA_L3MDEV = 19;
    public const int FRA_UID_RANGE = 20;
    public const int FRA_PROTOCOL = 21;
    public const int FRA_IP_PROTO = 22;
    public const int FRA_SPORT_RANGE = 23;
    public const int FRA_DPORT_RANGE = 24;
    public const int FRA_DSCP = 25;
    public const int FRA_FLOWLABEL = 26;
    public const int FRA_FLOWLABEL_MASK = 27;
    public const int FRA_SPORT_MASK = 28;
    public const int FRA_DPORT_MASK = 29;
    public const int FRA_DSCP_MASK = 30;
    public const int FRA_MAX = 30;
}
