using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>The numbers by which namespaces know each other (<c>net/core/net_namespace.c</c>).</content>
public static partial class Rtnetlink
{
    private const string NetNamespaceC = "net/core/net_namespace.c";
    private const int NETNSA_NSID = 1;
    private const int NETNSA_PID = 2;
    private const int NETNSA_FD = 3;
    private const int NETNSA_TARGET_NSID = 4;
    private const int NETNSA_NSID_NOT_ASSIGNED = -1;

    private static readonly StateSlot<Dictionary<uint, int>> NsidSlot = new();

    private static readonly NlaPolicy[] RtnlNetPolicy =
        [default, new(NlaKind.U32), new(NlaKind.U32), new(NlaKind.U32), new(NlaKind.U32)];

    /// <summary>The number by which a namespace knows another; given when it is first needed.</summary>
    [Linux("peernet2id_alloc", NetNamespaceC)]
    private static int Peernet2idAlloc(NetNamespace net, NetNamespace peer)
    {
        Dictionary<uint, int> ids = NsidSlot.OfOrNew(net.Slots, 0, static _ => []);
        lock (ids)
        {
            if (!ids.TryGetValue(peer.Inum, out int id))
                ids.Add(peer.Inum, id = ids.Count);
            return id;
        }
    }

    [Linux("rtnl_net_getid", NetNamespaceC)]
    private static int RtnlNetGetid(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(
            request, 1, RtnlNetPolicy, request.Sk.Has(NetlinkFlags.StrictChk), out NlAttributes tb);
        if (err < 0)
            return err;
        uint inum;
        Dictionary<uint, int>? ids = NsidSlot.Find(request.Net.Slots);
        if (tb.Has(NETNSA_FD))
        {
            // Namespaces of another kernel have no number here.
            if (TaskStruct.Current.IsForeignNetNs?.Invoke(tb.Get<int>(NETNSA_FD)) != true)
                return request.Extack.ErrorAt(-EINVAL, tb.OffsetOf(NETNSA_FD), "Peer netns reference is invalid");
            inum = 0;
        }
        else if (tb.Has(NETNSA_NSID))
        {
            inum = Known(ids).FirstOrDefault(pair => pair.Value == tb.Get<int>(NETNSA_NSID)).Key;
            if (inum == 0)
                return request.Extack.ErrorAt(-ENOENT, tb.OffsetOf(NETNSA_NSID), "Peer netns reference is invalid");
        }
        else
        {
            return tb.Has(NETNSA_PID) || tb.Has(NETNSA_TARGET_NSID)
                ? Lacking(request, PF_UNSPEC)
                : request.Extack.Error(-EINVAL, "Peer netns reference is missing");
        }

        int id = Known(ids).FirstOrDefault(pair => pair.Key == inum, new(0, NETNSA_NSID_NOT_ASSIGNED)).Value;
        NlmsgWriter answer = new();
        RtnlNetFill(answer, id, NlInfo.Of(request), 0);
        return AfNetlink.NlmsgUnicast(request.KernelSk, answer, request.Portid);
    }

    [Linux("rtnl_net_dumpid", NetNamespaceC)]
    private static int RtnlNetDumpid(NlmsgWriter skb, NetlinkCallback cb)
    {
        NlInfo info = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        int[] ids = [.. Known(NsidSlot.Find(cb.Net.Slots)).Select(pair => pair.Value).Order()];
        for (; cb.Args[0] < ids.Length; cb.Args[0]++)
        {
            if (RtnlNetFill(skb, ids[cb.Args[0]], info, NLM_F_MULTI) < 0)
                return -EMSGSIZE;
        }

        return 0;
    }

    [Linux("rtnl_net_fill", NetNamespaceC)]
    private static int RtnlNetFill(NlmsgWriter skb, int nsid, NlInfo info, int flags)
    {
        if (!skb.NlmsgPut(info.Portid, info.Seq, RTM_NEWNSID, flags, (byte)AF_UNSPEC))
            return -EMSGSIZE;
        skb.NlaPut(NETNSA_NSID, nsid);
        return skb.NlmsgEnd();
    }

    private static KeyValuePair<uint, int>[] Known(Dictionary<uint, int>? ids)
    {
        if (ids == null)
            return [];
        lock (ids)
            return [.. ids];
    }
}
