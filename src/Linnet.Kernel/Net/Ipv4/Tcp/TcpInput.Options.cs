using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Options of segments that come in, and what timestamps prove.</content>
public static partial class TcpInput
{
    private const uint AlignedTimestamp =
        (uint)TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP;

    /// <summary>
    /// Reads the options of a segment (RFC 9293 section 3.2). What has a wrong length is passed over; a length that leads
    /// beyond the header ends the reading.
    /// </summary>
    /// <param name="net">Whose settings say which options count.</param>
    /// <param name="skb">The segment.</param>
    /// <param name="optRx">Where the options go.</param>
    /// <param name="estab">Whether the connection is established, so that only what was agreed on counts.</param>
    [Linux("tcp_parse_options")]
    public static void TcpParseOptions(NetNamespace net, SkBuff skb, ref TcpOptionsReceived optRx, bool estab)
    {
        Tcphdr th = skb.Tcphdr;
        ReadOnlySpan<byte> options = th.Options;
        bool handshake = th.Syn && !estab;
        optRx.SawTstamp = false;
        int at = 0;
        while (at < options.Length)
        {
            int kind = options[at];
            if (kind == TCPOPT_EOL)
                return;
            if (kind == TCPOPT_NOP)
            {
                at++;
                continue;
            }

            if (at + 1 >= options.Length)
                return;
            int size = options[at + 1];
            if (size < 2 || at + size > options.Length)
                return;
            ReadOnlySpan<byte> value = options.Slice(at + 2, size - 2);
            if (kind == TCPOPT_SACK)
                NoteSackBlocks(skb, optRx, size, Tcphdr.Size + at);
            else if (kind == TCPOPT_TIMESTAMP)
                ParseTimestamp(net, value, ref optRx, estab);
            else if (handshake)
                ParseHandshakeOption(net, kind, value, ref optRx);
            at += size;
        }
    }

    /// <summary>Reads the options of a segment of an established connection, which mostly are a timestamp or nothing.</summary>
    /// <returns>Whether there are options.</returns>
    [Linux("tcp_fast_parse_options")]
    public static bool TcpFastParseOptions(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        if (th.Doff == Tcphdr.Size / 4)
        {
            tp.RxOpt.SawTstamp = false;
            return false;
        }

        if (tp.RxOpt.TstampOk && th.Doff == (Tcphdr.Size + TCPOLEN_TSTAMP_ALIGNED) / 4 && TcpParseAlignedTimestamp(tp, th))
            return true;
        TcpParseOptions(tp.SkNet, skb, ref tp.RxOpt, estab: true);
        if (tp.RxOpt.SawTstamp && tp.RxOpt.RcvTsecr != 0)
            tp.RxOpt.RcvTsecr -= tp.Tsoffset;
        return true;
    }

    /// <summary>Reads a timestamp that is aligned with two NOPs, as nearly all are (RFC 7323 appendix A).</summary>
    /// <returns>False when the options are something else.</returns>
    public static bool TcpParseAlignedTimestamp(TcpSock tp, Tcphdr th)
    {
        ReadOnlySpan<byte> options = th.Options;
        if (options.Length < TCPOLEN_TSTAMP_ALIGNED || BinaryPrimitives.ReadUInt32BigEndian(options) != AlignedTimestamp)
            return false;
        tp.RxOpt.SawTstamp = true;
        tp.RxOpt.RcvTsval = BinaryPrimitives.ReadUInt32BigEndian(options[4..]);
        uint echo = BinaryPrimitives.ReadUInt32BigEndian(options[8..]);
        tp.RxOpt.RcvTsecr = echo != 0 ? echo - tp.Tsoffset : 0;
        return true;
    }

    /// <summary>Keeps the timestamp of the last segment as the one to echo (<c>tcp_store_ts_recent</c>).</summary>
    public static void TcpStoreTsRecent(TcpSock tp)
    {
        tp.RxOpt.TsRecent = tp.RxOpt.RcvTsval;
        tp.RxOpt.TsRecentStamp = NowSeconds(tp);
    }

