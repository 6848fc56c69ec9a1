namespace Linnet.Kernel.Uapi;

/// <summary>
/// Origins and codes of the error queue (linux/errqueue.h).
/// </summary>
public static class ErrQueueH
{
    public const int SO_EE_ORIGIN_NONE = 0;
    public const int SO_EE_ORIGIN_LOCAL = 1;
    public const int SO_EE_ORIGIN_ICMP = 2;
    public const int SO_EE_ORIGIN_ICMP6 = 3;
    public const int SO_EE_ORIGIN_TXSTATUS = 4;
    public const int SO_EE_ORIGIN_ZEROCOPY = 5;
    public const int SO_EE_ORIGIN_TXTIME = 6;
    public const int SO_EE_ORIGIN_TIMESTAMPING = SO_EE_ORIGIN_TXSTATUS;
    public const int SO_EE_CODE_ZEROCOPY_COPIED = 1;
    public const int SO_EE_CODE_TXTIME_INVALID_PARAM = 1;
    public const int SO_EE_CODE_TXTIME_MISSED = 2;
    public const int SO_EE_RFC4884_FLAG_INVALID = 1;

    public const int SCM_TSTAMP_SND = 0;
    public const int SCM_TSTAMP_SCHED = 1;
    public const int SCM_TSTAMP_ACK = 2;
    public const int SCM_TSTAMP_COMPLETION = 3;
}
