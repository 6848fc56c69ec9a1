using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Reports. They are put together with <see cref="InDevice.McLock"/> held, and sent without it.</content>
public static partial class Igmp
{
    // Where IGMPv3 reports go (RFC 3376 section 4.2.14).
    private const uint AllIgmpv3Routers = 0xe0000016;
    private const int RouterAlertSize = 4;
    private const int MessageOffset = Iphdr.Size + RouterAlertSize;
    private const int GroupRecordSize = 8;
    private const int LeastMtu = 68;

    // Internetwork control (RFC 3376 section 4).
    private const byte ControlTos = 0xc0;

    /// <summary>Makes a report of IGMPv1 or IGMPv2, or a leave message, which goes to all routers.</summary>
    /// <returns>The packet for <see cref="Transmit"/>, or null when there is no way to the group.</returns>
    [Linux("igmp_send_report")]
    private static SkBuff? IgmpSendReport(InDevice inDev, uint group, byte type)
    {
        if (Ipv4Addr.IsLocalMulticast(group) && !inDev.Dev.Net.Ipv4.SysctlIgmpLlmReports)
            return null;
        uint dst = type == IGMP_HOST_LEAVE_MESSAGE ? INADDR_ALLRTRS_GROUP : group;
        if (NewPacket(inDev, dst, MessageOffset + HeaderSize) is not { } skb)
            return null;
        Span<byte> message = skb.Put(HeaderSize);
        message.Clear();
        message[0] = type;
        BinaryPrimitives.WriteUInt32BigEndian(message[4..], group);
        return skb;
    }

    // The current state of one group, or of all.
    [Linux("igmpv3_send_report")]
    private static void Igmpv3SendReport(Igmpv3Report report, IpMcList? only)
    {
        NetnsIpv4 ipv4 = report.InDev.Dev.Net.Ipv4;
        foreach (IpMcList pmc in report.InDev.McList)
        {
            if ((only != null && pmc != only) || !IsReported(ipv4, pmc.Multiaddr))
                continue;
            report.AddGrec(
                pmc, pmc.Excludes ? IGMPV3_MODE_IS_EXCLUDE : IGMPV3_MODE_IS_INCLUDE, gdeleted: false, sdeleted: false);
        }
    }

    // What changed and was not reported often enough yet.
    [Linux("igmpv3_send_cr")]
    private static void Igmpv3SendCr(Igmpv3Report report)
    {
        InDevice inDev = report.InDev;
        foreach (IpMcList pmc in inDev.McTomb)
        {
            if (pmc.Sfmode == MCAST_INCLUDE)
            {
                report.AddGrec(pmc, IGMPV3_BLOCK_OLD_SOURCES, gdeleted: true, sdeleted: false);
                report.AddGrec(pmc, IGMPV3_BLOCK_OLD_SOURCES, gdeleted: true, sdeleted: true);
            }

            if (pmc.Crcount == 0)
                continue;
            if (pmc.Sfmode == MCAST_EXCLUDE)
                report.AddGrec(pmc, IGMPV3_CHANGE_TO_INCLUDE, gdeleted: true, sdeleted: false);
            if (--pmc.Crcount != 0)
                continue;
            pmc.Tomb.RemoveAll(psf => psf.SfCrcount == 0);
            pmc.Sources = [.. pmc.Sources.Where(psf => psf.SfCrcount != 0)];
        }

        inDev.McTomb.RemoveAll(pmc => pmc.Crcount == 0 && pmc.Tomb.Count == 0 && pmc.Sources.Length == 0);
        foreach (IpMcList pmc in inDev.McList)
        {
            bool excludes = pmc.Excludes;
            report.AddGrec(pmc, excludes ? IGMPV3_BLOCK_OLD_SOURCES : IGMPV3_ALLOW_NEW_SOURCES, false, sdeleted: false);
            report.AddGrec(pmc, excludes ? IGMPV3_ALLOW_NEW_SOURCES : IGMPV3_BLOCK_OLD_SOURCES, false, sdeleted: true);
            if (pmc.Crcount == 0)
                continue;
            report.AddGrec(
                pmc, pmc.Sfmode == MCAST_EXCLUDE ? IGMPV3_CHANGE_TO_EXCLUDE : IGMPV3_CHANGE_TO_INCLUDE, false, sdeleted: false);
            pmc.Crcount--;
        }
    }

    // The group was left: what it was is kept until it has been reported.
    [Linux("igmpv3_add_delrec")]
    private static void Igmpv3AddDelrec(InDevice inDev, IpMcList im)
    {
        IpMcList pmc = new(inDev, im.Multiaddr) { Crcount = QrvOf(inDev), Sfmode = im.Sfmode };
        if (pmc.Sfmode == MCAST_INCLUDE)
        {
            (pmc.Tomb, im.Tomb) = (im.Tomb, []);
            (pmc.Sources, im.Sources) = (im.Sources, []);
            foreach (IpSfList psf in pmc.Sources)
                psf.SfCrcount = pmc.Crcount;
        }

        inDev.McTomb.Insert(0, pmc);
    }

