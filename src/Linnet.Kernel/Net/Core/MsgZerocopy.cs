using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Tells senders that gave <c>MSG_ZEROCOPY</c> when they may write to their memory again. Data is always copied here, as Linux
/// copies what goes over loopback, so that this is at once; the notification says so (<c>SO_EE_CODE_ZEROCOPY_COPIED</c>).
/// </summary>
[LinuxFile("net/core/skbuff.c")]
public static class MsgZerocopy
{
    /// <summary>Reserves the notification of a send, charged to the socket's option memory.</summary>
    /// <returns>The notification; null when too many were not read yet: the send answers -ENOBUFS.</returns>
    [Linux("msg_zerocopy_alloc")]
    public static SkBuff? MsgZerocopyAlloc(Sock sk) => sk.SockOmalloc(0);

    /// <summary>Numbers a send that is done and queues its notification; consecutive ones become one.</summary>
    [Linux("__msg_zerocopy_callback")]
    public static void MsgZerocopyCallback(Sock sk, SkBuff skb)
    {
        sk.SkErrorQueue.Guard.Lock();
        uint number = (uint)sk.SkZckey++;
        SkBuff? tail = sk.SkErrorQueue.Last;
        bool extended = tail != null && SkbZerocopyNotifyExtend(tail, number);
        if (!extended)
        {
            skb.ExtErr = default;
            skb.ExtErr.Ee = new SockExtendedErr
            {
                EeOrigin = SO_EE_ORIGIN_ZEROCOPY,
                EeCode = SO_EE_CODE_ZEROCOPY_COPIED,
                EeInfo = number,
                EeData = number,
            };
            sk.SkErrorQueue.QueueTail(skb);
        }

        sk.SkErrorQueue.Guard.Unlock();
        if (extended)
            skb.Free();
        sk.SkErrorReport(sk);
    }

    [Linux("skb_zerocopy_notify_extend")]
    private static bool SkbZerocopyNotifyExtend(SkBuff skb, uint number)
    {
        ref SockExtendedErr ee = ref skb.ExtErr.Ee;
        if (ee.EeOrigin != SO_EE_ORIGIN_ZEROCOPY || number != ee.EeData + 1 || number - ee.EeInfo == uint.MaxValue)
            return false;
        ee.EeData = number;
        return true;
    }
}
