using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>What routers and other hosts say.</content>
public static partial class Igmp
{
    private const int HeaderSize = 8;
    private const int QueryV3Size = 12;

    // Query response times are in tenths of a second (IGMP_TIMER_SCALE).
    private const uint TimerScale = Clock.Hz / 10;

    /// <summary>An IGMP message for this host; its data begins at the message. Takes over the packet.</summary>
    [Linux("igmp_rcv")]
    internal static int IgmpRcv(SkBuff skb)
    {
        int length = skb.Len;
        if (InDevice.Get(skb.Dev!) is not { } inDev || !skb.PskbMayPull(HeaderSize) || !ChecksumIsRight(skb))
        {
            skb.Free();
            return 0;
        }

        switch (skb.Data[0])
        {
            case IGMP_HOST_MEMBERSHIP_QUERY:
                IgmpHeardQuery(inDev, skb, length);
                break;
            // Our own, looped back, has a route that it went out by. Unicast reports a router may not hear.
            case IGMP_HOST_MEMBERSHIP_REPORT or IGMPV2_HOST_MEMBERSHIP_REPORT
                when skb.Dst is Rtable { RtIsInput: true } && skb.PktType is PACKET_MULTICAST or PACKET_BROADCAST:
                IgmpHeardReport(inDev, BinaryPrimitives.ReadUInt32BigEndian(skb.Data[4..]));
                break;
        }

        skb.Free();
        return 0;
    }

    // Somebody else reported the group, which is enough for routers of IGMPv1 and IGMPv2.
    [Linux("igmp_heard_report")]
    private static void IgmpHeardReport(InDevice inDev, uint group)
    {
        if (!IsReported(inDev.Dev.Net.Ipv4, group))
            return;
        lock (inDev.McLock)
        {
            if (inDev.FindGroup(group) is { } im)
                IgmpStopTimer(im);
        }
    }

    [Linux("igmp_heard_query")]
    private static void IgmpHeardQuery(InDevice inDev, SkBuff skb, int length)
    {
        uint group = BinaryPrimitives.ReadUInt32BigEndian(skb.Data[4..]);
        byte code = skb.Data[1];
        uint maxDelay;
        ReadOnlySpan<byte> sources = default;
        lock (inDev.McLock)
        {
            if (length == HeaderSize)
            {
                maxDelay = OldQuery(inDev, code, ref group);
            }
            else if (length < QueryV3Size)
            {
                return;
            }
            else if (IgmpV1Seen(inDev))
            {
                maxDelay = (uint)QueryResponseInterval;
                group = 0;
            }
            else if (IgmpV2Seen(inDev))
            {
                maxDelay = Math.Max(1, Exponential(code) * TimerScale);
            }
            else
            {
                if (!ReadSources(skb, out sources))
                    return;
                maxDelay = Math.Max(1, Exponential(code) * TimerScale);
                NewQuery(inDev, skb.Data, maxDelay);
                if (group == 0)
                {
                    if (sources.IsEmpty)
                        IgmpGqStartTimer(inDev);
                    return;
                }
            }

            foreach (IpMcList im in inDev.McList)
            {
                if ((group != 0 && group != im.Multiaddr) || !IsReported(inDev.Dev.Net.Ipv4, im.Multiaddr))
                    continue;
                bool mark = !sources.IsEmpty;
                im.Gsquery = im.TmRunning ? im.Gsquery && mark : mark;
                if (!im.Gsquery || IgmpMarksources(im, sources))
                    IgmpModTimer(im, maxDelay);
            }
        }
    }

    // A query without sources comes from a router of IGMPv1 (without a response time) or IGMPv2, whose version is spoken
    // for a while then (RFC 3376 section 7.2.1).
    private static uint OldQuery(InDevice inDev, byte code, ref uint group)
    {
        long until = inDev.Dev.Net.Machine.Clock.Jiffies + (inDev.MrQrv * inDev.MrQi) + inDev.MrQri;
        uint maxDelay = code * TimerScale;
        if (code == 0)
        {
            maxDelay = (uint)QueryResponseInterval;
            inDev.MrV1Seen = until;
            group = 0;
        }
        else
        {
            inDev.MrV2Seen = until;
        }

        inDev.MrIfcCount = 0;
        inDev.MrIfcTimer.Delete();
        Igmpv3ClearDelrec(inDev);
        return maxDelay;
    }

