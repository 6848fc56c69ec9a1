using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The old requests on neighbours.</content>
public static partial class Arp
{
    /// <summary>Sets, shows or deletes a neighbour (<c>SIOCSARP</c>, <c>SIOCGARP</c>, <c>SIOCDARP</c>).</summary>
    /// <returns>0, -EPERM, -EFAULT, -EPFNOSUPPORT, -EINVAL, -ENODEV, -ENXIO, or what the change answers.</returns>
    [Linux("arp_ioctl")]
    public static int ArpIoctl(NetNamespace net, uint cmd, Sockptr arg)
    {
        if (cmd is SIOCDARP or SIOCSARP && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_ADMIN))
            return -EPERM;
        if (arg.Get(out Arpreq r) < 0)
            return -EFAULT;
        if (r.ArpPa.SaFamily != AF_INET)
            return -EPFNOSUPPORT;
        if ((r.ArpFlags & ATF_PUBL) == 0 && (r.ArpFlags & (ATF_NETMASK | ATF_DONTPUB)) != 0)
            return -EINVAL;
        uint ip = IpOf(in r.ArpPa);
        int err = DeviceOf(net, ref r, ip, cmd, out NetDevice? dev);
        if (err < 0)
            return err;
        switch (cmd)
        {
            case SIOCSARP when (r.ArpFlags & ATF_PUBL) != 0:
                return ArpReqSetPublic(net, in r, ip, dev);
            case SIOCDARP when (r.ArpFlags & ATF_PUBL) != 0:
                return ArpReqDeletePublic(net, in r, ip, dev);
            case SIOCSARP:
                return ArpReqSet(dev!, in r, ip);
            case SIOCDARP:
                return ArpInvalidate(dev!, ip);
            default:
                err = ArpReqGet(dev!, ref r, ip);
                return err < 0 ? err : arg.Put(r);
        }
    }

    [Linux("arp_req_set")]
    private static int ArpReqSet(NetDevice dev, in Arpreq r, uint ip)
    {
        if (r.ArpHa.SaFamily != dev.Type)
            return -EINVAL;
        Neighbour? n = dev.Net.Ipv4.ArpTbl.LookupOrCreate(KeyOf(dev, ip), dev);
        if (n == null)
            return -ENOBUFS;
        int state = (r.ArpFlags & ATF_PERM) != 0 ? Nud.PERMANENT : Nud.STALE;
        if ((r.ArpFlags & ATF_COM) == 0)
            return n.Update(default, state, NeighUpdate.Override | NeighUpdate.Admin);
        ReadOnlySpan<byte> ha = MemoryMarshal.AsBytes(new ReadOnlySpan<Bytes14>(in r.ArpHa.SaData));
        return n.Update(ha[..dev.DevAddr.Length], state, NeighUpdate.Override | NeighUpdate.Admin);
    }

    [Linux("arp_req_get")]
    private static int ArpReqGet(NetDevice dev, ref Arpreq r, uint ip)
    {
        Neighbour? n = Ipv4NeighLookup(dev, ip);
        if (n == null || (n.NudState & Nud.NOARP) != 0)
            return -ENXIO;
        r.ArpHa = default;
        n.Ha.CopyTo(MemoryMarshal.AsBytes(new Span<Bytes14>(ref r.ArpHa.SaData)));
        r.ArpHa.SaFamily = dev.Type;
        r.ArpFlags = FlagsOf(n);
        Span<byte> name = MemoryMarshal.AsBytes(new Span<Bytes16>(ref r.ArpDev));
        name.Clear();
        Encoding.UTF8.GetBytes(dev.Name, name);
        return 0;
    }

    [Linux("arp_invalidate")]
    private static int ArpInvalidate(NetDevice dev, uint ip)
    {
        Neighbour? n = Ipv4NeighLookup(dev, ip);
        if (n == null)
            return -ENXIO;
        int err = (n.NudState & ~Nud.NOARP) == 0
            ? -ENXIO
            : n.Update(default, Nud.FAILED, NeighUpdate.Override | NeighUpdate.Admin);
        if (err == 0)
            dev.Net.Ipv4.ArpTbl.Remove(n);
        return err;
    }

    /// <summary>A neighbour's state as the flags of the old requests (<c>arp_state_to_flags</c>).</summary>
    internal static int FlagsOf(Neighbour n)
    {
        if ((n.NudState & Nud.PERMANENT) != 0)
            return ATF_PERM | ATF_COM;
        return (n.NudState & Nud.VALID) != 0 ? ATF_COM : 0;
    }

    private static int DeviceOf(NetNamespace net, ref Arpreq r, uint ip, uint cmd, out NetDevice? dev)
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<Bytes16>(ref r.ArpDev));
        bytes[^1] = 0;
        int length = bytes.IndexOf((byte)0);
        if (length > 0)
        {
            dev = net.Devices.DevGetByName(Encoding.UTF8.GetString(bytes[..length]));
            if (dev == null)
                return -ENODEV;
            if (cmd == SIOCSARP && r.ArpHa.SaFamily == 0)
                r.ArpHa.SaFamily = dev.Type;
            return r.ArpHa.SaFamily == 0 || r.ArpHa.SaFamily == dev.Type ? 0 : -EINVAL;
        }

        dev = null;
        if (cmd == SIOCGARP)
            return -ENODEV;
        if ((r.ArpFlags & ATF_PUBL) != 0)
            return 0;
        Flowi4 fl4 = new() { Daddr = ip };
        int err = Route.IpRouteOutputKey(net, ref fl4, out Rtable? rt);
        if (err < 0)
            return err;
        dev = rt!.Dev;
        return 0;
    }

    // One address is answered for, or, with mask 0, all that this host has a way to.
    [Linux("arp_req_set_public")]
    private static int ArpReqSetPublic(NetNamespace net, in Arpreq r, uint ip, NetDevice? dev)
    {
        uint mask = MaskOf(in r);
        if (mask != 0 && mask != uint.MaxValue)
            return -EINVAL;
        if (mask == 0)
            return ArpReqSetProxy(net, dev, 1);
        net.Ipv4.ArpTbl.PneighCreate(ip, dev);
        return 0;
    }

    [Linux("arp_req_delete_public")]
    private static int ArpReqDeletePublic(NetNamespace net, in Arpreq r, uint ip, NetDevice? dev) => MaskOf(in r) switch
    {
        uint.MaxValue => net.Ipv4.ArpTbl.PneighDelete(ip, dev),
        0 => ArpReqSetProxy(net, dev, 0),
        _ => -EINVAL,
    };

    [Linux("arp_req_set_proxy")]
    private static int ArpReqSetProxy(NetNamespace net, NetDevice? dev, int on)
    {
        Ipv4DevconfTable? table = dev == null ? net.Ipv4.DevconfAll : InDevice.Get(dev)?.Cnf;
        if (table == null)
            return -ENXIO;
        table[Ipv4Devconf.ProxyArp] = on;
        return 0;
    }

    private static uint MaskOf(in Arpreq r) => (r.ArpFlags & ATF_NETMASK) != 0 ? IpOf(in r.ArpNetmask) : uint.MaxValue;

    private static uint IpOf(in Sockaddr address)
    {
        SockaddrIn.Read(MemoryMarshal.AsBytes(new ReadOnlySpan<Sockaddr>(in address)), out uint addr, out _);
        return addr;
    }
}
