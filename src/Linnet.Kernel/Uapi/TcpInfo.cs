using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>
/// Value of TCP_INFO, as of Linux 6.18. Times are in µs, except <c>TcpiLast*</c> and <c>TcpiTotalRtoTime</c> (ms);
/// rates are in bytes a second. C's bit fields appear as the bytes that hold them.
/// </summary>
[LinuxStruct("tcp_info"), StructLayout(LayoutKind.Sequential)]
public struct TcpInfo
{
    public byte TcpiState;
    public byte TcpiCaState;
    public byte TcpiRetransmits;
    public byte TcpiProbes;
    public byte TcpiBackoff;
    public byte TcpiOptions;

    /// <summary>tcpi_snd_wscale in the low four bits, tcpi_rcv_wscale in the high four.</summary>
    public byte TcpiWscale;

    /// <summary>tcpi_delivery_rate_app_limited in bit 0, tcpi_fastopen_client_fail in bits 1 and 2.</summary>
    public byte TcpiAppLimitedFastopen;

    public uint TcpiRto;
    public uint TcpiAto;
    public uint TcpiSndMss;
    public uint TcpiRcvMss;

    public uint TcpiUnacked;
    public uint TcpiSacked;
    public uint TcpiLost;
    public uint TcpiRetrans;
    public uint TcpiFackets;

    public uint TcpiLastDataSent;
    public uint TcpiLastAckSent;
    public uint TcpiLastDataRecv;
    public uint TcpiLastAckRecv;

    public uint TcpiPmtu;
    public uint TcpiRcvSsthresh;
    public uint TcpiRtt;
    public uint TcpiRttvar;
    public uint TcpiSndSsthresh;
    public uint TcpiSndCwnd;
    public uint TcpiAdvmss;
    public uint TcpiReordering;

    public uint TcpiRcvRtt;
    public uint TcpiRcvSpace;

    public uint TcpiTotalRetrans;

    public ulong TcpiPacingRate;
    public ulong TcpiMaxPacingRate;
    public ulong TcpiBytesAcked;
    public ulong TcpiBytesReceived;
    public uint TcpiSegsOut;
    public uint TcpiSegsIn;

    public uint TcpiNotsentBytes;
    public uint TcpiMinRtt;
    public uint TcpiDataSegsIn;
    public uint TcpiDataSegsOut;

    public ulong TcpiDeliveryRate;

    public ulong TcpiBusyTime;
    public ulong TcpiRwndLimited;
    public ulong TcpiSndbufLimited;

    public uint TcpiDelivered;
    public uint TcpiDeliveredCe;

    public ulong TcpiBytesSent;
    public ulong TcpiBytesRetrans;
    public uint TcpiDsackDups;
    public uint TcpiReordSeen;

    public uint TcpiRcvOoopack;

    public uint TcpiSndWnd;
    public uint TcpiRcvWnd;

    public uint TcpiRehash;

    public ushort TcpiTotalRto;
    public ushort TcpiTotalRtoRecoveries;
    public uint TcpiTotalRtoTime;

    public uint TcpiReceivedCe;
    public uint TcpiDeliveredE1Bytes;
    public uint TcpiDeliveredE0Bytes;
    public uint TcpiDeliveredCeBytes;
    public uint TcpiReceivedE1Bytes;
    public uint TcpiReceivedE0Bytes;
    public uint TcpiReceivedCeBytes;
    public ushort TcpiAccecnFailMode;
    public ushort TcpiAccecnOptSeen;
}

/// <summary>One option of TCP_REPAIR_OPTIONS.</summary>
[LinuxStruct("tcp_repair_opt"), StructLayout(LayoutKind.Sequential)]
public struct TcpRepairOpt
{
    public uint OptCode;
    public uint OptVal;
}

/// <summary>Value of TCP_REPAIR_WINDOW.</summary>
[LinuxStruct("tcp_repair_window"), StructLayout(LayoutKind.Sequential)]
public struct TcpRepairWindow
{
    public uint SndWl1;
    public uint SndWnd;
    public uint MaxWindow;
    public uint RcvWnd;
    public uint RcvWup;
}
