using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <content>Frames in and out.</content>
internal static partial class AfPacket
{
    private const int VlanHlen = 4;
    private const int SockaddrPktSize = 18;

    /// <summary>A frame passes a device that the socket listens on. It stays the caller's.</summary>
    [Linux("packet_rcv")]
    public static void PacketRcv(PacketSock sk, SkBuff skb, NetDevice dev, bool outgoing)
    {
        if (Volatile.Read(ref sk.SkRmemAlloc) >= sk.SkRcvbuf)
        {
            Drop(sk);
            return;
        }

        SkBuff clone = skb.Clone();
        clone.Dev = dev;
        if (outgoing)
            clone.PktType = PACKET_OUTGOING;
        MoveData(sk, clone, dev, outgoing);
        int snaplen = clone.Len;
        if (sk.SkFilter is { } filter)
        {
            uint keep = filter.Run(clone);
            if (keep == 0)
            {
                clone.Free();
                return;
            }

            snaplen = (int)Math.Min((uint)snaplen, keep);
        }

        ref PacketSkbCb cb = ref clone.Cb<PacketSkbCb>();
        cb = new PacketSkbCb { Origlen = (uint)clone.Len };
        cb.Ll.SllFamily = AF_PACKET;
        cb.Ll.SllIfindex = dev.Ifindex;
        cb.Ll.SllHatype = dev.Type;
        cb.Ll.SllPkttype = clone.PktType;
        ReadOnlySpan<byte> source = dev.HeaderOps.Parse(clone);
        cb.Ll.SllHalen = (byte)source.Length;
        source.CopyTo(cb.Ll.SllAddr);
        clone.PskbTrim(snaplen);
        Queue(sk, clone);
    }

    /// <summary>Reads the next frame.</summary>
    [Linux("packet_recvmsg")]
    public static long PacketRecvmsg(Socket sock, MsgHdr msg, long len, int flags)
    {
        if ((flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE)) != 0)
            return -EINVAL;
        var sk = (PacketSock)sock.Sk!;
        if ((flags & MSG_ERRQUEUE) != 0)
            return -EAGAIN;
        SkBuff? skb = Datagram.SkbRecvDatagram(sk, flags, out int err);
        if (skb == null)
            return err;
        int copied = (int)Math.Min(skb.Len, len);
        if (skb.Len > len)
            msg.MsgFlags |= MSG_TRUNC;
        err = Datagram.SkbCopyDatagramMsg(skb, 0, msg, copied);
        if (err == 0)
        {
            sk.SockRecvCmsgs(msg, skb);
            if (msg.HasName)
                WriteSource(sock, msg, skb);
            if (sk.Auxdata)
                PutAuxdata(msg, skb);
            if ((flags & MSG_TRUNC) != 0)
                copied = skb.Len;
        }

