using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Stamps of sent packets (<c>SO_TIMESTAMPING</c>): when a packet entered the queue of its device, when the driver got it, and for
/// TCP when it was acknowledged. Each is put into the sender's error queue, with the packet unless he wants the stamp alone.
/// </summary>
[LinuxFile("net/core/skbuff.c")]
public static class TxTimestamp
{
    /// <summary>The driver stamps the packet (<c>SKBTX_SW_TSTAMP</c>).</summary>
    public const byte SKBTX_SW_TSTAMP = 1 << 1;

    /// <summary>The queue of the device stamps the packet (<c>SKBTX_SCHED_TSTAMP</c>).</summary>
    public const byte SKBTX_SCHED_TSTAMP = 1 << 6;

    /// <summary>Any stamp (<c>SKBTX_ANY_TSTAMP</c>).</summary>
    public const byte SKBTX_ANY_TSTAMP = SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;

    /// <summary>What a packet has to be marked with for the stamps that a send asks for (<c>__sock_tx_timestamp</c>).</summary>
    /// <param name="tsflags"><c>SOF_TIMESTAMPING_*</c></param>
    public static byte SockTxTimestamp(uint tsflags)
    {
        byte flags = 0;
        if ((tsflags & SOF_TIMESTAMPING_TX_SOFTWARE) != 0)
            flags |= SKBTX_SW_TSTAMP;
        if ((tsflags & SOF_TIMESTAMPING_TX_SCHED) != 0)
            flags |= SKBTX_SCHED_TSTAMP;
        return flags;
    }

    /// <summary>Marks a datagram, and numbers it where the sender wants numbers (<c>skb_setup_tx_timestamp</c>).</summary>
    public static void SkbSetupTxTimestamp(SkBuff skb, Sock sk, uint tsflags)
    {
        skb.TxFlags = SockTxTimestamp(tsflags);
        if (skb.TxFlags != 0 && (sk.SkTsflags & SOF_TIMESTAMPING_OPT_ID) != 0)
            skb.Tskey = (uint)(Interlocked.Increment(ref sk.SkTskey) - 1);
    }

    /// <summary>A driver has the packet (<c>skb_tx_timestamp</c>).</summary>
    public static void SkbTxTimestamp(SkBuff skb)
    {
        if ((skb.TxFlags & SKBTX_SW_TSTAMP) != 0)
            SkbTstampTx(skb, skb.Sk, SCM_TSTAMP_SND);
    }

    /// <summary>Stamps a packet for its sender.</summary>
    /// <param name="orig">The packet; it stays the caller's.</param>
    /// <param name="sk">The sender, or null when it is gone.</param>
    /// <param name="tstype"><c>SCM_TSTAMP_*</c></param>
    [Linux("__skb_tstamp_tx")]
    public static void SkbTstampTx(SkBuff orig, Sock? sk, int tstype)
    {
        if (sk == null)
            return;
        bool stampOnly = (sk.SkTsflags & SOF_TIMESTAMPING_OPT_TSONLY) != 0;
        SkBuff skb = stampOnly ? sk.SkNet.SkbPool.Alloc(0) : orig.Clone();
        skb.TxFlags = orig.TxFlags;
        skb.Tskey = orig.Tskey;
        skb.Tstamp = sk.Machine.Clock.RealNow;
        SkbCompleteTxTimestampCore(skb, sk, tstype);
    }

    [Linux("__skb_complete_tx_timestamp")]
    private static void SkbCompleteTxTimestampCore(SkBuff skb, Sock sk, int tstype)
    {
        skb.ExtErr = default;
        ref SockExtendedErr ee = ref skb.ExtErr.Ee;
        ee.EeErrno = ENOMSG;
        ee.EeOrigin = SO_EE_ORIGIN_TIMESTAMPING;
        ee.EeInfo = (uint)tstype;
        if ((sk.SkTsflags & SOF_TIMESTAMPING_OPT_ID) != 0)
        {
            // A stream counts bytes, from where it was when the stamps were asked for.
            ee.EeData = skb.Tskey - (sk.SkType == SOCK_STREAM ? (uint)Volatile.Read(ref sk.SkTskey) : 0);
        }

        if (sk.SockQueueErrSkb(skb) != 0)
            skb.Free();
    }
}
