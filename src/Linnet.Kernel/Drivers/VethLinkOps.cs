using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Drivers;

/// <summary>Pairs of devices as netlink asks for them (<c>veth_link_ops</c>).</summary>
[LinuxStruct("veth_link_ops")]
internal sealed class VethLinkOps : RtnlLinkOps
{
    /// <inheritdoc/>
    public override string Kind => "veth";

    /// <inheritdoc/>
    public override NlaPolicy[] Policy { get; } = [default, new(NlaKind.MinLen, Marshal.SizeOf<Ifinfomsg>())];

    /// <inheritdoc/>
    public override bool Owns(NetDevice dev) => dev.Ops is Veth;

    /// <inheritdoc/>
    public override int Newlink(NewlinkParams link, out NetDevice? dev)
    {
        dev = null;
        NlAttributes peer = NlAttributes.Empty(IFLA_MAX + 1);
        Ifinfomsg head = default;
        if (link.Data.Has(VETH_INFO_PEER))
        {
            int err = Rtnetlink.RtnlNlaParseIfinfomsg(link.Request, link.Data, VETH_INFO_PEER, out head, out peer);
            if (err < 0)
                return err;
        }

        int result = Veth.VethNewlink(
            link.Net, link.Name ?? "veth%d", link.Net, peer.GetString(IFLA_IFNAME) ?? "veth%d", out NetDevice made, out NetDevice other);
        if (result < 0)
            return result;
        result = Rtnetlink.RtnlConfigureLink(link.Request, other, head, peer);
        if (result < 0)
            Dev.UnregisterNetdev(made);
        else
            dev = made;
        return result;
    }

    /// <inheritdoc/>
    public override NetDevice? GetIflink(NetDevice dev) => dev.Priv as NetDevice;

    /// <inheritdoc/>
    public override NetNamespace GetLinkNet(NetDevice dev) => (dev.Priv as NetDevice)?.Net ?? dev.Net;
}

/// <summary>Devices of programs, which only these make (<c>tun_link_ops</c>).</summary>
[LinuxStruct("tun_link_ops")]
internal sealed class TunLinkOps : RtnlLinkOps
{
    /// <inheritdoc/>
    public override string Kind => "tun";

    /// <inheritdoc/>
    public override bool Owns(NetDevice dev) => dev.Ops is Tun;

    /// <inheritdoc/>
    public override int Newlink(NewlinkParams link, out NetDevice? dev)
    {
        dev = null;
        return link.Request.Extack.Error(-EOPNOTSUPP, "tun/tap creation via rtnetlink is not supported.");
    }
}