    // The group is joined again before its leaving was reported.
    [Linux("igmpv3_del_delrec")]
    private static void Igmpv3DelDelrec(InDevice inDev, IpMcList im)
    {
        int index = inDev.McTomb.FindIndex(other => other.Multiaddr == im.Multiaddr);
        if (index < 0)
            return;
        IpMcList pmc = inDev.McTomb[index];
        inDev.McTomb.RemoveAt(index);
        if (im.Sfmode != MCAST_INCLUDE)
        {
            im.Crcount = QrvOf(inDev);
            return;
        }

        (im.Tomb, im.Sources) = (pmc.Tomb, pmc.Sources);
        foreach (IpSfList psf in im.Sources)
            psf.SfCrcount = QrvOf(inDev);
    }

    [Linux("igmpv3_clear_delrec")]
    private static void Igmpv3ClearDelrec(InDevice inDev)
    {
        inDev.McTomb.Clear();
        foreach (IpMcList pmc in inDev.McList)
            pmc.Tomb = [];
    }

    // A packet with IP header and router alert (RFC 2113), which makes routers look at it.
    private static SkBuff? NewPacket(InDevice inDev, uint dst, int size)
    {
        NetDevice dev = inDev.Dev;
        Flowi4 fl4 = Flowi4.InitOutput(
            dev.Ifindex, 0, ControlTos & IPTOS_TOS_MASK, RT_SCOPE_UNIVERSE, IPPROTO_IGMP, 0, dst, 0, 0, 0, 0);
        if (Route.IpRouteOutputKey(dev.Net, ref fl4, out Rtable? rt) < 0)
            return null;
        SkBuff skb = dev.Net.SkbPool.Alloc(IpOutput.LlMaxHeader + size);
        skb.Reserve(IpOutput.LlMaxHeader);
        skb.Dst = rt;
        skb.Dev = dev;
        skb.Priority = TcPrioControl;
        skb.ResetNetworkHeader();
        skb.ResetTransportHeader(MessageOffset);
        Span<byte> header = skb.Put(MessageOffset);
        header.Clear();
        _ = new Iphdr(header)
        {
            VersionIhl = 0x40 | (MessageOffset / 4),
            Tos = ControlTos,
            FragOff = IP_DF,
            Ttl = 1,
            Protocol = IPPROTO_IGMP,
            // A source that is no address of the device would say nothing to the router (RFC 3376 section 4.2.13).
            Saddr = Array.Exists(inDev.IfaList, ifa => ifa.IfaLocal == fl4.Saddr) ? fl4.Saddr : INADDR_ANY,
            Daddr = dst,
        };
        header[Iphdr.Size] = IPOPT_RA;
        header[Iphdr.Size + 1] = RouterAlertSize;
        skb.IpCb = default;
        return skb;
    }

