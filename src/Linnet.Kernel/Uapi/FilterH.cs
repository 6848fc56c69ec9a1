namespace Linnet.Kernel.Uapi;

/// <summary>
/// Opcodes of classic BPF programs (linux/filter.h, linux/bpf_common.h).
/// </summary>
public static class FilterH
{
    public const int BPF_LD = 0;
    public const int BPF_LDX = 1;
    public const int BPF_ST = 2;
    public const int BPF_STX = 3;
    public const int BPF_ALU = 4;
    public const int BPF_JMP = 5;
    public const int BPF_RET = 6;
    public const int BPF_MISC = 7;
    public const int BPF_W = 0;
    public const int BPF_H = 8;
    public const int BPF_B = 0x10;
    public const int BPF_IMM = 0;
    public const int BPF_ABS = 0x20;
    public const int BPF_IND = 0x40;
    public const int BPF_MEM = 0x60;
    public const int BPF_LEN = 0x80;
    public const int BPF_MSH = 0xa0;
    public const int BPF_ADD = 0;
    public const int BPF_SUB = 0x10;
    public const int BPF_MUL = 0x20;
    public const int BPF_DIV = 0x30;
    public const int BPF_OR = 0x40;
    public const int BPF_AND = 0x50;
    public const int BPF_LSH = 0x60;
    public const int BPF_RSH = 0x70;
    public const int BPF_NEG = 0x80;
    public const int BPF_MOD = 0x90;
    public const int BPF_XOR = 0xa0;
    public const int BPF_JA = 0;
    public const int BPF_JEQ = 0x10;
    public const int BPF_JGT = 0x20;
    public const int BPF_JGE = 0x30;
    public const int BPF_JSET = 0x40;
    public const int BPF_K = 0;
    public const int BPF_X = 8;
    public const int BPF_MAXINSNS = 4096;
    public const int BPF_MAJOR_VERSION = 1;
    public const int BPF_MINOR_VERSION = 1;
    public const int BPF_A = 0x10;
    public const int BPF_TAX = 0;
    public const int BPF_TXA = 0x80;
    public const int BPF_MEMWORDS = 16;
    public const int BPF_NET_OFF = SKF_NET_OFF;
    public const int BPF_LL_OFF = SKF_LL_OFF;

    public const int SKF_AD_OFF = -4096;
    public const int SKF_AD_PROTOCOL = 0;
    public const int SKF_AD_PKTTYPE = 4;
    public const int SKF_AD_IFINDEX = 8;
    public const int SKF_AD_NLATTR = 12;
    public const int SKF_AD_NLATTR_NEST = 16;
    public const int SKF_AD_MARK = 20;
    public const int SKF_AD_QUEUE = 24;
    public const int SKF_AD_HATYPE = 28;
    public const int SKF_AD_RXHASH = 32;
    public const int SKF_AD_CPU = 36;
    public const int SKF_AD_ALU_XOR_X = 40;
    public const int SKF_AD_VLAN_TAG = 44;
    public const int SKF_AD_VLAN_TAG_PRESENT = 48;
    public const int SKF_AD_PAY_OFFSET = 52;
    public const int SKF_AD_RANDOM = 56;
    public const int SKF_AD_VLAN_TPID = 60;
    public const int SKF_AD_MAX = 64;
    public const int SKF_NET_OFF = -1048576;
    public const int SKF_LL_OFF = -2097152;

    public static int BPF_CLASS(int code) => code & 0x07;
    public static int BPF_SIZE(int code) => code & 0x18;
    public static int BPF_MODE(int code) => code & 0xe0;
    public static int BPF_OP(int code) => code & 0xf0;
    public static int BPF_SRC(int code) => code & 0x08;
    public static int BPF_RVAL(int code) => code & 0x18;
    public static int BPF_MISCOP(int code) => code & 0xf8;
}
