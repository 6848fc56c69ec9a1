using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Neighbours (<c>net/core/neighbour.c</c>).</content>
public static partial class Rtnetlink
{
    private const string NeighbourC = "net/core/neighbour.c";

    private static readonly NlaPolicy[] NdaPolicy = MakeNdaPolicy();

    /// <summary>Tells who listens that a neighbour came, changed or went.</summary>
    [Linux("__neigh_notify", NeighbourC)]
    private static void NeighNotify(Neighbour n, int type) =>
        RtnlNotify(n.Tbl.Net, RTNLGRP_NEIGH, default, skb => NeighFillInfo(skb, n, type, default, 0));

    [Linux("neigh_fill_info", NeighbourC)]
    private static int NeighFillInfo(NlmsgWriter skb, Neighbour n, int type, NlInfo info, int flags)
    {
        int state = n.NudState;
        var ndm = new Ndmsg { NdmFamily = (byte)n.Tbl.Family, NdmType = n.Type, NdmIfindex = n.Dev.Ifindex, NdmState = (ushort)state };
        if (!skb.NlmsgPut(info.Portid, info.Seq, type, flags, in ndm))
            return -EMSGSIZE;
        PutKey(skb, n.Tbl, n.Key);
        if ((state & Nud.VALID) != 0)
            skb.NlaPut(NDA_LLADDR, n.Ha);
        skb.NlaPut(NDA_PROBES, n.Probes);
        long now = n.Tbl.Machine.Clock.Jiffies;
        skb.NlaPut(NDA_CACHEINFO, new NdaCacheinfo
        {
            NdmUsed = ClockT(now - n.Used),
            NdmConfirmed = ClockT(now - n.Confirmed),
            NdmUpdated = ClockT(now - n.Updated),
        });
        return skb.NlmsgEnd();
    }

    [Linux("pneigh_fill_info", NeighbourC)]
    private static int PneighFillInfo(NlmsgWriter skb, NeighTable tbl, PneighEntry pn, NlInfo info, int flags)
    {
        var ndm = new Ndmsg
        {
            NdmFamily = (byte)tbl.Family,
            NdmFlags = NTF_PROXY,
            NdmType = RTN_UNICAST,
            NdmIfindex = pn.Dev?.Ifindex ?? 0,
            NdmState = Nud.NONE,
        };
        if (!skb.NlmsgPut(info.Portid, info.Seq, RTM_NEWNEIGH, flags, in ndm))
            return -EMSGSIZE;
        PutKey(skb, tbl, pn.Key);
        return skb.NlmsgEnd();
    }

    [Linux("neigh_dump_info", NeighbourC)]
    private static int NeighDumpInfo(NlmsgWriter skb, NetlinkCallback cb)
    {
        int err = NeighValidDumpReq(cb, out Ndmsg ndm, out NlAttributes tb);
        if (err < 0)
            return err;
        int ifindex = tb.Get<int>(NDA_IFINDEX);
        int master = tb.Get<int>(NDA_MASTER);
        if (ifindex != 0 || master != 0)
            cb.AnswerFlags |= NLM_F_DUMP_FILTERED;
        NlInfo info = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        int flags = NLM_F_MULTI | cb.AnswerFlags;
        // The whole is fixed when the dump begins, so that the parts fit.
        var entries = (List<Func<NlmsgWriter, int>>)(cb.Context ??= Collect());
        for (; cb.Args[0] < entries.Count; cb.Args[0]++)
        {
            if (entries[(int)cb.Args[0]](skb) < 0)
                return -EMSGSIZE;
        }

        return 0;

        List<Func<NlmsgWriter, int>> Collect()
        {
            List<Func<NlmsgWriter, int>> found = [];
            foreach (NeighTable tbl in cb.Net.NeighTables)
            {
                if (ndm.NdmFamily != AF_UNSPEC && tbl.Family != ndm.NdmFamily)
                    continue;
                if (ndm.NdmFlags == NTF_PROXY)
                    found.AddRange(tbl.Proxies.Where(pn => Fits(pn.Dev)).Select(pn => (Func<NlmsgWriter, int>)(w => PneighFillInfo(w, tbl, pn, info, flags))));
                else
                    found.AddRange(tbl.Snapshot().Where(n => Fits(n.Dev)).OrderBy(n => n.Dev.Ifindex).ThenBy(n => n.Key)
                        .Select(n => (Func<NlmsgWriter, int>)(w => NeighFillInfo(w, n, RTM_NEWNEIGH, info, flags))));
            }

            return found;
        }

        bool Fits(NetDevice? dev) =>
            (ifindex == 0 || dev?.Ifindex == ifindex) && (master == 0 || dev?.Master?.Ifindex == master);
    }

