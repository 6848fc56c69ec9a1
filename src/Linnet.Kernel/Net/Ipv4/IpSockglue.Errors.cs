using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The error queue (<c>IP_RECVERR</c>).</content>
public static partial class IpSockglue
{
    private const int DaddrOffset = 16;

    /// <summary>Queues an ICMP error to a socket that asked for errors.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="skb">The ICMP message: data at the offending IP header; it stays the caller's.</param>
    /// <param name="err">The errno that it means.</param>
    /// <param name="port">Destination port of the offending packet.</param>
    /// <param name="info">MTU or pointer.</param>
    /// <param name="payload">Where the offending packet's payload begins in the data.</param>
    [Linux("ip_icmp_error")]
    public static void IpIcmpError(InetSock sk, SkBuff skb, int err, ushort port, uint info, int payload)
    {
        SkBuff clone = skb.Clone();
        Icmphdr icmph = clone.IcmpHdr;
        ref SockExterrSkb serr = ref clone.ExtErr;
        serr.Ee = new SockExtendedErr
        {
            EeErrno = (uint)err,
            EeOrigin = SO_EE_ORIGIN_ICMP,
            EeType = icmph.Type,
            EeCode = icmph.Code,
            EeInfo = info,
        };
        serr.AddrOffset = (short)(clone.TransportHeader + Icmphdr.Size + DaddrOffset - clone.NetworkHeader);
        serr.Port = port;
        if (clone.PskbPull(payload))
        {
            if (sk.Test(InetFlags.RecverrRfc4884))
                serr.Ee.EeData = Ipv4IcmpErrorRfc4884(clone);
            clone.ResetTransportHeader();
            if (sk.SockQueueErrSkb(clone) == 0)
                return;
        }

        clone.Free();
    }

    /// <summary>
    /// Queues an error that was found here (a datagram too large for the path) to a socket that asked for errors.
    /// </summary>
    [Linux("ip_local_error")]
    public static void IpLocalError(InetSock sk, int err, uint daddr, ushort port, uint info)
    {
        if (!sk.Test(InetFlags.Recverr))
            return;
        SkBuff skb = sk.SkNet.SkbPool.Alloc(Iphdr.Size);
        Span<byte> header = skb.Put(Iphdr.Size);
        header.Clear();
        skb.ResetNetworkHeader();
        var iph = new Iphdr(header) { Daddr = daddr };
        ref SockExterrSkb serr = ref skb.ExtErr;
        serr.Ee = new SockExtendedErr { EeErrno = (uint)err, EeOrigin = SO_EE_ORIGIN_LOCAL, EeInfo = info };
        serr.AddrOffset = DaddrOffset;
        serr.Port = port;
        skb.Pull(Iphdr.Size);
        skb.ResetTransportHeader();
        if (sk.SockQueueErrSkb(skb) != 0)
            skb.Free();
    }

    /// <summary>
    /// Reads the oldest error (<c>MSG_ERRQUEUE</c>): the offending payload, its destination, and what happened.
    /// </summary>
    /// <returns>Bytes of payload copied, or -EAGAIN when there is none.</returns>
    [Linux("ip_recv_error")]
    public static long IpRecvError(InetSock sk, MsgHdr msg, long len)
    {
        SkBuff? skb = ErrQueue.SockDequeueErrSkb(sk);
        if (skb == null)
            return -EAGAIN;
        int copied = (int)Math.Min(skb.Len, len);
        if (skb.Len > len)
            msg.MsgFlags |= MSG_TRUNC;
        int err = Core.Datagram.SkbCopyDatagramMsg(skb, 0, msg, copied);
        if (err == 0)
        {
            sk.SockRecvTimestamp(msg, skb);
            ErrorAddresses(sk, msg, skb);
            msg.MsgFlags |= MSG_ERRQUEUE;
        }

        skb.Free();
        return err != 0 ? err : copied;
    }

    // Two addresses: whom the offending packet was for (msg_name), and who complained (in the control message).
    private static void ErrorAddresses(InetSock sk, MsgHdr msg, SkBuff skb)
    {
        SockExterrSkb serr = skb.ExtErr;
        int origin = serr.Ee.EeOrigin;
        if (msg.HasName && (origin is SO_EE_ORIGIN_ICMP or SO_EE_ORIGIN_LOCAL || serr.Port != 0))
        {
            uint addr = BinaryPrimitives.ReadUInt32BigEndian(HeaderBytes(skb, serr.AddrOffset, sizeof(uint)));
            msg.MsgNamelen = SockaddrIn.Write(msg.NameBuffer, addr, serr.Port);
        }

        Span<byte> errhdr = stackalloc byte[16 + SockaddrIn.Size];
        errhdr.Clear();
        MemoryMarshal.Write(errhdr, in serr.Ee);
        if (origin == SO_EE_ORIGIN_ICMP)
        {
            SockaddrIn.Write(errhdr[16..], new Iphdr(HeaderBytes(skb, 0, Iphdr.Size)).Saddr, 0);
            if ((sk.InetFlags & CmsgFlags) != 0)
                IpCmsgRecvOffset(msg, sk, skb, 0, 0);
        }

        msg.PutCmsg(SOL_IP, IP_RECVERR, errhdr);
    }

    // Headers lie before the data by now.
    private static Span<byte> HeaderBytes(SkBuff skb, int offset, int length) =>
        skb.NetworkHeaderSpan.Slice(offset, length);

    // RFC 4884: where extensions begin behind the offending packet; in the layout of struct sock_ee_data_rfc4884.
    [Linux("ipv4_icmp_error_rfc4884", "net/ipv4/icmp.c")]
    private static uint Ipv4IcmpErrorRfc4884(SkBuff skb)
    {
        Icmphdr icmph = skb.IcmpHdr;
        if (icmph.Type is not (ICMP_DEST_UNREACH or ICMP_TIME_EXCEEDED or ICMP_PARAMETERPROB))
            return 0;
        const int MinimalLength = 128;
        const int ExtensionHeader = 4;
        int off = skb.TransportHeaderSpan[5] * sizeof(uint);
        int hlen = skb.DataOffset - skb.TransportHeader - Icmphdr.Size;
        if (off < MinimalLength || off < hlen)
            return 0;
        off -= hlen;
        if (off + ExtensionHeader > skb.Len)
            return 0;
        uint flags = IpIcmpErrorRfc4884Validate(skb, off) ? 0u : SO_EE_RFC4884_FLAG_INVALID;
        return (uint)off | flags << 16;
    }

    [Linux("ip_icmp_error_rfc4884_validate", "net/ipv4/icmp.c")]
    private static bool IpIcmpErrorRfc4884Validate(SkBuff skb, int off)
    {
        Span<byte> four = stackalloc byte[4];
        skb.CopyBits(off, four);
        if (four[0] >> 4 != 2)
            return true;
        if ((four[2] | four[3]) != 0 && Checksum.CsumFold(skb.Checksum(off, skb.Len - off, 0)) != 0)
            return false;
        for (off += 4; off < skb.Len;)
        {
            if (skb.Len - off < 4)
                return false;
            skb.CopyBits(off, four);
            int length = BinaryPrimitives.ReadUInt16BigEndian(four);
            if (length < 4)
                return false;
            off += length;
            if (off > skb.Len)
                return false;
        }

        return true;
    }
}
