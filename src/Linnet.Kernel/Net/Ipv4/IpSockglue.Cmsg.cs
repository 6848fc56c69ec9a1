using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What the IP level adds to sockets: options, control messages, errors of the network (<c>ip(7)</c>).
/// </summary>
[LinuxFile("net/ipv4/ip_sockglue.c")]
public static partial class IpSockglue
{
    /// <summary>Control messages up to this many bytes are read without allocating.</summary>
    public const int ControlOnStack = 128;

    /// <summary>The switches that have datagrams delivered with control messages (<c>IP_CMSG_*</c>).</summary>
    public const InetFlags CmsgFlags = InetFlags.Pktinfo | InetFlags.Recvttl | InetFlags.Recvtos | InetFlags.Recvopts
        | InetFlags.Retopts | InetFlags.Origdstaddr | InetFlags.Checksum | InetFlags.Recvfragsize;

    // Linux's priority for each value of the four TOS bits (RFC 1349): best effort, bulk, interactive, interactive
    // bulk.
    private static ReadOnlySpan<byte> Tos2Prio => [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4];

    /// <summary>Queueing priority of a type of service (<c>rt_tos2priority</c>).</summary>
    public static uint RtTos2Priority(byte tos) => Tos2Prio[(tos & 0x1E) >> 1];

    /// <summary>
    /// The type of service of a datagram: that of a control message or the socket's (<c>get_rttos</c>).
    /// </summary>
    public static byte RtTos(InetSock sk, in IpcmCookie ipc) =>
        (byte)((ipc.Tos != -1 ? ipc.Tos : sk.Tos) & Flowi4.INET_DSCP_MASK);

    /// <summary>How far a datagram may go: on the link only for <c>SO_DONTROUTE</c> or a strict source route.</summary>
    public static byte IpSendmsgScope(InetSock sk, in IpcmCookie ipc, int msgFlags) =>
        sk.SockFlag(SockFlags.Localroute) || (msgFlags & MSG_DONTROUTE) != 0 || ipc.Opt is { Opt.IsStrictroute: true }
            ? (byte)RT_SCOPE_LINK
            : (byte)RT_SCOPE_UNIVERSE;

    /// <summary>Flags that a socket's route lookups are made with (<c>inet_sk_flowi_flags</c>).</summary>
    public static byte InetSkFlowiFlags(InetSock sk) =>
        (byte)(sk.Test(InetFlags.Hdrincl) || sk.Test(InetFlags.Transparent) ? Flowi4.FLOWI_FLAG_ANYSRC : 0);

    /// <summary>
    /// The sender heard from the next hop (<c>MSG_CONFIRM</c>): its neighbour entry need not be probed. With
    /// <c>MSG_PROBE</c> that is all there is to do for an empty message.
    /// </summary>
    /// <returns>Whether nothing is to be sent.</returns>
    public static bool ConfirmAndStop(Rtable rt, in Flowi4 fl4, MsgHdr msg, long len)
    {
        if ((msg.MsgFlags & MSG_CONFIRM) == 0)
            return false;
        rt.ConfirmNeigh(fl4.Daddr);
        return (msg.MsgFlags & MSG_PROBE) != 0 && len == 0;
    }

    /// <summary>
    /// Notes with a packet that is about to be queued what <c>IP_PKTINFO</c> will tell, while its route is known: the
    /// device goes to <see cref="InetSkbParm.Iif"/>, the address that an answer should come from to <see
    /// cref="IpOptions.Faddr"/>.
    /// </summary>
    [Linux("ipv4_pktinfo_prepare")]
    public static void Ipv4PktinfoPrepare(InetSock sk, SkBuff skb, bool dropDst)
    {
        ref InetSkbParm parm = ref skb.IpCb;
        if (sk.Test(InetFlags.Pktinfo) && skb.Dst is Rtable rt)
        {
            if (parm.Iif == Route.LOOPBACK_IFINDEX && rt.RtIif != 0)
                parm.Iif = rt.RtIif;
            parm.Opt.Faddr = FibFrontend.FibComputeSpecDst(skb);
        }
        else
        {
            parm.Iif = 0;
            parm.Opt.Faddr = 0;
        }

        // Options that are echoed need the route later.
        if (dropDst && parm.Opt.Optlen == 0)
            skb.Dst = null;
    }

