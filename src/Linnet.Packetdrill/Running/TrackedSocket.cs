namespace Linnet.Packetdrill.Running;

/// <summary>How far a socket has come, as far as script and packets show it.</summary>
internal enum TrackedState
{
    /// <summary>After <c>socket()</c>.</summary>
    New,

    /// <summary>After <c>listen()</c>.</summary>
    Listening,

    /// <summary>A listener got a first packet for it.</summary>
    PacketReceived,

    /// <summary>The stack sent its SYN-ACK.</summary>
    SynAckSent,

    /// <summary>The script acknowledged that.</summary>
    SynAckAcked,

    /// <summary>After <c>connect()</c>.</summary>
    Connecting,

    /// <summary>The script has the stack's SYN.</summary>
    SynSent,

    /// <summary>The script answered it.</summary>
    SynAcked,
}

/// <summary>
/// A connection as the script sees it and as it is: initial sequence numbers and time stamps differ, and what is known of them maps
/// one to the other. Sequence numbers of SYNs are absolute in scripts, all others are relative to the initial ones.
/// </summary>
internal sealed class TrackedSocket
{
    private readonly Dictionary<uint, uint> timestamps = [];

    /// <summary>The descriptor in the script; -1 before <c>accept()</c>.</summary>
    public int ScriptFd { get; set; } = -1;

    /// <summary>The descriptor; -1 before <c>accept()</c>.</summary>
    public int LiveFd { get; set; } = -1;

    /// <summary>Whether the script closed it.</summary>
    public bool IsClosed { get; set; }

    /// <summary>The socket's type, without flags.</summary>
    public int Type { get; init; } = SOCK_STREAM;

    /// <summary>The socket's protocol.</summary>
    public int Protocol { get; init; } = IPPROTO_TCP;

    /// <summary>How far it has come.</summary>
    public TrackedState State { get; set; } = TrackedState.New;

    /// <summary>The stack's address, host order.</summary>
    public uint LocalAddress { get; set; }

    /// <summary>The stack's port.</summary>
    public ushort LocalPort { get; set; }

    /// <summary>The script's address, host order.</summary>
    public uint RemoteAddress { get; set; }

    /// <summary>The script's port.</summary>
    public ushort RemotePort { get; set; }

    /// <summary>The stack's initial sequence number.</summary>
    public uint LiveLocalIsn { get; set; }

    /// <summary>What the script calls it.</summary>
    public uint ScriptLocalIsn { get; set; }

    /// <summary>The script's initial sequence number, on the wire as in the script.</summary>
    public uint RemoteIsn { get; set; }

    /// <summary>The last TCP header that the stack sent, for the RST at the end.</summary>
    public SegmentEnd? LastOutbound { get; set; }

    /// <summary>The last TCP header that the script sent.</summary>
    public SegmentEnd? LastInbound { get; set; }

    /// <summary>The first time stamp that the stack sent, in the script and on the wire; others are counted from it.</summary>
    public (uint Script, uint Live)? FirstTimestamp { get; private set; }

    /// <summary>From the stack to the script.</summary>
    public FourTuple Outbound => new(LocalAddress, LocalPort, RemoteAddress, RemotePort);

    /// <summary>From the script to the stack.</summary>
    public FourTuple Inbound => new(RemoteAddress, RemotePort, LocalAddress, LocalPort);

    /// <summary>What to add to the script's own sequence numbers to have those on the wire.</summary>
    public uint RemoteOffset(bool isSyn) => isSyn ? 0 : RemoteIsn;

    /// <summary>What to add to the script's numbers for the stack's sequence space to have those on the wire.</summary>
    public uint LocalOffset(bool isSyn) => isSyn ? LiveLocalIsn - ScriptLocalIsn : LiveLocalIsn;

    /// <summary>Learns which time stamp the stack really sent where the script has one.</summary>
    public void LearnTimestamp(uint script, uint live)
    {
        timestamps[script] = live;
        FirstTimestamp ??= (script, live);
    }

    /// <summary>The time stamp on the wire for one that the script has seen.</summary>
    public bool TryMapTimestamp(uint script, out uint live) => timestamps.TryGetValue(script, out live);
}

/// <summary>What has to be kept of a segment to follow it with one that is accepted.</summary>
/// <param name="Flags">Its flags.</param>
/// <param name="Seq">Sequence number, live.</param>
/// <param name="AckSeq">Acknowledgement, live.</param>
/// <param name="Window">The window field.</param>
/// <param name="Payload">Bytes of data.</param>
internal readonly record struct SegmentEnd(int Flags, uint Seq, uint AckSeq, ushort Window, int Payload);
