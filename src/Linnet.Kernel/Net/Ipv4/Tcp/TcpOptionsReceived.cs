using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What options have come, in the last segment and since the handshake (<c>struct tcp_options_received</c>).</summary>
[LinuxStruct("tcp_options_received")]
public struct TcpOptionsReceived
{
    /// <summary>When <see cref="TsRecent"/> was noted, in seconds since boot; 0 for never.</summary>
    public long TsRecentStamp;

    /// <summary>The peer's timestamp to echo next (RFC 7323 4.3).</summary>
    public uint TsRecent;

    /// <summary>Timestamp value of the last segment.</summary>
    public uint RcvTsval;

    /// <summary>Timestamp echo of the last segment.</summary>
    public uint RcvTsecr;

    /// <summary>The last segment carried a timestamp.</summary>
    public bool SawTstamp;

    /// <summary>Timestamps were agreed on.</summary>
    public bool TstampOk;

    /// <summary>The last ACK carried a duplicate-SACK block.</summary>
    public bool Dsack;

    /// <summary>Window scaling was agreed on.</summary>
    public bool WscaleOk;

    /// <summary>SACK was agreed on.</summary>
    public bool SackOk;

    /// <summary>Shift of windows that come from the peer.</summary>
    public byte SndWscale;

    /// <summary>Shift of windows that go to the peer.</summary>
    public byte RcvWscale;

    /// <summary>The segment carried options that are not known.</summary>
    public bool SawUnknown;

    /// <summary>SACK blocks to send.</summary>
    public byte NumSacks;

    /// <summary><c>TCP_MAXSEG</c>; 0 for none.</summary>
    public ushort UserMss;

    /// <summary>Largest MSS that the peer takes.</summary>
    public ushort MssClamp;

    /// <summary>
    /// Forgets what the handshake agrees on (<c>tcp_clear_options</c>). The own scale stays: a SYN that is sent again offers it again.
    /// </summary>
    public void Clear()
    {
        TstampOk = SackOk = WscaleOk = SawTstamp = false;
        SndWscale = 0;
        NumSacks = 0;
    }
}

/// <summary>A range of sequence numbers that was received out of order (<c>struct tcp_sack_block</c>).</summary>
[LinuxStruct("tcp_sack_block")]
public struct TcpSackBlock
{
    /// <summary>First sequence number.</summary>
    public uint StartSeq;

    /// <summary>Sequence number behind the last.</summary>
    public uint EndSeq;
}

/// <summary>Up to four SACK blocks.</summary>
[System.Runtime.CompilerServices.InlineArray(TCP_NUM_SACKS)]
public struct TcpSackBlocks
{
    private TcpSackBlock first;
}
