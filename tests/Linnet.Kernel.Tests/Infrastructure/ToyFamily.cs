using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using File = Linnet.Kernel.Fs.File;
using PollTable = Linnet.Kernel.Fs.PollTable;
using Socket = Linnet.Kernel.Net.Socket;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>The module that the toy family is in.</summary>
public sealed class ToyModule : Module
{
    private readonly ToyFamily family;

    public ToyModule(ToyFamily family)
        : base("toy")
    {
        this.family = family;
        family.Module = this;
    }

    protected internal override int Init(Machine machine) => Socket.SockRegister(machine, family);

    protected internal override void Exit(Machine machine) => Socket.SockUnregister(machine, ToyFamily.Number);
}

/// <summary>A family whose sockets are bytes in memory, to test the socket layer alone. Every step can be made to fail.</summary>
public sealed class ToyFamily : NetProtoFamily
{
    public const int Number = AF_ROSE;

    public ToyFamily()
    {
        Ops = new ToyOps(this);
        Proto = new ToyProto(this);
    }

    public Module? Module { get; set; }

    public ToyOps Ops { get; }

    public ToyProto Proto { get; }

    /// <summary>What create answers, after it made the sock.</summary>
    public int CreateResult { get; set; }

    /// <summary>The module of the operations, where it is another one than the family's.</summary>
    public Module? OpsOwner { get; set; }

    /// <summary>Called in create.</summary>
    public Action? OnCreate { get; set; }

    public override int Family => Number;

    public override Module? Owner => Module;

    public override int Create(NetNamespace net, Socket sock, int protocol, bool kern)
    {
        OnCreate?.Invoke();
        sock.Ops = Ops;
        if (Sock.SkAlloc(net, Number, Proto, kern) is not { } sk)
            return -ENOBUFS;
        Sock.SockInitData(sock, sk);
        sk.SkProtocol = (ushort)protocol;
        sk.SkcState = TCP_ESTABLISHED;
        if (CreateResult < 0)
        {
            Sock.SkCommonRelease(sk);
            sock.Sk = null;
        }

        return CreateResult;
    }
}

/// <summary>One end of a pair: what the other end wrote and this one has not read yet.</summary>
public sealed class ToySock : Sock
{
    public const int Capacity = 8;

    public Queue<byte> Received { get; } = new();

    public ToySock? Peer { get; set; }

    public byte[] Address { get; set; } = [];

    /// <summary>Connections that wait to be accepted.</summary>
    public int Waiting { get; set; }

    public bool Connected { get; set; }

    public int Listens { get; set; } = -1;
}

public sealed class ToyProto(ToyFamily family) : Proto
{
    public override string Name => "TOY";

    public override Module? Owner => family.Module;

    public override Sock AllocSock() => new ToySock();

    public override void Close(Sock sk, long timeout) => Sock.SkCommonRelease(sk);
}

public sealed class ToyOps(ToyFamily family) : ProtoOps
{
    public override int Family => ToyFamily.Number;

    public override Module? Owner => family.OpsOwner ?? family.Module;

    /// <summary>What getname answers with for a peer that is gone.</summary>
    public int PeerNameResult { get; set; } = 2;

    /// <summary>Sees each message that is sent, with its control data.</summary>
    public Action<MsgHdr>? OnSend { get; set; }

    /// <summary>May add control data to each message that is received.</summary>
    public Action<MsgHdr>? OnRecv { get; set; }

    public override int Release(Socket sock)
    {
        if (sock.Sk is not ToySock sk)
            return 0;
        if (sk.Peer is { } peer)
        {
            peer.SkShutdown = Sock.RCV_SHUTDOWN;
            peer.Peer = null;
            peer.SkStateChange(peer);
        }

        sk.SkProt.Close(sk, 0);
        return 0;
    }

    public override int Bind(Socket sock, ReadOnlySpan<byte> addr)
    {
        ((ToySock)sock.Sk!).Address = addr.ToArray();
        return 0;
    }

    public override int Listen(Socket sock, int backlog)
    {
        ((ToySock)sock.Sk!).Listens = backlog;
        return 0;
    }

