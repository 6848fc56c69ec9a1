using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The text of <c>/proc/net/tcp</c>.</content>
public static partial class TcpIpv4
{
    // Lines are padded to this width, so that a program may seek in the file (TMPSZ - 1).
    private const int ProcLineWidth = 149;
    private const long NsecPerClockTick = Clock.NsecPerSec / 100;

    private const string ProcHeader =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

    /// <summary>Writes <c>/proc/net/tcp</c>: listeners, then connections, requests and TIME_WAIT sockets.</summary>
    /// <remarks>Linux lists them by hash; here they are in the order of their addresses, so that runs repeat.</remarks>
    [Linux("tcp4_seq_show")]
    public static void Tcp4SeqShow(NetNamespace net, StringBuilder output)
    {
        AppendPadded(output, ProcHeader);
        InetHashinfo hashinfo = net.Ipv4.TcpDeathRow.Hashinfo;
        int number = 0;
        foreach (SockHashTable table in (SockHashTable[])[hashinfo.Lhash2, hashinfo.Ehash])
        {
            foreach (SockCommon sk in InOrder(table, net))
            {
                string? line = sk switch
                {
                    TcpSock tp => GetTcp4Sock(tp, number),
                    TcpTimewaitSock tw => GetTimewait4Sock(tw, number),
                    TcpRequestSock req => GetOpenreq4(req, number),
                    _ => null,
                };
                if (line == null)
                    continue;
                AppendPadded(output, line);
                number++;
            }
        }
    }

    [Linux("get_tcp4_sock")]
    private static string GetTcp4Sock(TcpSock tp, int number)
    {
        long now = tp.Machine.Clock.Now;
        (int active, long expires) = Timer(tp, now);
        bool listens = tp.SkState == TCP_LISTEN;
        (uint rxQueue, uint txQueue) = listens ? ((uint)tp.SkAckBacklog, 0) : TcpDiag.Queues(tp);
        int ssthresh = listens ? 0 : tp.TcpInInitialSlowstart ? -1 : (int)tp.SndSsthresh;
        int quick = tp.IcskAck.Quick << 1 | (tp.InetCskInPingpongMode ? 1 : 0);
        return Addresses(tp, number, tp.SkState) + string.Create(
            CultureInfo.InvariantCulture,
            $" {txQueue:X8}:{rxQueue:X8} {active:X2}:{ClockTicks(expires - now):X8} {tp.IcskRetransmits:X8}"
            + $" {tp.SkUid,5} {tp.IcskProbesOut,8} {tp.SkSocket?.Ino ?? 0} {tp.SkcRefcnt} {0:x16}"
            + $" {ClockTicks(tp.IcskRto)} {ClockTicks(tp.IcskAck.Ato)} {quick} {tp.SndCwnd} {ssthresh}");
    }

    [Linux("get_openreq4")]
    private static string GetOpenreq4(TcpRequestSock req, int number)
    {
        long delta = (req.RskTimer?.Expires ?? 0) - req.SkcNet.Machine.Clock.Now;
        return Addresses(req, number, TCP_SYN_RECV) + string.Create(
            CultureInfo.InvariantCulture,
            $" {0:X8}:{0:X8} {1:X2}:{ClockTicks(delta):X8} {req.NumTimeout:X8} {req.RskListener?.SkUid ?? 0,5} {0,8} 0 0 {0:x16}");
    }

    [Linux("get_timewait4_sock")]
    private static string GetTimewait4Sock(TcpTimewaitSock tw, int number)
    {
        long delta = tw.TwTimer.Expires - tw.SkcNet.Machine.Clock.Now;
        return Addresses(tw, number, tw.TwSubstate) + string.Create(
            CultureInfo.InvariantCulture,
            $" {0:X8}:{0:X8} {3:X2}:{ClockTicks(delta):X8} {0:X8} {0,5} {0,8} 0 {tw.SkcRefcnt} {0:x16}");
    }

    private static (int Active, long Expires) Timer(TcpSock tp, long now) => tp.IcskPending switch
    {
        InetConnectionSock.ICSK_TIME_PROBE0 => (4, tp.IcskTimeout),
        not 0 => (1, tp.IcskTimeout),
        _ => tp.SkTimer is { Pending: true } timer ? (2, timer.Expires) : (0, now),
    };

    private static string Addresses(SockCommon sk, int number, int state) => string.Create(
        CultureInfo.InvariantCulture,
        $"{number,4}: {Raw(sk.SkcRcvSaddr):X8}:{sk.SkcNum:X4} {Raw(sk.SkcDaddr):X8}:{sk.SkcDport:X4} {state:X2}");

    // The four bytes of the address as x86 reads them.
    private static uint Raw(uint address) => BinaryPrimitives.ReverseEndianness(address);

    private static long ClockTicks(long ns) => Math.Max(0, ns) / NsecPerClockTick;

    private static IEnumerable<SockCommon> InOrder(SockHashTable table, NetNamespace net) => table.Snapshot()
        .Where(sk => sk.SkcNet == net && sk.SkcFamily == AF_INET)
        .OrderBy(sk => sk.SkcRcvSaddr).ThenBy(sk => sk.SkcNum).ThenBy(sk => sk.SkcDaddr).ThenBy(sk => sk.SkcDport);

    private static void AppendPadded(StringBuilder output, string line) =>
        output.Append(line.PadRight(ProcLineWidth)).Append('\n');
}