    [Linux("neigh_valid_dump_req", NeighbourC)]
    private static int NeighValidDumpReq(NetlinkCallback cb, out Ndmsg ndm, out NlAttributes tb)
    {
        int headLength = Marshal.SizeOf<Ndmsg>();
        ReadOnlySpan<byte> payload = cb.Request.Payload;
        tb = NlAttributes.Empty(NdaPolicy.Length);
        ndm = payload.Length >= headLength ? MemoryMarshal.Read<Ndmsg>(payload) : new Ndmsg { NdmFamily = payload[0] };
        if (!cb.StrictCheck)
        {
            // What does not look like it should filters nothing.
            if (payload.Length < headLength || NlAttributes.NlmsgParse(cb.Request, headLength, NdaPolicy, strict: false, out NlAttributes loose) < 0)
                return 0;
            tb = loose;
            return 0;
        }

        if (payload.Length < headLength)
            return cb.Extack.Error(-EINVAL, "Invalid header for neighbor dump request");
        if (ndm.NdmIfindex != 0 || ndm.NdmState != 0 || ndm.NdmType != 0 || payload[1] != 0 || payload[2] != 0 || payload[3] != 0)
            return cb.Extack.Error(-EINVAL, "Invalid values in header for neighbor dump request");
        if ((ndm.NdmFlags & ~NTF_PROXY) != 0)
            return cb.Extack.Error(-EINVAL, "Invalid flags in header for neighbor dump request");
        int err = NlAttributes.NlmsgParse(cb.Request, headLength, NdaPolicy, strict: true, out tb);
        if (err < 0)
            cb.Extack = cb.Request.Extack;
        for (int type = 1; err == 0 && type <= NDA_MAX; type++)
        {
            if (tb.Has(type) && type is not (NDA_IFINDEX or NDA_MASTER))
                err = cb.Extack.Error(-EINVAL, "Unsupported attribute in neighbor dump request");
        }

        return err;
    }

    [Linux("neigh_get", NeighbourC)]
    private static int NeighGet(NetlinkRequest request)
    {
        int err = ReadNeigh(request, out Ndmsg ndm, out _, out NeighTable? tbl, out NeighConfig? cfg);
        if (err < 0)
            return err;
        NlmsgWriter answer = new();
        if (cfg!.IsProxy)
        {
            PneighEntry? pn = tbl!.PneighLookup(cfg.Key, cfg.Dev);
            if (pn == null)
                return request.Extack.Error(-ENOENT, "Proxy neighbour entry not found");
            err = PneighFillInfo(answer, tbl, pn, NlInfo.Of(request), 0);
        }
        else
        {
            if (cfg.Dev == null)
                return request.Extack.Error(-EINVAL, "No device specified");
            Neighbour? n = tbl!.Lookup(cfg.Key, cfg.Dev);
            if (n == null)
                return request.Extack.Error(-ENOENT, "Neighbour entry not found");
            err = NeighFillInfo(answer, n, RTM_NEWNEIGH, NlInfo.Of(request), 0);
        }

        Bug.On(err < 0);
        return AfNetlink.NlmsgUnicast(request.KernelSk, answer, request.Portid);
    }

