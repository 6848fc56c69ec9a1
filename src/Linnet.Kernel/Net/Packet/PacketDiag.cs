using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <summary>Tells of packet sockets (<c>packet_diag_handler</c>).</summary>
[LinuxFile("net/packet/diag.c")]
internal sealed class PacketDiag(PacketModule module) : SockDiagHandler
{
    // Of pdmc_addr.
    private const int AddressOffset = 12;

    public override int Family => AF_PACKET;

    [Linux("packet_diag_handler_dump")]
    public override int Dump(NetlinkRequest request)
    {
        if (!MemoryMarshal.TryRead(request.Payload, out PacketDiagReq req))
            return -EINVAL;
        if (req.SdiagProtocol != 0)
            return -EINVAL;
        if ((request.Header.NlmsgFlags & NLM_F_DUMP) == 0)
            return -EOPNOTSUPP;
        bool mayReportFilterinfo = request.NetlinkNetCapable(CAP_NET_ADMIN);
        return AfNetlink.NetlinkDumpStart(request, new NetlinkDumpControl
        {
            Dump = (skb, cb) => PacketDiagDump(skb, cb, req, mayReportFilterinfo),
        });
    }

    [Linux("packet_diag_dump")]
    private int PacketDiagDump(NlmsgWriter skb, NetlinkCallback cb, in PacketDiagReq req, bool mayReportFilterinfo)
    {
        var socks = (PacketSock[])(cb.Context ??= module.Table.All.Where(sk => sk.SkcNet == cb.Net).ToArray());
        for (; cb.Args[0] < socks.Length; cb.Args[0]++)
        {
            PacketSock po = socks[cb.Args[0]];
            if (po.SkSocket != null && SkDiagFill(po, skb, cb, req, mayReportFilterinfo) < 0)
                break;
        }

        return skb.Length;
    }

    [Linux("sk_diag_fill")]
    private static int SkDiagFill(PacketSock po, NlmsgWriter skb, NetlinkCallback cb, in PacketDiagReq req, bool mayReportFilterinfo)
    {
        ulong cookie = (ulong)po.SockGenCookie();
        var rp = new PacketDiagMsg
        {
            PdiagFamily = AF_PACKET,
            PdiagType = (byte)po.SkType,
            PdiagNum = po.Num,
            PdiagIno = (uint)(po.SkSocket?.Ino ?? 0),
            PdiagCookieLow = (uint)cookie,
            PdiagCookieHigh = (uint)(cookie >> 32),
        };
        if (!cb.Put(skb, SOCK_DIAG_BY_FAMILY, rp))
            return -EMSGSIZE;
        if ((req.PdiagShow & PACKET_SHOW_INFO) != 0)
        {
            PdiagPutInfo(po, skb);
            skb.NlaPut(PACKET_DIAG_UID, po.SkUid);
        }

        // Rings and fanout are not there, so that nothing is said of them.
        if ((req.PdiagShow & PACKET_SHOW_MCLIST) != 0)
            PdiagPutMclist(po, skb);
        if ((req.PdiagShow & PACKET_SHOW_MEMINFO) != 0)
            SockDiag.SockDiagPutMeminfo(po, skb, PACKET_DIAG_MEMINFO);
        if ((req.PdiagShow & PACKET_SHOW_FILTER) != 0)
            SockDiag.SockDiagPutFilterinfo(mayReportFilterinfo, po, skb, PACKET_DIAG_FILTER);
        return skb.NlmsgEnd();
    }

    [Linux("pdiag_put_info")]
    private static void PdiagPutInfo(PacketSock po, NlmsgWriter skb)
    {
        int flags = (po.Running ? PDI_RUNNING : 0) | (po.Auxdata ? PDI_AUXDATA : 0) | (po.Origdev ? PDI_ORIGDEV : 0);
        skb.NlaPut(PACKET_DIAG_INFO, new PacketDiagInfo { PdiIndex = (uint)po.Ifindex, PdiFlags = (uint)flags });
    }

    [Linux("pdiag_put_mclist")]
    private static void PdiagPutMclist(PacketSock po, NlmsgWriter skb)
    {
        int nest = skb.NlaNestStartNoflag(PACKET_DIAG_MCLIST);
        foreach (PacketMembership membership in po.Memberships.ToArray())
        {
            var entry = new PacketDiagMclist
            {
                PdmcIndex = (uint)membership.Ifindex,
                PdmcCount = (uint)membership.Count,
                PdmcType = membership.Type,
                PdmcAlen = (ushort)membership.Address.Length,
            };
            Span<byte> bytes = MemoryMarshal.AsBytes(new Span<PacketDiagMclist>(ref entry));
            membership.Address.CopyTo(bytes[AddressOffset..]);
            skb.Append(bytes);
        }

        skb.NlaNestEnd(nest);
    }
}