    // Sums the message and sends it.
    private static void Transmit(InDevice inDev, SkBuff? skb)
    {
        if (skb == null)
            return;
        NetNamespace net = inDev.Dev.Net;
        IpOutput.IpSelectIdentCore(net, skb.IpHdr, 1);
        Span<byte> message = skb.Data[MessageOffset..];
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum.CsumFold(Checksum.CsumPartial(message, 0)));
        IpOutput.IpLocalOut(net, null, skb);
    }

    private const uint TcPrioControl = 7;

    /// <summary>IGMPv3 reports that are being put together: as many packets as the records need.</summary>
    private sealed class Igmpv3Report(InDevice inDev)
    {
        private readonly List<SkBuff> full = [];
        private SkBuff? skb;
        private int recordAt;

        public InDevice InDev { get; } = inDev;

        private int Available => skb == null ? 0 : InDev.Dev.Mtu - skb.Len;

        /// <summary>Sends what was put together; McLock is not held.</summary>
        public void Send()
        {
            Finish();
            foreach (SkBuff packet in full)
                Transmit(InDev, packet);
            full.Clear();
        }

        /// <summary>Adds a record of a group with the sources that the record's type is about.</summary>
        /// <param name="pmc">The group.</param>
        /// <param name="type"><c>IGMPV3_*</c></param>
        /// <param name="gdeleted">Whether the group was left.</param>
        /// <param name="sdeleted">Whether the sources are those that nobody names any more.</param>
        [Linux("add_grec", "net/ipv4/igmp.c")]
        public void AddGrec(IpMcList pmc, int type, bool gdeleted, bool sdeleted)
        {
            if (!IsReported(InDev.Dev.Net.Ipv4, pmc.Multiaddr) || InDev.Dev.Mtu < LeastMtu)
                return;
            bool isQuery = type is IGMPV3_MODE_IS_INCLUDE or IGMPV3_MODE_IS_EXCLUDE;
            bool truncate = type is IGMPV3_MODE_IS_EXCLUDE or IGMPV3_CHANGE_TO_EXCLUDE;
            bool changesSources = type is IGMPV3_ALLOW_NEW_SOURCES or IGMPV3_BLOCK_OLD_SOURCES;

            // The mode says it all where it changes (RFC 3376 section 5.1).
            bool modeChanges = gdeleted ? pmc.Sfmode == MCAST_EXCLUDE : pmc.Crcount != 0;
            List<IpSfList> sources = [.. sdeleted ? pmc.Tomb : (IEnumerable<IpSfList>)pmc.Sources];
            if (truncate && skb != null && sources.Count != 0 && Available < Size(pmc, sources, type, gdeleted, sdeleted))
                Finish();
            bool open = false;
            foreach (IpSfList psf in sources)
            {
                if (!IsIn(pmc, psf, type, gdeleted, sdeleted))
                    continue;
                if (!(changesSources && modeChanges && psf.SfCrcount != 0))
                {
                    if (isQuery)
                        psf.SfGsresp = false;
                    if (Available < sizeof(uint) + (open ? 0 : GroupRecordSize))
                    {
                        // "All but these" must be one record; what does not fit is let through.
                        if (truncate && open)
                            break;
                        Finish();
                        open = false;
                    }

                    if (!open && !AddGrhead(pmc, type))
                        return;
                    open = true;
                    AddSource(psf.SfInaddr);
                }

                if (changesSources && psf.SfCrcount != 0)
                    CountDown(pmc, psf, gdeleted, sdeleted);
            }

            if (!open && !changesSources && (pmc.Crcount != 0 || isQuery))
                AddGrhead(pmc, type);
            if (isQuery)
                pmc.Gsquery = false;
        }

        // Whether a record of a type is about a source.
        [Linux("is_in", "net/ipv4/igmp.c")]
        private static bool IsIn(IpMcList pmc, IpSfList psf, int type, bool gdeleted, bool sdeleted)
        {
            int include = psf.SfCount[MCAST_INCLUDE];
            bool allExclude = pmc.Sfcount[MCAST_EXCLUDE] == psf.SfCount[MCAST_EXCLUDE];
            switch (type)
            {
                case IGMPV3_MODE_IS_INCLUDE or IGMPV3_MODE_IS_EXCLUDE:
                    if (gdeleted || sdeleted || (pmc.Gsquery && !psf.SfGsresp))
                        return false;
                    if (pmc.Sfmode == MCAST_INCLUDE)
                        return true;
                    return include != 0 ? type == IGMPV3_MODE_IS_INCLUDE : allExclude;
                case IGMPV3_CHANGE_TO_INCLUDE:
                    return !gdeleted && !sdeleted && include != 0;
                case IGMPV3_CHANGE_TO_EXCLUDE:
                    return !gdeleted && !sdeleted && pmc.Sfcount[MCAST_EXCLUDE] != 0 && include == 0 && allExclude;
                case IGMPV3_ALLOW_NEW_SOURCES:
                    return !gdeleted && psf.SfCrcount != 0 && (pmc.Sfmode == MCAST_INCLUDE) != sdeleted;
                default:
                    if (pmc.Sfmode == MCAST_INCLUDE)
                        return gdeleted || (psf.SfCrcount != 0 && sdeleted);
                    return psf.SfCrcount != 0 && !gdeleted && !sdeleted;
            }
        }

        private static int Size(IpMcList pmc, List<IpSfList> sources, int type, bool gdeleted, bool sdeleted) =>
            GroupRecordSize + (sources.Count(psf => IsIn(pmc, psf, type, gdeleted, sdeleted)) * sizeof(uint));

        private static void CountDown(IpMcList pmc, IpSfList psf, bool gdeleted, bool sdeleted)
        {
            if (--psf.SfCrcount != 0)
                return;
            if (sdeleted)
                pmc.Tomb.Remove(psf);
            else if (gdeleted)
                pmc.Remove(psf);
        }

        [Linux("add_grhead", "net/ipv4/igmp.c")]
        private bool AddGrhead(IpMcList pmc, int type)
        {
            if (Available < GroupRecordSize)
                Finish();
            if (skb == null && !Igmpv3Newpack())
                return false;
            recordAt = skb!.Len;
            Span<byte> record = skb.Put(GroupRecordSize);
            record.Clear();
            record[0] = (byte)type;
            BinaryPrimitives.WriteUInt32BigEndian(record[4..], pmc.Multiaddr);
            Increment(skb.Data[(MessageOffset + 6)..]);
            return true;
        }

        private void AddSource(uint source)
        {
            BinaryPrimitives.WriteUInt32BigEndian(skb!.Put(sizeof(uint)), source);
            Increment(skb.Data[(recordAt + 2)..]);
        }

        [Linux("igmpv3_newpack", "net/ipv4/igmp.c")]
        private bool Igmpv3Newpack()
        {
            skb = NewPacket(InDev, AllIgmpv3Routers, InDev.Dev.Mtu);
            if (skb == null)
                return false;
            Span<byte> message = skb.Put(HeaderSize);
            message.Clear();
            message[0] = IGMPV3_HOST_MEMBERSHIP_REPORT;
            return true;
        }

        private void Finish()
        {
            if (skb != null)
                full.Add(skb);
            skb = null;
        }

        private static void Increment(Span<byte> count) =>
            BinaryPrimitives.WriteUInt16BigEndian(count, (ushort)(BinaryPrimitives.ReadUInt16BigEndian(count) + 1));
    }
}
