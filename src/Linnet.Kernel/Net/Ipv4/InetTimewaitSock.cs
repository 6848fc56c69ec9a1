using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What is left of a closed connection (<c>struct inet_timewait_sock</c>): it answers segments that are still under way
/// and keeps the four-tuple from being used again too soon. Also stands for orphans in FIN_WAIT2.
/// </summary>
[LinuxStruct("inet_timewait_sock")]
[LinuxFile("net/ipv4/inet_timewait_sock.c")]
public partial class InetTimewaitSock : SockCommon
{
    /// <summary>
    /// <c>TCP_FIN_WAIT2</c> or <c>TCP_TIME_WAIT</c>; <see cref="SockCommon.SkcState"/> is always TIME_WAIT.
    /// </summary>
    public volatile byte TwSubstate;

    /// <summary>The window scale that was offered.</summary>
    public byte TwRcvWscale;

    /// <summary>TOS of what is sent.</summary>
    public byte TwTos;

    /// <summary>The socket was transparent.</summary>
    public bool TwTransparent;

    /// <summary>The local port was chosen by connect, not bound.</summary>
    public bool TwConnectBind;

    /// <summary>Timestamps count µs rather than ms.</summary>
    public bool TwUsecTs;

    /// <summary>Packet mark of what is sent.</summary>
    public uint TwMark;

    /// <summary>Priority of what is sent.</summary>
    public uint TwPriority;

    /// <summary>Hash of the flow as this side sends it.</summary>
    public uint TwTxhash;

    /// <summary>How long the state lasts after the last segment, in ns.</summary>
    public long TwTimeout;

    /// <summary>
    /// When the state began, in ms; the four-tuple may be used again <c>tcp_tw_reuse_delay</c> later.
    /// </summary>
    public long TwEntryStamp;

    /// <summary>Ends the state.</summary>
    public TimerList TwTimer = null!;

    /// <summary>The local port's bucket.</summary>
    public InetBindBucket? TwTb;

    /// <summary>The bucket of local address and port.</summary>
    public InetBind2Bucket? TwTb2;

    /// <summary>The machine's tables.</summary>
    public InetTimewaitDeathRow TwDr = null!;

    /// <summary>Takes a reference.</summary>
    public void Hold() => Interlocked.Increment(ref SkcRefcnt);

    /// <summary>Gives a reference back (<c>inet_twsk_put</c>).</summary>
    public void InetTwskPut()
    {
        int left = Interlocked.Decrement(ref SkcRefcnt);
        Bug.On(left < 0);
    }
}

/// <summary>A namespace's TIME_WAIT sockets (<c>struct inet_timewait_death_row</c>).</summary>
[LinuxStruct("inet_timewait_death_row")]
public sealed class InetTimewaitDeathRow
{
    /// <summary>How many there are; atomic.</summary>
    public int TwCount;

    /// <summary>The machine's tables.</summary>
    public InetHashinfo Hashinfo = null!;

    /// <summary><c>net.ipv4.tcp_max_tw_buckets</c></summary>
    public int SysctlMaxTwBuckets;
}
