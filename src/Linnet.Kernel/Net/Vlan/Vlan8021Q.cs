using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Vlan;

/// <summary>VLANs over devices: making and removing them, and following the device below.</summary>
[LinuxFile("net/8021q/vlan.c")]
public static class Vlan8021Q
{
    /// <summary>Has VLANs follow the devices of a machine that boots.</summary>
    [Linux("vlan_proto_init")]
    public static void VlanProtoInit(Machine machine)
    {
        VlanProc.VlanProcInit(machine);
        NetCore.Of(machine).RegisterNetdeviceNotifier(new Notifier());
    }

    /// <summary>Makes a VLAN device, which is down (<c>ip link add link DEV type vlan id ID</c>).</summary>
    /// <param name="realDev">The device below.</param>
    /// <param name="name">Its name; null for that of the device below with <c>.ID</c> behind it.</param>
    /// <param name="protocol"><c>ETH_P_8021Q</c> or <c>ETH_P_8021AD</c>.</param>
    /// <param name="id">The VLAN, 0 to 4094.</param>
    /// <param name="flags">How it behaves.</param>
    /// <param name="dev">The device.</param>
    /// <returns>
    /// 0, -EPROTONOSUPPORT, -ERANGE, -EOPNOTSUPP for a device that cannot carry VLANs, -EEXIST when it has this one or the name is
    /// taken.
    /// </returns>
    [Linux("vlan_newlink", "net/8021q/vlan_netlink.c")]
    public static int VlanNewlink(
        NetDevice realDev, string? name, ushort protocol, int id, out NetDevice? dev, VlanFlags flags = VlanFlags.ReorderHdr)
    {
        dev = null;
        if (!IfVlan.EthTypeVlan(protocol))
            return -EPROTONOSUPPORT;
        if (id is < 0 or >= IfVlan.VLAN_VID_MASK)
            return -ERANGE;
        int err = VlanCheckRealDev(realDev, protocol, (ushort)id);
        if (err < 0)
            return err;
        NetDevice made = new(realDev.Net, name ?? $"{realDev.Name}.{id}", VlanDev.Instance, VlanHeaderOps.Instance)
        {
            Flags = (uint)(realDev.Flags & (IFF_BROADCAST | IFF_MULTICAST | IFF_NOARP)),
            DevAddr = realDev.DevAddr,
            Broadcast = realDev.Broadcast,
            Mtu = realDev.Mtu,
            Type = realDev.Type,
            HardHeaderLen = realDev.HardHeaderLen + IfVlan.VLAN_HLEN,
            Features = NetdevFeatures.Lltx | (realDev.Features
                & (NetdevFeatures.HwCsum | NetdevFeatures.Sg | NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4)),
            Lower = realDev,
            Priv = new VlanDevPriv(realDev, protocol, (ushort)id, flags),
        };
        err = RegisterVlanDev(made);
        if (err == 0)
            dev = made;
        return err;
    }

    /// <summary>Removes a VLAN device.</summary>
    [Linux("unregister_vlan_dev")]
    public static void UnregisterVlanDev(NetDevice dev)
    {
        VlanDevPriv vlan = VlanDev.PrivOf(dev)!;
        Dev.UnregisterNetdev(dev);
        lock (dev.Net.Devices)
        {
            if (vlan.RealDev.Vlans is not VlanInfo info)
                return;
            info.Set(vlan.VlanProto, vlan.VlanId, null);
            if (info.IsEmpty)
                vlan.RealDev.Vlans = null;
        }

        VlanProc.VlanProcRemDev(dev);
    }

    /// <summary>The VLAN devices over a device.</summary>
    public static IReadOnlyList<NetDevice> VlansOf(NetDevice realDev) =>
        realDev.Vlans is VlanInfo info ? [.. info.All] : [];

    [Linux("vlan_check_real_dev")]
    private static int VlanCheckRealDev(NetDevice realDev, ushort protocol, ushort id)
    {
        if ((realDev.Features & NetdevFeatures.VlanChallenged) != 0)
            return -EOPNOTSUPP;
        return realDev.Vlans is VlanInfo info && info.VlanFindDev(protocol, id) != null ? -EEXIST : 0;
    }

    [Linux("register_vlan_dev")]
    private static int RegisterVlanDev(NetDevice dev)
    {
        VlanDevPriv vlan = VlanDev.PrivOf(dev)!;
        int err = Dev.RegisterNetdev(dev);
        if (err < 0)
            return err;
        lock (dev.Net.Devices)
        {
            var info = (VlanInfo?)vlan.RealDev.Vlans ?? new VlanInfo();
            info.Set(vlan.VlanProto, vlan.VlanId, dev);
            vlan.RealDev.Vlans = info;
        }

        VlanProc.VlanProcAddDev(dev);
        return 0;
    }

    [Linux("vlan_device_event")]
    private static void VlanDeviceEvent(NetdevEvent what, NetDevice dev)
    {
        if (what == NetdevEvent.ChangeName && VlanDev.PrivOf(dev) != null)
        {
            VlanProc.VlanProcRemDev(dev);
            VlanProc.VlanProcAddDev(dev);
        }

        foreach (NetDevice vlanDev in VlansOf(dev))
        {
            VlanDevPriv vlan = VlanDev.PrivOf(vlanDev)!;
            bool loose = (vlan.Flags & VlanFlags.LooseBinding) != 0;
            switch (what)
            {
                case NetdevEvent.Change:
                    VlanTransferOperstate(dev, vlanDev);
                    break;
                case NetdevEvent.ChangeAddr:
                    VlanSyncAddress(dev, vlanDev);
                    break;
                case NetdevEvent.ChangeMtu when vlanDev.Mtu > dev.Mtu:
                    Dev.DevSetMtu(vlanDev, dev.Mtu);
                    break;
                case NetdevEvent.Down:
                    if (!loose)
                        Dev.DevClose(vlanDev);
                    VlanTransferOperstate(dev, vlanDev);
                    break;
                case NetdevEvent.Up:
                    if (!loose)
                        Dev.DevOpen(vlanDev);
                    VlanTransferOperstate(dev, vlanDev);
                    break;
                case NetdevEvent.Unregister:
                    UnregisterVlanDev(vlanDev);
                    break;
            }
        }
    }

    // The VLAN has a link while the device below has one.
    private static void VlanTransferOperstate(NetDevice dev, NetDevice vlanDev)
    {
        if ((dev.Flags & IFF_RUNNING) != 0 && vlanDev.IsUp)
            Dev.NetifCarrierOn(vlanDev);
        else if ((dev.Flags & IFF_RUNNING) == 0)
            Dev.NetifCarrierOff(vlanDev);
    }

    [Linux("vlan_sync_address")]
    private static void VlanSyncAddress(NetDevice dev, NetDevice vlanDev)
    {
        if (!VlanDev.PrivOf(vlanDev)!.AddrInherited)
            return;
        vlanDev.DevAddr = dev.DevAddr;
        Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeAddr, vlanDev);
    }

    private sealed class Notifier : NetdevNotifier
    {
        public override void Call(NetdevEvent what, NetDevice dev) => VlanDeviceEvent(what, dev);
    }
}
