using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>Making and removing bridges, and devices becoming their ports.</summary>
[LinuxFile("net/bridge/br_if.c")]
public static class BrIf
{
    // BR_MAX_PORTS
    private const int MaxPorts = 1024;

    /// <summary>Has bridges follow the devices of a machine that boots.</summary>
    [Linux("br_init", "net/bridge/br.c")]
    public static void BrInit(Machine machine) => NetCore.Of(machine).RegisterNetdeviceNotifier(new Notifier());

    /// <summary>Makes a bridge without ports, which is down (<c>ip link add NAME type bridge</c>).</summary>
    /// <returns>0, -EEXIST or -EINVAL.</returns>
    [Linux("br_add_bridge")]
    public static int BrAddBridge(NetNamespace net, string name, out NetBridge? br)
    {
        NetBridge made = new();
        made.Dev = BrDevice.BrDevSetup(net, name, made);
        made.Fdb = new BrFdb(made, net.Machine);
        made.InitStp();
        br = null;
        int err = Dev.RegisterNetdev(made.Dev);
        if (err < 0)
            return err;
        made.Fdb.BrFdbAddLocal(null, made.Dev.DevAddr);
        br = made;
        return 0;
    }

    /// <summary>Removes a bridge, which has to be down.</summary>
    /// <returns>0, -ENXIO when there is none of the name, -EPERM when it is no bridge, -EBUSY while it is up.</returns>
    [Linux("br_del_bridge")]
    public static int BrDelBridge(NetNamespace net, string name)
    {
        if (net.Devices.DevGetByName(name) is not { } dev)
            return -ENXIO;
        if (NetBridge.Of(dev) == null)
            return -EPERM;
        if (dev.IsUp)
            return -EBUSY;
        Dev.UnregisterNetdev(dev);
        return 0;
    }

