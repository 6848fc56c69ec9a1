namespace Linnet.Kernel.Uapi;

/// <summary>
/// IPv4 header constants: type of service, options, fragment bits (linux/ip.h, net/ip.h).
/// </summary>
public static class IpH
{
    public const int IPTOS_TOS_MASK = 0x1e;
    public const int IPTOS_LOWDELAY = 0x10;
    public const int IPTOS_THROUGHPUT = 8;
    public const int IPTOS_RELIABILITY = 4;
    public const int IPTOS_MINCOST = 2;
    public const int IPTOS_PREC_MASK = 0xe0;
    public const int IPTOS_PREC_NETCONTROL = 0xe0;
    public const int IPTOS_PREC_INTERNETCONTROL = 0xc0;
    public const int IPTOS_PREC_CRITIC_ECP = 0xa0;
    public const int IPTOS_PREC_FLASHOVERRIDE = 0x80;
    public const int IPTOS_PREC_FLASH = 0x60;
    public const int IPTOS_PREC_IMMEDIATE = 0x40;
    public const int IPTOS_PREC_PRIORITY = 0x20;
    public const int IPTOS_PREC_ROUTINE = 0;

    public const int IPOPT_COPY = 0x80;
    public const int IPOPT_CLASS_MASK = 0x60;
    public const int IPOPT_NUMBER_MASK = 0x1f;
    public const int IPOPT_CONTROL = 0;
    public const int IPOPT_RESERVED1 = 0x20;
    public const int IPOPT_MEASUREMENT = 0x40;
    public const int IPOPT_RESERVED2 = 0x60;
    public const int IPOPT_END = 0;
    public const int IPOPT_NOOP = 1;
    public const int IPOPT_SEC = 130;
    public const int IPOPT_LSRR = 131;
    public const int IPOPT_TIMESTAMP = 68;
    public const int IPOPT_CIPSO = 134;
    public const int IPOPT_RR = 7;
    public const int IPOPT_SID = 136;
    public const int IPOPT_SSRR = 137;
    public const int IPOPT_RA = 148;
    public const int IPOPT_OPTVAL = 0;
    public const int IPOPT_OLEN = 1;
    public const int IPOPT_OFFSET = 2;
    public const int IPOPT_MINOFF = 4;
    public const int IPOPT_NOP = IPOPT_NOOP;
    public const int IPOPT_EOL = IPOPT_END;
    public const int IPOPT_TS = IPOPT_TIMESTAMP;
    public const int IPOPT_TS_TSONLY = 0;
    public const int IPOPT_TS_TSANDADDR = 1;
    public const int IPOPT_TS_PRESPEC = 3;

    public const int IPVERSION = 4;
    public const int MAXTTL = 255;
    public const int IPDEFTTL = 64;

    public const int MAX_IPOPTLEN = 40;

    public const int IP_CE = 0x8000;
    public const int IP_DF = 0x4000;
    public const int IP_MF = 0x2000;
    public const int IP_OFFSET = 0x1fff;
}
