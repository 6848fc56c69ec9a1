using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Net;

/// <summary>
/// A BSD socket (<c>struct socket</c>): the half that descriptors and system calls know. The network half is
/// <see cref="Sk"/>; what can be done with it is <see cref="Ops"/>.
/// </summary>
[LinuxStruct("socket")]
[LinuxFile("net/socket.c")]
public sealed partial class Socket : ISocket
{
    internal Socket(Machine machine, long ino)
    {
        Machine = machine;
        Ino = ino;
    }

    /// <summary>The machine that the socket is on.</summary>
    public Machine Machine { get; }

    /// <summary>
    /// Number of the socket's inode in sockfs; unique on the machine. Who shows the socket by a file of another kernel's says its
    /// number there, so that the two are known to be one.
    /// </summary>
    public long Ino { get; set; }

    /// <summary>Whether it is connected, as far as the socket layer cares (<c>state</c>).</summary>
    public SocketState State { get; internal set; } = SocketState.SS_UNCONNECTED;

    /// <summary>Type, <c>SOCK_*</c>.</summary>
    public int Type { get; internal set; }

    /// <inheritdoc/>
    public uint Uid { get; internal set; }

    /// <summary>The file, or null for a socket of the kernel.</summary>
    public File? File { get; internal set; }

    /// <summary>The network half.</summary>
    public Sock? Sk { get; set; }

    /// <summary>Operations; null once released. May change with <c>IPV6_ADDRFORM</c> or MPTCP.</summary>
    public ProtoOps? Ops { get; internal set; }

    /// <summary>Who waits on the socket.</summary>
    public SocketWq Wq { get; } = new();

    /// <summary>Who gets SIGIO for the socket (<c>fasync_list</c>).</summary>
    internal FasyncStruct FasyncList => field ??= new FasyncStruct();

    /// <inheritdoc/>
    public Func<(int Unread, int Unsent)>? Between { get; set; }

    /// <summary>State of security modules (<c>i_security</c> of the inode).</summary>
    public object? Security { get; set; }

    bool ISocket.HasPeekOff => Ops!.HasSetPeekOff;

    int ISocket.SetPeekOff(int value) => Ops!.SetPeekOff(Sk!, value);

    int ISocket.SetRcvlowat(int value) => Ops!.SetRcvlowat(Sk!, value);

    int ISocket.Getname(Span<byte> addr, int peer) => Ops!.Getname(this, addr, peer);
}