    /// <summary>Makes a device a port of a bridge (<c>ip link set DEV master BRIDGE</c>).</summary>
    /// <returns>
    /// 0, -EINVAL for a device that is no Ethernet or of another namespace, -ELOOP for a bridge or what is over this one, -EBUSY for a
    /// port, -EXFULL when there are 1023 ports.
    /// </returns>
    [Linux("br_add_if")]
    public static int BrAddIf(NetBridge br, NetDevice dev)
    {
        if ((dev.Flags & IFF_LOOPBACK) != 0 || dev.Type != ARPHRD_ETHER || dev.Net != br.Dev.Net || !IsValidEtherAddr(dev.DevAddr))
            return -EINVAL;
        if (dev.Ops is BrDevice || IsOver(dev, br.Dev))
            return -ELOOP;
        if (dev.Master != null || dev.RxHandler != null)
            return -EBUSY;
        int portNo = FindPortno(br);
        if (portNo < 0)
            return portNo;
        NetBridgePort p = new(br, dev, portNo);
        BrStp.InitPort(p);
        Dev.DevSetAllmulti(dev, 1);
        int err = Dev.NetdevRxHandlerRegister(dev, p);
        if (err < 0)
        {
            Dev.DevSetAllmulti(dev, -1);
            return err;
        }

        dev.Master = br.Dev;
        Core.Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeUpper, dev);
        Dev.DevSetPromiscuity(dev, 1);
        lock (br.Lock)
            br.PortList = [.. br.PortList.Append(p).OrderBy(each => each.PortNo)];
        br.Fdb.BrFdbAddLocal(p, dev.DevAddr);
        if (BrStpIf.BrStpRecalculateBridgeId(br))
            Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeAddr, br.Dev);
        if (dev.IsRunning && br.Dev.IsUp)
            BrStpIf.BrStpEnablePort(p);
        BrMtuAutoAdjust(br);
        return 0;
    }

    /// <summary>Takes a port from a bridge (<c>ip link set DEV nomaster</c>).</summary>
    /// <returns>0, or -EINVAL when the device is no port of it.</returns>
    [Linux("br_del_if")]
    public static int BrDelIf(NetBridge br, NetDevice dev)
    {
        if (NetBridgePort.Of(dev) is not { } p || p.Br != br)
            return -EINVAL;
        DelNbp(p);
        BrMtuAutoAdjust(br);
        if (BrStpIf.BrStpRecalculateBridgeId(br))
            Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeAddr, br.Dev);
        return 0;
    }

    /// <summary>Changes how a port is used (<c>bridge link set</c>).</summary>
    [Linux("br_set_port_flag", "net/bridge/br_netlink.c")]
    public static void BrSetPortFlag(NetBridgePort p, BrPortFlags flag, bool on) => p.Flags = on ? p.Flags | flag : p.Flags & ~flag;

    /// <summary>Sets how long addresses are remembered (<c>ageing_time</c>); 0 to learn none, so that all is flooded.</summary>
    /// <param name="br">The bridge.</param>
    /// <param name="ageingTime">ms</param>
    [Linux("br_set_ageing_time", "net/bridge/br_stp.c")]
    public static void BrSetAgeingTime(NetBridge br, long ageingTime)
    {
        br.AgeingTime = ageingTime;
        br.Fdb.HoldTimeChanged();
    }

    /// <summary>Sets which link-local groups are passed on (<c>group_fwd_mask</c>).</summary>
    /// <returns>0, or -EINVAL for those that never are: the spanning tree's, pause frames and LACP's.</returns>
    public static int SetGroupFwdMask(NetBridge br, ushort mask)
    {
        const int Restricted = 7;
        if ((mask & Restricted) != 0)
            return -EINVAL;
        br.GroupFwdMask = mask;
        return 0;
    }

    /// <summary>Sets the most addresses that are learned (<c>fdb_max_learned</c>); 0 for no limit.</summary>
    public static void SetFdbMaxLearned(NetBridge br, int max) => br.Fdb.MaxLearned = max;

    /// <summary>Whether an address can be a host's: not of a group, not zero.</summary>
    internal static bool IsValidEtherAddr(ReadOnlySpan<byte> addr) =>
        addr.Length == ETH_ALEN && (addr[0] & 1) == 0 && addr.IndexOfAnyExcept((byte)0) >= 0;

    [Linux("del_nbp")]
    internal static void DelNbp(NetBridgePort p)
    {
        NetBridge br = p.Br;
        NetDevice dev = p.Dev;
        BrStpIf.BrStpDisablePort(p);
        Dev.NetdevRxHandlerUnregister(dev);
        dev.Master = null;
        Core.Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeUpper, dev);
        lock (br.Lock)
            br.PortList = [.. br.PortList.Where(other => other != p)];
        br.Fdb.BrFdbDeleteByPort(p, doAll: true);
        Dev.DevSetPromiscuity(dev, -1);
        Dev.DevSetAllmulti(dev, -1);
    }

    // The host may not send by the bridge what a port cannot carry.
    [Linux("br_mtu_auto_adjust")]
    private static void BrMtuAutoAdjust(NetBridge br)
    {
        if (br.MtuSetByUser)
            return;
        int mtu = br.PortList is { Length: > 0 } ports ? ports.Min(p => p.Dev.Mtu) : ETH_DATA_LEN;
        Dev.DevSetMtu(br.Dev, mtu);
        br.MtuSetByUser = false;
    }

    [Linux("find_portno")]
    private static int FindPortno(NetBridge br)
    {
        for (int number = 1; number < MaxPorts; number++)
        {
            if (!Array.Exists(br.PortList, p => p.PortNo == number))
                return number;
        }

        return -EXFULL;
    }

    // A VLAN over the bridge cannot become its port: frames would go round.
    private static bool IsOver(NetDevice dev, NetDevice below)
    {
        for (NetDevice? each = dev; each != null; each = each.Lower)
        {
            if (each == below)
                return true;
        }

        return false;
    }

    [Linux("br_device_event", "net/bridge/br.c")]
    private static void BrDeviceEvent(NetdevEvent what, NetDevice dev)
    {
        if (NetBridgePort.Of(dev) is not { } p)
            return;
        NetBridge br = p.Br;
        switch (what)
        {
            case NetdevEvent.ChangeMtu:
                BrMtuAutoAdjust(br);
                break;
            case NetdevEvent.ChangeAddr:
                br.Fdb.BrFdbChangeaddr(p, dev.DevAddr);
                if (BrStpIf.BrStpRecalculateBridgeId(br))
                    Dev.CallNetdeviceNotifiers(NetdevEvent.ChangeAddr, br.Dev);
                break;
            case NetdevEvent.Down:
                BrStpIf.BrStpDisablePort(p);
                break;
            case NetdevEvent.Up or NetdevEvent.Change:
                BrPortCarrierCheck(p);
                break;
            case NetdevEvent.Unregister:
                BrDelIf(br, dev);
                break;
        }
    }

    // A port takes part while its device is up and has a link, and the bridge is up.
    [Linux("br_port_carrier_check")]
    private static void BrPortCarrierCheck(NetBridgePort p)
    {
        if (!p.Br.Dev.IsUp)
            return;
        if (p.Dev.IsRunning)
            BrStpIf.BrStpEnablePort(p);
        else
            BrStpIf.BrStpDisablePort(p);
    }

    private sealed class Notifier : NetdevNotifier
    {
        public override void Call(NetdevEvent what, NetDevice dev) => BrDeviceEvent(what, dev);
    }
}
