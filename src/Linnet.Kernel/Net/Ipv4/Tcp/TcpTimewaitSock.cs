using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What is left of a TCP connection (<c>struct tcp_timewait_sock</c>).</summary>
[LinuxStruct("tcp_timewait_sock")]
public sealed class TcpTimewaitSock : InetTimewaitSock
{
    /// <summary>Next byte expected.</summary>
    public uint TwRcvNxt;

    /// <summary>Next byte to send.</summary>
    public uint TwSndNxt;

    /// <summary>The window that was last offered, in bytes.</summary>
    public uint TwRcvWnd;

    /// <summary>What is added to our timestamps.</summary>
    public uint TwTsOffset;

    /// <summary>The peer's last timestamp.</summary>
    public uint TwTsRecent;

    /// <summary>When it came, in s; 0 when timestamps are not used.</summary>
    public long TwTsRecentStamp;

    /// <summary>When an out-of-window segment was last answered, in ms.</summary>
    public uint TwLastOowAckTime;
}
