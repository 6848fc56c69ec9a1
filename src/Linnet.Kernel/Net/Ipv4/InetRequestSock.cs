using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A request of an internet protocol (<c>struct inet_request_sock</c>). Local and remote address and port
/// (<c>ir_loc_addr</c>, <c>ir_rmt_addr</c>, <c>ir_num</c>, <c>ir_rmt_port</c>) are those of <see cref="SockCommon"/>:
/// <see cref="SockCommon.SkcRcvSaddr"/>, <see cref="SockCommon.SkcDaddr"/>, <see cref="SockCommon.SkcNum"/>,
/// <see cref="SockCommon.SkcDport"/>.
/// </summary>
[LinuxStruct("inet_request_sock")]
public abstract class InetRequestSock : RequestSock
{
    /// <summary>The peer's window scale.</summary>
    public byte SndWscale;

    /// <summary>The window scale that is offered.</summary>
    public byte RcvWscale;

    /// <summary>Both sides use timestamps.</summary>
    public bool TstampOk;

    /// <summary>Both sides use SACK.</summary>
    public bool SackOk;

    /// <summary>Both sides use window scaling.</summary>
    public bool WscaleOk;

    /// <summary>Both sides use ECN.</summary>
    public bool EcnOk;

    /// <summary>The handshake's ACK came, but the child could not be made or is deferred.</summary>
    public bool Acked;

    /// <summary>The listener is transparent: the local address need not be this machine's.</summary>
    public bool NoSrccheck;

    /// <summary>Index of the device that the SYN came in on, where the listener is bound to one.</summary>
    public int IrIif;

    /// <summary>Packet mark of what is sent.</summary>
    public uint IrMark;

    /// <summary>IP options of the SYN, to be echoed.</summary>
    public IpOptionsRcu? IreqOpt;
}