    /// <summary>Delivers the control messages that the socket asked for.</summary>
    [Linux("ip_cmsg_recv_offset")]
    public static void IpCmsgRecvOffset(MsgHdr msg, InetSock sk, SkBuff skb, int tlen, int offset)
    {
        InetFlags flags = sk.InetFlags;
        Iphdr iph = skb.IpHdr;
        ref InetSkbParm parm = ref skb.IpCb;
        if ((flags & InetFlags.Pktinfo) != 0)
        {
            var info = new InPktinfo
            {
                IpiIfindex = parm.Iif,
                IpiSpecDst = Htonl(parm.Opt.Faddr),
                IpiAddr = Htonl(iph.Daddr),
            };
            msg.PutCmsg(SOL_IP, IP_PKTINFO, info);
        }

        if ((flags & InetFlags.Recvttl) != 0)
            msg.PutCmsg(SOL_IP, IP_TTL, (int)iph.Ttl);
        if ((flags & InetFlags.Recvtos) != 0)
            msg.PutCmsg(SOL_IP, IP_TOS, iph.Tos);
        if ((flags & InetFlags.Recvopts) != 0 && parm.Opt.Optlen != 0)
            msg.PutCmsg(SOL_IP, IP_RECVOPTS, iph.Bytes[Iphdr.Size..]);
        if ((flags & InetFlags.Retopts) != 0 && IpOptions.IpOptionsEcho(sk.SkNet, skb, in parm.Opt) is { } echo)
            msg.PutCmsg(SOL_IP, IP_RETOPTS, echo.Data.AsSpan(0, echo.Opt.Optlen));
        if ((flags & InetFlags.Origdstaddr) != 0)
            IpCmsgRecvDstaddr(msg, skb);
        if ((flags & InetFlags.Checksum) != 0)
            IpCmsgRecvChecksum(msg, skb, tlen, offset);
        if ((flags & InetFlags.Recvfragsize) != 0 && parm.FragMaxSize != 0)
            msg.PutCmsg(SOL_IP, IP_RECVFRAGSIZE, (int)parm.FragMaxSize);
    }

    /// <summary>Takes the control messages of a send into account.</summary>
    /// <returns>0, -EINVAL for a message that makes no sense, -EPERM.</returns>
    [Linux("ip_cmsg_send")]
    public static int IpCmsgSend(InetSock sk, MsgHdr msg, ref IpcmCookie ipc, bool allowIpv6)
    {
        ReadOnlySpan<byte> control = ReadControl(msg, stackalloc byte[ControlOnStack], out int err);
        if (err < 0)
            return err;
        CmsgReader reader = new(control);
        while ((err = reader.Next()) > 0)
        {
            if (allowIpv6 && reader.Level == SOL_IPV6 && reader.Type == IPV6_PKTINFO)
                err = Ipv6Pktinfo(in reader, ref ipc);
            else if (reader.Level == SOL_SOCKET)
                err = sk.SockCmsgSendCore(in reader, ref ipc.Mark, ref ipc.Priority, ref ipc.Tsflags, ref ipc.TransmitTime);
            else if (reader.Level == SOL_IP)
                err = OneCmsg(sk, in reader, ref ipc);
            else
                err = 0;
            if (err < 0)
                return err;
        }

        return err;
    }

