using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What a protocol tells of its sockets (<c>struct inet_diag_handler</c>).</summary>
[LinuxStruct("inet_diag_handler")]
internal abstract class InetDiagHandler
{
    /// <summary>The protocol by which it is asked for, <c>IPPROTO_*</c>.</summary>
    public abstract int IdiagType { get; }

    /// <summary>Bytes that it says of a connection (<c>INET_DIAG_INFO</c>); 0 for none.</summary>
    public virtual int IdiagInfoSize => 0;

    /// <summary>The sockets of a namespace that a request asks for; its filter is applied later.</summary>
    public abstract IEnumerable<SockCommon> Matching(NetNamespace net, InetDiagReqV2 r);

    /// <summary>Whether a socket is in a state that the request asks for; it may have changed since it was found.</summary>
    public abstract bool IsWanted(SockCommon sk, in InetDiagReqV2 r);

    /// <summary>Finds the one socket that a request means, with a reference for the caller.</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int Find(NetNamespace net, in InetDiagReqV2 req, bool toDestroy, out SockCommon? sk);

    /// <summary>Gives the reference back.</summary>
    public abstract void Put(SockCommon sk);

    /// <summary>Says how much is queued.</summary>
    public abstract void IdiagGetInfo(Sock sk, ref InetDiagMsg r);

    /// <summary>Says what there is to say of a connection.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="info">Room for <see cref="IdiagInfoSize"/> bytes.</param>
    public virtual void GetInfo(Sock sk, Span<byte> info)
    {
    }
}

/// <summary>Tells of internet sockets (<c>sock_diag(7)</c>).</summary>
[LinuxFile("net/ipv4/inet_diag.c")]
internal static partial class InetDiag
{
    // As a request and its answer have them: in front of the attributes.
    private static readonly int ReqSize = Marshal.SizeOf<InetDiagReqV2>();
    private static readonly int CompatReqSize = Marshal.SizeOf<InetDiagReq>();

    private static readonly StateSlot<Dictionary<int, InetDiagHandler>> Slot = new();

    /// <summary>Answers for both internet families, and for those who ask as of old.</summary>
    [Linux("inet_diag_init")]
    internal static int InetDiagInit(Machine machine)
    {
        Slot.Set(machine.Slots, []);
        InetDiagRegister(machine, new TcpDiag());
        InetDiagRegister(machine, new UdpDiag());
        InetDiagRegister(machine, new RawDiag());
        SockDiag.SockDiagRegister(machine, new FamilyHandler(AF_INET));
        SockDiag.SockDiagRegister(machine, new FamilyHandler(AF_INET6));
        SockDiag.SockDiagRegisterInetCompat(machine, InetDiagRcvMsgCompat);
        return 0;
    }

    /// <summary>Has a protocol's sockets told of.</summary>
    [Linux("inet_diag_register")]
    public static void InetDiagRegister(Machine machine, InetDiagHandler h)
    {
        Dictionary<int, InetDiagHandler> table = Slot.Of(machine.Slots);
        lock (table)
            table[h.IdiagType] = h;
    }

    [Linux("inet_diag_lock_handler")]
    private static InetDiagHandler? InetDiagLockHandler(Machine machine, int protocol)
    {
        Dictionary<int, InetDiagHandler> table = Slot.Of(machine.Slots);
        InetDiagHandler? handler;
        lock (table)
            handler = table.GetValueOrDefault(protocol);
        if (handler == null)
            machine.Unsupported.Add(RequestKind.Netlink, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, AF_INET, text: $"protocol {protocol}");
        return handler;
    }

    [Linux("inet_diag_handler_cmd")]
    private static int InetDiagHandlerCmd(NetlinkRequest request)
    {
        if (!MemoryMarshal.TryRead(request.Payload, out InetDiagReqV2 req))
            return -EINVAL;
        bool all = request.Header.NlmsgType == SOCK_DIAG_BY_FAMILY && (request.Header.NlmsgFlags & NLM_F_DUMP) != 0;
        return all ? InetDiagDumpStart(request, req, ReqSize) : InetDiagCmdExact(request, req, ReqSize);
    }

