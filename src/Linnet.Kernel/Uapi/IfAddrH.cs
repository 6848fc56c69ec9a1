namespace Linnet.Kernel.Uapi;

/// <summary>
/// Attributes of addresses (linux/if_addr.h).
/// </summary>
public static class IfAddrH
{
    public const int IFA_UNSPEC = 0;
    public const int IFA_ADDRESS = 1;
    public const int IFA_LOCAL = 2;
    public const int IFA_LABEL = 3;
    public const int IFA_BROADCAST = 4;
    public const int IFA_ANYCAST = 5;
    public const int IFA_CACHEINFO = 6;
    public const int IFA_MULTICAST = 7;
    public const int IFA_FLAGS = 8;
    public const int IFA_RT_PRIORITY = 9;
    public const int IFA_TARGET_NETNSID = 10;
    public const int IFA_PROTO = 11;
    public const int IFA_MAX = 11;

    public const int IFAPROT_KERNEL_LO = 1;
}
