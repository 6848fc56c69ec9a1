using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>The scratch space of a packet in an error queue (<c>struct sock_exterr_skb</c>).</summary>
[LinuxStruct("sock_exterr_skb")]
[StructLayout(LayoutKind.Sequential)]
public struct SockExterrSkb
{
    /// <summary>What the network layer keeps of the packet.</summary>
    public HeaderSpace Header;

    /// <summary>What is reported.</summary>
    public SockExtendedErr Ee;

    /// <summary>Where the destination address of the offending packet is: offset from the network header.</summary>
    public short AddrOffset;

    /// <summary>Destination port of the offending packet.</summary>
    public ushort Port;

    /// <summary>Room for the scratch space of the network layer.</summary>
    [InlineArray(32)]
    public struct HeaderSpace
    {
        private byte first;
    }
}

/// <summary>The queue of errors and timestamps that <c>MSG_ERRQUEUE</c> reads.</summary>
[LinuxFile("net/core/skbuff.c")]
public static class ErrQueue
{
    extension(SkBuff skb)
    {
        /// <summary>The packet's scratch space while it is in an error queue (<c>SKB_EXT_ERR</c>).</summary>
        public ref SockExterrSkb ExtErr => ref skb.Cb<SockExterrSkb>();
    }

    /// <summary>Takes the oldest error; the socket's pending error becomes that of the next ICMP message.</summary>
    /// <returns>The packet, which the caller frees, or null.</returns>
    [Linux("sock_dequeue_err_skb")]
    public static SkBuff? SockDequeueErrSkb(Sock sk)
    {
        if (sk.SkErrorQueue.First == null)
            return null;
        bool icmpNext = false;
        sk.SkErrorQueue.Guard.Lock();
        SkBuff? skb = sk.SkErrorQueue.Dequeue();
        SkBuff? next = sk.SkErrorQueue.First;
        if (skb != null && next != null)
        {
            icmpNext = IsIcmpErrSkb(next);
            if (icmpNext)
                sk.SkErr = (int)next.ExtErr.Ee.EeErrno;
        }

        sk.SkErrorQueue.Guard.Unlock();
        if (skb != null && IsIcmpErrSkb(skb) && !icmpNext)
            sk.SkErr = 0;
        if (next != null)
            sk.SkErrorReport(sk);
        return skb;
    }

    private static bool IsIcmpErrSkb(SkBuff skb) => skb.ExtErr.Ee.EeOrigin is SO_EE_ORIGIN_ICMP or SO_EE_ORIGIN_ICMP6;
}