    /// <summary>The control messages of a send in one piece.</summary>
    /// <param name="msg">The message.</param>
    /// <param name="room">Used where they fit.</param>
    /// <param name="err">0 or -EFAULT.</param>
    public static ReadOnlySpan<byte> ReadControl(MsgHdr msg, Span<byte> room, out int err)
    {
        Span<byte> control = msg.MsgControllen <= room.Length ? room[..msg.MsgControllen] : new byte[msg.MsgControllen];
        err = msg.MsgControl.CopyFrom(control);
        return control;
    }

    private static int OneCmsg(InetSock sk, in CmsgReader cmsg, ref IpcmCookie ipc)
    {
        int val;
        switch (cmsg.Type)
        {
            case IP_RETOPTS:
                ReadOnlySpan<byte> given = cmsg.Data;
                given = given.Length > MAX_IPOPTLEN ? given[..MAX_IPOPTLEN] : given;
                return IpOptions.IpOptionsGet(sk.SkNet, given, out ipc.Opt);
            case IP_PKTINFO:
                if (!cmsg.TryRead(out InPktinfo info))
                    return -EINVAL;
                if (info.IpiIfindex != 0)
                    ipc.Oif = info.IpiIfindex;
                ipc.Addr = Htonl(info.IpiSpecDst);
                return 0;
            case IP_TTL:
                if (!cmsg.TryRead(out val) || val is < 1 or > 255)
                    return -EINVAL;
                ipc.Ttl = (byte)val;
                return 0;
            case IP_TOS:
                if (cmsg.TryRead(out byte small))
                    val = small;
                else if (!cmsg.TryRead(out val))
                    return -EINVAL;
                if (val is < 0 or > 255)
                    return -EINVAL;
                ipc.Tos = (short)val;
                ipc.Priority = RtTos2Priority((byte)val);
                return 0;
            case IP_PROTOCOL:
                if (!cmsg.TryRead(out val) || val is < 1 or > 255)
                    return -EINVAL;
                ipc.Protocol = (byte)val;
                return 0;
            default:
                return -EINVAL;
        }
    }

    // A socket of the other family that speaks IPv4 says so with a mapped address.
    private static int Ipv6Pktinfo(in CmsgReader cmsg, ref IpcmCookie ipc)
    {
        if (!cmsg.TryRead(out In6Pktinfo info))
            return -EINVAL;
        ReadOnlySpan<byte> address = info.Ipi6Addr;
        if (address[..10].ContainsAnyExcept((byte)0) || address[10] != 0xFF || address[11] != 0xFF)
            return -EINVAL;
        if (info.Ipi6Ifindex != 0)
            ipc.Oif = info.Ipi6Ifindex;
        ipc.Addr = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address[12..]);
        return 0;
    }

    [Linux("ip_cmsg_recv_dstaddr")]
    private static void IpCmsgRecvDstaddr(MsgHdr msg, SkBuff skb)
    {
        Span<byte> transport = skb.TransportHeaderSpan;
        if (transport.Length < 4)
            return;
        Span<byte> sin = stackalloc byte[SockaddrIn.Size];
        ushort port = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(transport[2..]);
        SockaddrIn.Write(sin, skb.IpHdr.Daddr, port);
        msg.PutCmsg(SOL_IP, IP_ORIGDSTADDR, sin);
    }

    // Only where the device summed the packet; the sum handed out is that of what the reader gets.
    [Linux("ip_cmsg_recv_checksum")]
    private static void IpCmsgRecvChecksum(MsgHdr msg, SkBuff skb, int tlen, int offset)
    {
        if (skb.IpSummed != ChecksumState.Complete)
            return;
        uint csum = skb.Csum;
        if (offset != 0)
            csum = Checksum.CsumSub(csum, skb.Checksum(tlen, offset, 0));
        msg.PutCmsg(SOL_IP, IP_CHECKSUM, csum);
    }

    // Between an address as structs hold it and its value, either way.
    private static uint Htonl(uint value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);

    internal static int PutCmsg<T>(this MsgHdr msg, int level, int type, in T value)
        where T : unmanaged => msg.PutCmsg(level, type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}
