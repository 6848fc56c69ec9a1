using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// ACKs of data out of order are held back for a twentieth of a round trip, so that a burst behind a hole is answered once: the
/// SACK blocks say all of it.
/// </content>
public static partial class TcpTimer
{
    private static readonly Action<object> CompressedAckTimer = TcpCompressedAckKick;

    /// <summary>Stops all timers of a connection.</summary>
    [Linux("tcp_clear_xmit_timers", "include/net/tcp.h")]
    public static void TcpClearXmitTimers(TcpSock tp)
    {
        TcpOutput.ClearPacingTimer(tp);
        tp.SkStopTimer(tp.CompressedAckTimer!);
        tp.InetCskClearXmitTimers();
    }

    [Linux("tcp_compressed_ack_kick")]
    private static void TcpCompressedAckKick(object data)
    {
        var tp = (TcpSock)data;
        tp.BhLockSock();
        if (tp.SockOwnedByUser)
        {
            Defer(tp, TcpTsqFlags.DelackTimerDeferred);
        }
        else if (tp.CompressedAck != 0)
        {
            // One is sent: it was not saved.
            tp.CompressedAck--;
            TcpOutput.TcpMstampRefresh(tp);
            TcpOutput.TcpSendAck(tp);
        }

        tp.BhUnlockSock();
        tp.SockPut();
    }
}
