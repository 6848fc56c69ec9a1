namespace Linnet.Kernel.Uapi;

/// <summary>
/// Timestamping flags of SO_TIMESTAMPING and hardware timestamp modes (linux/net_tstamp.h).
/// </summary>
public static class NetTstampH
{
    public const int SOF_TIMESTAMPING_TX_HARDWARE = 1;
    public const int SOF_TIMESTAMPING_TX_SOFTWARE = 2;
    public const int SOF_TIMESTAMPING_RX_HARDWARE = 4;
    public const int SOF_TIMESTAMPING_RX_SOFTWARE = 8;
    public const int SOF_TIMESTAMPING_SOFTWARE = 0x10;
    public const int SOF_TIMESTAMPING_SYS_HARDWARE = 0x20;
    public const int SOF_TIMESTAMPING_RAW_HARDWARE = 0x40;
    public const int SOF_TIMESTAMPING_OPT_ID = 0x80;
    public const int SOF_TIMESTAMPING_TX_SCHED = 0x100;
    public const int SOF_TIMESTAMPING_TX_ACK = 0x200;
    public const int SOF_TIMESTAMPING_OPT_CMSG = 0x400;
    public const int SOF_TIMESTAMPING_OPT_TSONLY = 0x800;
    public const int SOF_TIMESTAMPING_OPT_STATS = 0x1000;
    public const int SOF_TIMESTAMPING_OPT_PKTINFO = 0x2000;
    public const int SOF_TIMESTAMPING_OPT_TX_SWHW = 0x4000;
    public const int SOF_TIMESTAMPING_BIND_PHC = 0x8000;
    public const int SOF_TIMESTAMPING_TX_RECORD_MASK = 0x303;
    public const int SOF_TIMESTAMPING_OPT_ID_TCP = 0x10000;
    public const int SOF_TIMESTAMPING_OPT_RX_FILTER = 0x20000;
    public const int SOF_TIMESTAMPING_TX_COMPLETION = 0x40000;
    public const int SOF_TIMESTAMPING_LAST = 0x40000;
    public const int SOF_TIMESTAMPING_MASK = 0x7ffff;

    public const int HWTSTAMP_FLAG_BONDED_PHC_INDEX = 1;
    public const int HWTSTAMP_FLAG_LAST = 1;
    public const int HWTSTAMP_FLAG_MASK = 1;
    public const int HWTSTAMP_TX_OFF = 0;
    public const int HWTSTAMP_TX_ON = 1;
    public const int HWTSTAMP_TX_ONESTEP_SYNC = 2;
    public const int HWTSTAMP_TX_ONESTEP_P2P = 3;
    public const int HWTSTAMP_FILTER_NONE = 0;
    public const int HWTSTAMP_FILTER_ALL = 1;
    public const int HWTSTAMP_FILTER_SOME = 2;
    public const int HWTSTAMP_FILTER_PTP_V1_L4_EVENT = 3;
    public const int HWTSTAMP_FILTER_PTP_V1_L4_SYNC = 4;
    public const int HWTSTAMP_FILTER_PTP_V1_L4_DELAY_REQ = 5;
    public const int HWTSTAMP_FILTER_PTP_V2_L4_EVENT = 6;
    public const int HWTSTAMP_FILTER_PTP_V2_L4_SYNC = 7;
    public const int HWTSTAMP_FILTER_PTP_V2_L4_DELAY_REQ = 8;
    public const int HWTSTAMP_FILTER_PTP_V2_L2_EVENT = 9;
    public const int HWTSTAMP_FILTER_PTP_V2_L2_SYNC = 10;
    public const int HWTSTAMP_FILTER_PTP_V2_L2_DELAY_REQ = 11;
    public const int HWTSTAMP_FILTER_PTP_V2_EVENT = 12;
    public const int HWTSTAMP_FILTER_PTP_V2_SYNC = 13;
    public const int HWTSTAMP_FILTER_PTP_V2_DELAY_REQ = 14;
    public const int HWTSTAMP_FILTER_NTP_ALL = 15;
}