    public override int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags)
    {
        var sk = (ToySock)sock.Sk!;
        int err = sk.SockError();
        if (err != 0)
        {
            sock.State = Linnet.Kernel.Uapi.SocketState.SS_UNCONNECTED;
            return err;
        }

        if (sk.Connected)
        {
            sock.State = Linnet.Kernel.Uapi.SocketState.SS_CONNECTED;
            return 0;
        }

        bool first = sock.State == Linnet.Kernel.Uapi.SocketState.SS_UNCONNECTED;
        sock.State = Linnet.Kernel.Uapi.SocketState.SS_CONNECTING;
        return first ? -EINPROGRESS : -EALREADY;
    }

    public override int Accept(Socket sock, Socket newsock, int flags, bool kern)
    {
        var sk = (ToySock)sock.Sk!;
        if (sk.Waiting == 0)
            return -EAGAIN;
        sk.Waiting--;
        var made = (ToySock)Sock.SkAlloc(sk.SkNet, ToyFamily.Number, sk.SkProt, kern)!;
        Sock.SockInitData(null, made);
        made.SkType = (ushort)sock.Type;
        Sock.SockGraft(made, newsock);
        return 0;
    }

    public override int Socketpair(Socket sock1, Socket sock2)
    {
        var a = (ToySock)sock1.Sk!;
        var b = (ToySock)sock2.Sk!;
        (a.Peer, b.Peer) = (b, a);
        return 0;
    }

    public override int Getname(Socket sock, Span<byte> addr, int peer)
    {
        if (peer != 0 && PeerNameResult < 0)
            return PeerNameResult;
        byte[] address = ((ToySock)sock.Sk!).Address;
        if (address.Length == 0)
            address = [ToyFamily.Number, 0];
        address.CopyTo(addr);
        return address.Length;
    }

    public override uint Poll(File? file, Socket sock, PollTable? wait)
    {
        wait?.PollWait(file, sock.Wq.Wait);
        return ((ToySock)sock.Sk!).Received.Count > 0 ? EPOLLIN | EPOLLRDNORM : 0u;
    }

    public override int Ioctl(Socket sock, uint cmd, Sockptr arg) => cmd == 0x89f0_0001 ? 7 : -ENOIOCTLCMD;

    public override int Shutdown(Socket sock, int how)
    {
        sock.Sk!.SkShutdown |= (byte)(how + 1);
        sock.Sk.SkStateChange(sock.Sk);
        return 0;
    }

    public override long Sendmsg(Socket sock, MsgHdr m, long totalLen)
    {
        var sk = (ToySock)sock.Sk!;
        int err = sk.SockError();
        if (err != 0)
            return err;
        if (sk.Peer is not { } peer)
            return -EPIPE;
        OnSend?.Invoke(m);
        int room = ToySock.Capacity - peer.Received.Count;
        if (room == 0 || (sk.SkType != SOCK_STREAM && totalLen > room))
            return -EAGAIN;
        Span<byte> bytes = stackalloc byte[(int)Math.Min(totalLen, room)];
        int copied = m.MsgIter.CopyFrom(bytes);
        if (copied < bytes.Length)
            return -EFAULT;
        foreach (byte value in bytes)
            peer.Received.Enqueue(value);
        peer.SkDataReady(peer);
        return copied;
    }

    public override long Recvmsg(Socket sock, MsgHdr m, long totalLen, int flags)
    {
        var sk = (ToySock)sock.Sk!;
        int err = sk.SockError();
        if (err != 0)
            return err;
        if (sk.Received.Count == 0)
            return (sk.SkShutdown & Sock.RCV_SHUTDOWN) != 0 ? 0 : -EAGAIN;
        byte[] bytes = [.. sk.Received.Take((int)Math.Min(totalLen, sk.Received.Count))];
        m.MsgIter.CopyTo(bytes);
        if (m.HasName)
        {
            sk.Address.CopyTo(m.NameBuffer);
            m.MsgNamelen = sk.Address.Length;
        }

        OnRecv?.Invoke(m);
        if ((flags & MSG_PEEK) != 0)
            return bytes.Length;
        for (int i = 0; i < bytes.Length; i++)
            sk.Received.Dequeue();
        sk.Peer?.SkWriteSpace(sk.Peer);
        return bytes.Length;
    }
}
