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
}