    private static int NeighAddMsg(NetlinkRequest request)
    {
        int err = ReadNeigh(request, out Ndmsg ndm, out NlAttributes tb, out NeighTable? tbl, out NeighConfig? cfg);
        if (err < 0)
            return err;
        if ((ndm.NdmFlags & ~(NTF_PROXY | NTF_USE)) != 0 || tb.Has(NDA_FLAGS_EXT) || tb.Has(NDA_PROTOCOL))
            return Lacking(request, ndm.NdmFamily);
        if (!cfg!.IsProxy && cfg.Dev == null)
            return request.Extack.Error(-EINVAL, "Device not specified");
        return tbl!.NeighAdd(cfg);
    }

    private static int NeighDeleteMsg(NetlinkRequest request)
    {
        int err = ReadNeigh(request, out _, out _, out NeighTable? tbl, out NeighConfig? cfg);
        return err < 0 ? err : tbl!.NeighDelete(cfg!);
    }

    private static int ReadNeigh(
        NetlinkRequest request, out Ndmsg ndm, out NlAttributes tb, out NeighTable? tbl, out NeighConfig? cfg)
    {
        (ndm, tbl, cfg) = (default, null, null);
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ndmsg>(), NdaPolicy, strict: false, out tb);
        if (err < 0)
            return err;
        Ndmsg head = ndm = MemoryMarshal.Read<Ndmsg>(request.Payload);
        if (!tb.Has(NDA_DST))
            return request.Extack.Error(-EINVAL, "Network address not specified");
        NetDevice? dev = null;
        if (head.NdmIfindex != 0)
        {
            dev = request.Net.Devices.DevGetByIndex(head.NdmIfindex);
            if (dev == null)
                return -ENODEV;
            if (tb.Has(NDA_LLADDR) && tb[NDA_LLADDR].Length < dev.DevAddr.Length)
                return request.Extack.Error(-EINVAL, "Invalid link address");
        }

        tbl = request.Net.NeighTables.FirstOrDefault(table => table.Family == head.NdmFamily);
        if (tbl == null)
            return -EAFNOSUPPORT;
        if (tb[NDA_DST].Length < tbl.KeyLen)
            return request.Extack.Error(-EINVAL, "Invalid network address");
        UInt128 key = 0;
        foreach (byte b in tb[NDA_DST][..tbl.KeyLen])
            key = key << 8 | b;
        cfg = new NeighConfig
        {
            Key = key,
            Dev = dev,
            Lladdr = tb.Has(NDA_LLADDR) ? tb[NDA_LLADDR].ToArray() : null,
            State = head.NdmState,
            IsProxy = (head.NdmFlags & NTF_PROXY) != 0,
            IsUsed = (head.NdmFlags & NTF_USE) != 0,
            NlFlags = request.Header.NlmsgFlags,
        };
        return 0;
    }

    private static void PutKey(NlmsgWriter skb, NeighTable tbl, UInt128 key)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
        skb.NlaPut(NDA_DST, bytes[^tbl.KeyLen..]);
    }

    /// <summary>Milliseconds in hundredths of seconds (<c>jiffies_to_clock_t</c>).</summary>
    internal static uint ClockT(long jiffies) => (uint)(jiffies / 10);

    private static NlaPolicy[] MakeNdaPolicy()
    {
        var policy = new NlaPolicy[NDA_MAX + 1];
        policy[NDA_DST] = policy[NDA_LLADDR] = new NlaPolicy(NlaKind.Binary, 32);
        policy[NDA_CACHEINFO] = new NlaPolicy(NlaKind.MinLen, 16);
        foreach (int type in new[] { NDA_PROBES, NDA_VNI, NDA_IFINDEX, NDA_MASTER, NDA_NH_ID, NDA_FLAGS_EXT })
            policy[type] = new NlaPolicy(NlaKind.U32);
        policy[NDA_VLAN] = policy[NDA_PORT] = new NlaPolicy(NlaKind.U16);
        policy[NDA_PROTOCOL] = new NlaPolicy(NlaKind.U8);
        policy[NDA_FDB_EXT_ATTRS] = new NlaPolicy(NlaKind.Nested);
        return policy;
    }
}