        Datagram.SkbFreeDatagram(sk, skb);
        return err != 0 ? err : copied;
    }

    /// <summary>Sends a frame, or with <c>SOCK_DGRAM</c> a packet that gets its link header here.</summary>
    [Linux("packet_sendmsg")]
    public static long PacketSendmsg(Socket sock, MsgHdr msg, long len) => PacketSnd(sock, msg, len);

    [Linux("packet_snd")]
    private static long PacketSnd(Socket sock, MsgHdr msg, long len)
    {
        var sk = (PacketSock)sock.Sk!;
        int err = Destination(sock, sk, msg, out NetDevice? dev, out ushort proto);
        if (err != 0)
            return err;
        if (dev == null)
            return -ENXIO;
        if (!dev.IsUp)
            return -ENETDOWN;
        uint mark = sk.SkMark;
        uint priority = sk.SkPriority;
        long transmitTime = 0;
        err = ReadControl(sk, msg, ref mark, ref priority, ref transmitTime);
        if (err != 0)
            return err;
        int reserve = sock.Type == SOCK_RAW ? dev.HardHeaderLen : 0;
        if (len > dev.Mtu + reserve + VlanHlen)
            return -EMSGSIZE;
        IovIter start = msg.MsgIter;
        SkBuff? skb = MakeFrame(sk, msg, dev, (int)len, reserve, out err);
        if (skb == null)
        {
            if (err == -EAGAIN)
                msg.MsgIter = start;
            return err;
        }

        skb.Protocol = proto;
        skb.Mark = mark;
        skb.Priority = priority;
        skb.Tstamp = transmitTime;
        if (sock.Type == SOCK_DGRAM && dev.HeaderOps.Create(skb, dev, proto, LinkAddress(msg, dev), default) < 0)
            err = -EINVAL;
        else
            err = CheckFrame(skb, dev, (int)len, reserve, sock.Type);
        if (err != 0)
        {
            skb.Free();
            return err;
        }

        err = Core.Dev.DevQueueXmit(skb);
        if (err > 0)
            err = err == Core.Dev.NET_XMIT_CN ? 0 : -ENOBUFS;
        return err != 0 ? err : len;
    }

    /// <summary>Sends a frame by the device that is named in the address.</summary>
    [Linux("packet_sendmsg_spkt")]
    public static long PacketSendmsgSpkt(Socket sock, MsgHdr msg, long len)
    {
        if (!msg.HasName)
            return -ENOTCONN;
        if (msg.MsgNamelen < SockaddrSize)
            return -EINVAL;
        Span<byte> name = msg.MsgName;
        ushort proto = msg.MsgNamelen == SockaddrPktSize ? BinaryPrimitives.ReadUInt16BigEndian(name[16..]) : (ushort)0;
        NetDevice? dev = sock.Sk!.SkNet.Devices.DevGetByName(ReadName(name[2..]));
        if (dev == null)
            return -ENODEV;
        if (!dev.IsUp)
            return -ENETDOWN;
        if (len > dev.Mtu + dev.HardHeaderLen + VlanHlen)
            return -EMSGSIZE;
        IovIter start = msg.MsgIter;
        SkBuff? skb = MakeFrame((PacketSock)sock.Sk, msg, dev, (int)len, dev.HardHeaderLen, out int err);
        if (skb == null)
        {
            if (err == -EAGAIN)
                msg.MsgIter = start;
            return err;
        }

        skb.Protocol = proto;
        err = CheckFrame(skb, dev, (int)len, dev.HardHeaderLen, SOCK_PACKET);
        if (err != 0)
        {
            skb.Free();
            return err;
        }

        Core.Dev.DevQueueXmit(skb);
        return len;
    }

    // A device without link header hides what is before the network header.
    private static void MoveData(PacketSock sk, SkBuff skb, NetDevice dev, bool outgoing)
    {
        if (outgoing)
        {
            skb.ResetMacHeader();
            if (skb.NetworkHeader < skb.DataOffset || skb.NetworkHeader > skb.DataOffset + skb.HeadLen)
                skb.ResetNetworkHeader(Math.Min(dev.HardHeaderLen, skb.HeadLen));
            skb.TransportHeader = skb.NetworkHeader;
        }

        if (dev.HardHeaderLen == 0)
            return;
        if (sk.SkType != SOCK_DGRAM)
        {
            if (!outgoing)
                skb.Push(skb.DataOffset - skb.MacHeader);
        }
        else if (outgoing)
        {
            skb.Pull(skb.NetworkHeader - skb.DataOffset);
        }
    }

    private static void Queue(PacketSock sk, SkBuff skb)
    {
        skb.Dst = null;
        skb.Dev = null;
        sk.SkbSetOwnerR(skb);
        Interlocked.Increment(ref sk.TpPackets);
        sk.QueueOrFree(skb);
    }

    private static void Drop(PacketSock sk)
    {
        Interlocked.Increment(ref sk.TpDrops);
        Interlocked.Increment(ref sk.SkDrops);
    }

    private static int Destination(Socket sock, PacketSock sk, MsgHdr msg, out NetDevice? dev, out ushort proto)
    {
        dev = sk.Dev;
        proto = sk.Num;
        if (!msg.HasName)
            return 0;
        if (msg.MsgNamelen < SockaddrLlSize)
            return -EINVAL;
        SockaddrLl sll = MemoryMarshal.Read<SockaddrLl>(msg.MsgName);
        if (msg.MsgNamelen < SllAddrOffset + sll.SllHalen)
            return -EINVAL;
        proto = BinaryPrimitives.ReverseEndianness(sll.SllProtocol);
        dev = sk.SkNet.Devices.DevGetByIndex(sll.SllIfindex);
        bool isShort = dev != null && msg.MsgNamelen < SllAddrOffset + dev.DevAddr.Length;
        return sock.Type == SOCK_DGRAM && isShort ? -EINVAL : 0;
    }

    private static ReadOnlySpan<byte> LinkAddress(MsgHdr msg, NetDevice dev) =>
        msg.HasName ? msg.MsgName.Slice(SllAddrOffset, dev.DevAddr.Length) : default;

    private static SkBuff? MakeFrame(PacketSock sk, MsgHdr msg, NetDevice dev, int len, int reserve, out int err)
    {
        const int room = 48;
        SkBuff? skb = sk.SockAllocSendPskb(room + len, out err);
        if (skb == null)
            return null;
        skb.Reserve(room);
        skb.Dev = dev;
        skb.ResetNetworkHeader(Math.Min(reserve, len));
        err = skb.AppendFromIter(ref msg.MsgIter, len);
        if (err == 0)
            return skb;
        skb.Free();
        return null;
    }

    private static int CheckFrame(SkBuff skb, NetDevice dev, int len, int reserve, int type)
    {
        if (skb.Len == 0 || (type != SOCK_DGRAM && len < dev.HardHeaderLen))
            return -EINVAL;
        bool vlan = type != SOCK_DGRAM && reserve == ETH_HLEN
            && BinaryPrimitives.ReadUInt16BigEndian(skb.Data[12..]) == ETH_P_8021Q;
        if (len > dev.Mtu + reserve && !vlan)
            return -EMSGSIZE;
        // A raw frame says itself what it is.
        if (type == SOCK_RAW && skb.Protocol is 0 or ETH_P_ALL && reserve == ETH_HLEN)
            skb.Protocol = BinaryPrimitives.ReadUInt16BigEndian(skb.Data[12..]);
        return 0;
    }

    private static int ReadControl(PacketSock sk, MsgHdr msg, ref uint mark, ref uint priority, ref long transmitTime)
    {
        if (msg.MsgControllen == 0)
            return 0;
        byte[] control = new byte[msg.MsgControllen];
        if (msg.MsgControl.CopyFrom(control) < 0)
            return -EFAULT;
        uint tsflags = 0;
        CmsgReader reader = new(control);
        int err;
        while ((err = reader.Next()) > 0)
        {
            if (reader.Level == SOL_SOCKET)
                err = sk.SockCmsgSendCore(in reader, ref mark, ref priority, ref tsflags, ref transmitTime);
            if (err < 0)
                return err;
        }

        return err;
    }

    private static void WriteSource(Socket sock, MsgHdr msg, SkBuff skb)
    {
        ref PacketSkbCb cb = ref skb.Cb<PacketSkbCb>();
        if (sock.Type == SOCK_PACKET)
        {
            Span<byte> pkt = msg.NameBuffer[..SockaddrPktSize];
            pkt.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(pkt, cb.Ll.SllHatype);
            if (sock.Sk!.SkNet.Devices.DevGetByIndex(cb.Ll.SllIfindex) is { } dev)
                WriteName(dev.Name, pkt.Slice(2, NameSize));
            BinaryPrimitives.WriteUInt16BigEndian(pkt[16..], skb.Protocol);
            msg.MsgNamelen = SockaddrPktSize;
            return;
        }

        SockaddrLl sll = cb.Ll;
        sll.SllProtocol = BinaryPrimitives.ReverseEndianness(skb.Protocol);
        MemoryMarshal.Write(msg.NameBuffer, in sll);
        msg.MsgNamelen = Math.Max(SockaddrLlSize, SllAddrOffset + sll.SllHalen);
    }

    private static void PutAuxdata(MsgHdr msg, SkBuff skb)
    {
        int status = TP_STATUS_USER;
        if (skb.IpSummed == ChecksumState.Partial)
            status |= TP_STATUS_CSUMNOTREADY;
        else if (skb.PktType != PACKET_OUTGOING && skb.IpSummed == ChecksumState.Unnecessary)
            status |= TP_STATUS_CSUM_VALID;
        var aux = new TpacketAuxdata
        {
            TpStatus = (uint)status,
            TpLen = skb.Cb<PacketSkbCb>().Origlen,
            TpSnaplen = (uint)skb.Len,
            TpNet = (ushort)(skb.NetworkHeader - skb.DataOffset),
        };
        if (skb.VlanTagPresent)
        {
            aux.TpVlanTci = skb.VlanTci;
            aux.TpVlanTpid = skb.VlanProto;
            aux.TpStatus |= TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
        }


        msg.PutCmsg(SOL_PACKET, PACKET_AUXDATA, MemoryMarshal.AsBytes(new ReadOnlySpan<TpacketAuxdata>(in aux)));
    }

    // The packet's scratch space in a receive queue (struct packet_skb_cb).
    private struct PacketSkbCb
    {
        public SockaddrLl Ll;
        public uint Origlen;
    }

    // struct tpacket_auxdata.
    [StructLayout(LayoutKind.Sequential)]
    private struct TpacketAuxdata
    {
        public uint TpStatus;
        public uint TpLen;
        public uint TpSnaplen;
        public ushort TpMac;
        public ushort TpNet;
        public ushort TpVlanTci;
        public ushort TpVlanTpid;
    }
}