    [Linux("inet_diag_rcv_msg_compat")]
    private static int InetDiagRcvMsgCompat(NetlinkRequest request)
    {
        if (!MemoryMarshal.TryRead(request.Payload, out InetDiagReq rc))
            return -EINVAL;
        bool all = (request.Header.NlmsgFlags & NLM_F_DUMP) != 0;
        var req = new InetDiagReqV2
        {
            // Whoever asks so is told of all families at once.
            SdiagFamily = all ? (byte)AF_UNSPEC : rc.IdiagFamily,
            SdiagProtocol = request.Header.NlmsgType == TCPDIAG_GETSOCK ? (byte)IPPROTO_TCP : (byte)IPPROTO_DCCP,
            IdiagExt = rc.IdiagExt,
            IdiagStates = rc.IdiagStates,
            Id = rc.Id,
        };
        return all ? InetDiagDumpStart(request, req, CompatReqSize) : InetDiagCmdExact(request, req, CompatReqSize);
    }

    [Linux("__inet_diag_dump_start")]
    private static int InetDiagDumpStart(NetlinkRequest request, in InetDiagReqV2 req, int headLength)
    {
        InetDiagDump dump = new(request, req);
        return AfNetlink.NetlinkDumpStart(request, new NetlinkDumpControl
        {
            Data = dump,
            Start = _ => dump.Start(headLength),
            Dump = (skb, _) => InetDiagDumpCore(skb, dump),
        });
    }

    [Linux("__inet_diag_dump")]
    private static int InetDiagDumpCore(NlmsgWriter skb, InetDiagDump dump)
    {
        dump.Handler ??= InetDiagLockHandler(dump.Request.Net.Machine, dump.Protocol);
        if (dump.Handler == null)
            return -ENOENT;

        // A moment's copy: who is gone until it is its turn is left out.
        dump.Socks ??= [.. dump.Handler.Matching(dump.Request.Net, dump.Req)];
        for (; dump.Next < dump.Socks.Count; dump.Next++)
        {
            SockCommon sk = dump.Socks[dump.Next];
            if (!dump.Handler.IsWanted(sk, dump.Req) || !InetDiagBcSk(dump.Bytecode, sk))
                continue;
            if (SkDiagFill(sk, skb, dump, NLM_F_MULTI) < 0)
                break;
        }

        return skb.Length;
    }

    [Linux("inet_diag_cmd_exact")]
    private static int InetDiagCmdExact(NetlinkRequest request, in InetDiagReqV2 req, int headLength)
    {
        InetDiagDump dump = new(request, req);
        int err = dump.InetDiagParseAttrs(headLength);
        if (err != 0)
            return err;
        dump.Handler = InetDiagLockHandler(request.Net.Machine, dump.Protocol);
        if (dump.Handler == null)
            return -ENOENT;
        bool destroy = request.Header.NlmsgType == SOCK_DESTROY;
        err = dump.Handler.Find(request.Net, req, destroy, out SockCommon? sk);
        if (err != 0)
            return err;
        err = destroy ? Destroy(sk!) : DumpOne(sk!, dump);
        dump.Handler.Put(sk!);
        return err;
    }

    private static int DumpOne(SockCommon sk, InetDiagDump dump)
    {
        NlmsgWriter rep = new();
        int err = SkDiagFill(sk, rep, dump, 0);
        Bug.On(err < 0);
        return AfNetlink.NlmsgUnicast(dump.Request.KernelSk, rep, dump.Request.Portid);
    }

    // A handshake and what is left of a connection have nobody to tell: they are taken out of the tables.
    private static int Destroy(SockCommon sk)
    {
        switch (sk)
        {
            case Sock full:
                return SockDiag.SockDiagDestroy(full, ECONNABORTED);
            case InetTimewaitSock or RequestSock when !TaskStruct.Current.NsCapable(sk.SkcNet.UserNs, CAP_NET_ADMIN):
                return -EPERM;
            case InetTimewaitSock tw:
                tw.Hold();
                InetTimewaitSock.InetTwskDeschedulePut(tw);
                return 0;
            case RequestSock req when req.RskListener is { } listener:
                InetConnectionSockOps.InetCskReqskQueueDrop(listener, req);
                return 0;
            default:
                return -ENOENT;
        }
    }