    /// <summary>
    /// Keeps the timestamp of a segment that begins at or before the last byte that was acknowledged (RFC 7323 section 4.3),
    /// so that the echo covers the delay of our ACKs (<c>tcp_replace_ts_recent</c>).
    /// </summary>
    public static void TcpReplaceTsRecent(TcpSock tp, uint seq)
    {
        if (tp.RxOpt.SawTstamp && !TcpSeq.After(seq, tp.RcvWup) && TcpSock.TcpPawsCheck(tp.RxOpt, 0, NowSeconds(tp)))
            TcpStoreTsRecent(tp);
    }

    private static long NowSeconds(TcpSock tp) => TcpMinisocks.NowSeconds(tp.SkNet);

    private static void NoteSackBlocks(SkBuff skb, in TcpOptionsReceived optRx, int size, int offset)
    {
        // Only where the blocks are is noted, in the scoreboard byte, which has no other use on this side.
        if (size >= TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK && (size - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK == 0
            && optRx.SackOk)
        {
            skb.TcpCb.Sacked = (byte)offset;
        }
    }

    private static void ParseTimestamp(
        NetNamespace net, ReadOnlySpan<byte> value, ref TcpOptionsReceived optRx, bool estab)
    {
        if (value.Length != TCPOLEN_TIMESTAMP - 2 || !(estab ? optRx.TstampOk : net.Ipv4.SysctlTcpTimestamps != 0))
            return;
        optRx.SawTstamp = true;
        optRx.RcvTsval = BinaryPrimitives.ReadUInt32BigEndian(value);
        optRx.RcvTsecr = BinaryPrimitives.ReadUInt32BigEndian(value[4..]);
    }

    private static void ParseHandshakeOption(
        NetNamespace net, int kind, ReadOnlySpan<byte> value, ref TcpOptionsReceived optRx)
    {
        switch (kind)
        {
            case TCPOPT_MSS when value.Length == TCPOLEN_MSS - 2:
                ushort mss = BinaryPrimitives.ReadUInt16BigEndian(value);
                if (mss != 0)
                    optRx.MssClamp = optRx.UserMss != 0 ? Math.Min(optRx.UserMss, mss) : mss;
                break;
            case TCPOPT_WINDOW when value.Length == TCPOLEN_WINDOW - 2 && net.Ipv4.SysctlTcpWindowScaling:
                // RFC 7323 section 2.3: a larger shift is taken for 14.
                optRx.WscaleOk = true;
                optRx.SndWscale = Math.Min(value[0], (byte)TCP_MAX_WSCALE);
                break;
            case TCPOPT_SACK_PERM when value.Length == TCPOLEN_SACK_PERM - 2 && net.Ipv4.SysctlTcpSack:
                optRx.SackOk = true;
                optRx.Dsack = false;
                optRx.NumSacks = 0;
                break;
        }
    }

    /// <summary>Whether an old timestamp makes a segment one of an earlier time (RFC 7323 section 5.3, R1).</summary>
    [Linux("tcp_paws_discard")]
    private static bool TcpPawsDiscard(TcpSock tp, SkBuff skb) =>
        !TcpSock.TcpPawsCheck(tp.RxOpt, TCP_PAWS_WINDOW, NowSeconds(tp)) && !TcpDisorderedAck(tp, skb);

    // A pure ACK that was reordered has an old timestamp too, and is worth an ACK to nobody.
    [Linux("tcp_disordered_ack")]
    private static bool TcpDisorderedAck(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        Tcphdr th = skb.Tcphdr;
        return th.Ack && cb.Seq == cb.EndSeq && cb.Seq == tp.RcvNxt && cb.AckSeq == tp.SndUna
            && !TcpMayUpdateWindow(tp, cb.AckSeq, cb.Seq, (uint)th.Window << tp.RxOpt.SndWscale)
            && (int)(tp.RxOpt.TsRecent - tp.RxOpt.RcvTsval) <= tp.IcskRto / Clock.NsecPerMsec * 1200 / 1000;
    }
}