    // The router's timing is taken over (RFC 3376 sections 4.1.6, 4.1.7 and 8.3).
    private static void NewQuery(InDevice inDev, ReadOnlySpan<byte> query, uint maxDelay)
    {
        inDev.MrMaxdelay = maxDelay;
        int qrv = query[8] & 7;
        inDev.MrQrv = qrv != 0 ? qrv : inDev.Dev.Net.Ipv4.SysctlIgmpQrv;
        long interval = Exponential(query[9]) * (long)Clock.Hz;
        inDev.MrQi = interval != 0 ? interval : QueryInterval;
        if (inDev.MrQri >= inDev.MrQi)
            inDev.MrQri = ((inDev.MrQi / Clock.Hz) - 1) * Clock.Hz;
    }

    private static bool ReadSources(SkBuff skb, out ReadOnlySpan<byte> sources)
    {
        sources = default;
        if (!skb.PskbMayPull(QueryV3Size))
            return false;
        int length = BinaryPrimitives.ReadUInt16BigEndian(skb.Data[10..]) * sizeof(uint);
        if (!skb.PskbMayPull(QueryV3Size + length))
            return false;
        sources = skb.Data.Slice(QueryV3Size, length);
        return true;
    }

    // Whether any of the sources that a query names is wanted; if so, those are marked.
    [Linux("igmp_marksources")]
    private static bool IgmpMarksources(IpMcList pmc, ReadOnlySpan<byte> sources)
    {
        if (pmc.Sfmode == MCAST_EXCLUDE)
            return IgmpXmarksources(pmc, sources);
        pmc.Gsquery = false;
        foreach (IpSfList psf in pmc.Sources)
        {
            if (Names(sources, psf.SfInaddr))
                psf.SfGsresp = pmc.Gsquery = true;
        }

        return pmc.Gsquery;
    }

    // In the mode "all but some" nothing is to be said when all the named ones are among those.
    [Linux("igmp_xmarksources")]
    private static bool IgmpXmarksources(IpMcList pmc, ReadOnlySpan<byte> sources)
    {
        int unwanted = 0;
        foreach (IpSfList psf in pmc.Sources)
        {
            bool inactive = psf.SfCount[MCAST_INCLUDE] != 0 || pmc.Sfcount[MCAST_EXCLUDE] != psf.SfCount[MCAST_EXCLUDE];
            if (!inactive && Names(sources, psf.SfInaddr))
                unwanted++;
        }

        pmc.Gsquery = false;
        return unwanted < sources.Length / sizeof(uint);
    }

    private static bool Names(ReadOnlySpan<byte> sources, uint source)
    {
        for (; !sources.IsEmpty; sources = sources[sizeof(uint)..])
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(sources) == source)
                return true;
        }

        return false;
    }

    // Codes from 128 on are small floating point numbers (RFC 3376 section 4.1.1).
    private static uint Exponential(byte code) => code < 0x80 ? code : (uint)((code & 0xf) | 0x10) << (((code >> 4) & 7) + 3);

    private static bool ChecksumIsRight(SkBuff skb) =>
        skb.IpSummed is ChecksumState.Unnecessary or ChecksumState.Partial || Checksum.CsumFold(skb.Checksum(0, skb.Len, 0)) == 0;
}

/// <summary>IGMP's entry in the table of transport protocols (<c>igmp_protocol</c>).</summary>
public sealed class IgmpProtocol : NetProtocol
{
    /// <summary>The entry.</summary>
    public static readonly IgmpProtocol Instance = new();

    private IgmpProtocol()
    {
    }

    /// <inheritdoc/>
    public override int Handler(SkBuff skb) => Igmp.IgmpRcv(skb);
}