    /// <summary>Which ports a request means; 0 for any.</summary>
    internal static (ushort Sport, ushort Dport) Ports(in InetDiagReqV2 r) =>
        (BinaryPrimitives.ReverseEndianness(r.Id.IdiagSport), BinaryPrimitives.ReverseEndianness(r.Id.IdiagDport));

    /// <summary>Which IPv4 addresses a request means.</summary>
    internal static (uint Src, uint Dst) Addresses(in InetDiagReqV2 r) =>
        (BinaryPrimitives.ReadUInt32BigEndian(r.Id.IdiagSrc), BinaryPrimitives.ReadUInt32BigEndian(r.Id.IdiagDst));

    /// <summary>Whether a socket has the family and ports that a request asks for.</summary>
    internal static bool Fits(in InetDiagReqV2 r, int family, ushort sport, ushort dport)
    {
        (ushort s, ushort d) = Ports(r);
        return (r.SdiagFamily == AF_UNSPEC || r.SdiagFamily == family) && (s == 0 || s == sport) && (d == 0 || d == dport);
    }

    private sealed class FamilyHandler(int family) : SockDiagHandler
    {
        public override int Family => family;

        public override int Dump(NetlinkRequest request) => InetDiagHandlerCmd(request);

        public override int Destroy(NetlinkRequest request) => InetDiagHandlerCmd(request);
    }
}

/// <summary>A request about internet sockets that is being answered.</summary>
internal sealed class InetDiagDump(NetlinkRequest request, InetDiagReqV2 req)
{
    private readonly InetDiagReqV2 req = req;
    private int bytecodeAt;
    private int bytecodeLength = -1;

    public NetlinkRequest Request => request;

    public ref readonly InetDiagReqV2 Req => ref req;

    /// <summary>The protocol that is asked about: one above 255 has an attribute of its own.</summary>
    public int Protocol { get; private set; } = req.SdiagProtocol;

    public InetDiagHandler? Handler { get; set; }

    /// <summary>Whether the one who asks may see what is only for administrators.</summary>
    public bool NetAdmin { get; } = request.NetlinkNetCapable(CAP_NET_ADMIN);

    /// <summary>The sockets to tell of.</summary>
    public List<SockCommon>? Socks { get; set; }

    /// <summary>Which of them comes next.</summary>
    public int Next { get; set; }

    /// <summary>The filter; empty for none.</summary>
    public ReadOnlySpan<byte> Bytecode => bytecodeLength < 0 ? default : request.Data.AsSpan(bytecodeAt, bytecodeLength);

    /// <summary>Whether something is asked for beside what is always told, <c>INET_DIAG_*</c>.</summary>
    public bool Wants(int attribute) => (req.IdiagExt & 1 << (attribute - 1)) != 0;

    /// <summary>Reads the attributes and checks the filter.</summary>
    public int Start(int headLength)
    {
        int err = InetDiagParseAttrs(headLength);
        if (err == 0 && bytecodeLength >= 0)
            err = InetDiag.InetDiagBcAudit(Bytecode, NetAdmin);
        return err;
    }

    /// <summary>Reads the attributes.</summary>
    [Linux("inet_diag_parse_attrs", "net/ipv4/inet_diag.c")]
    public int InetDiagParseAttrs(int headLength)
    {
        ReadOnlySpan<byte> data = request.Data;
        int at = NLMSG_HDRLEN + headLength;
        while (data.Length - at >= NLA_HDRLEN)
        {
            Nlattr head = MemoryMarshal.Read<Nlattr>(data[at..]);
            if (head.NlaLen < NLA_HDRLEN || head.NlaLen > data.Length - at)
                break;
            int length = head.NlaLen - NLA_HDRLEN;
            switch (head.NlaType & NLA_TYPE_MASK)
            {
                case INET_DIAG_REQ_PROTOCOL when length != sizeof(uint):
                    return -EINVAL;
                case INET_DIAG_REQ_PROTOCOL:
                    Protocol = MemoryMarshal.Read<int>(data[(at + NLA_HDRLEN)..]);
                    break;
                case INET_DIAG_REQ_BYTECODE:
                    (bytecodeAt, bytecodeLength) = (at + NLA_HDRLEN, length);
                    break;
            }

            at += (head.NlaLen + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1);
        }

        return 0;
    }
}
