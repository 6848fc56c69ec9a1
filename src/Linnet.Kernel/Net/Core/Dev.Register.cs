using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What happened to a device (<c>NETDEV_*</c>).</summary>
public enum NetdevEvent
{
    /// <summary>It was registered.</summary>
    Register,

    /// <summary>It was brought up.</summary>
    Up,

    /// <summary>It is about to be brought down.</summary>
    GoingDown,

    /// <summary>It was brought down.</summary>
    Down,

    /// <summary>Its MTU changed.</summary>
    ChangeMtu,

    /// <summary>Its link address changed.</summary>
    ChangeAddr,

    /// <summary>Its name changed.</summary>
    ChangeName,

    /// <summary>Its link came or went.</summary>
    Change,

    /// <summary>It became a part of another, or is no longer.</summary>
    ChangeUpper,

    /// <summary>The length of its transmit queue changed.</summary>
    ChangeTxQueueLen,

    /// <summary>It is going away; everything that refers to it must let go.</summary>
    Unregister,
}

/// <summary>Is told what happens to the devices of a machine (<c>register_netdevice_notifier</c>).</summary>
public abstract class NetdevNotifier
{
    /// <summary>Called after the event, except for <see cref="NetdevEvent.GoingDown"/>.</summary>
    public abstract void Call(NetdevEvent what, NetDevice dev);
}

/// <content>Devices coming, changing and going.</content>
public static partial class Dev
{
    private const int MinMtu = 68;
    private const int MaxMtu = 65535;

    /// <summary>The largest MTU of a device that is no loopback.</summary>
    public const int LargestMtu = MaxMtu;


    /// <summary>
    /// Adds a device to its namespace (<c>register_netdevice</c>). A <c>%d</c> in its name becomes the lowest free number.
    /// </summary>
    /// <returns>0, -EEXIST when the name is taken, or -EINVAL when it is none.</returns>
    [Linux("register_netdev")]
    public static int RegisterNetdev(NetDevice dev)
    {
        NetDeviceTable table = dev.Net.Devices;
        lock (table)
        {
            int err = DevGetValidName(dev, dev.Name, out string name);
            if (err < 0)
                return err;
            dev.Name = name;
            table.List(dev);
        }

        CallNetdeviceNotifiers(NetdevEvent.Register, dev);
        return 0;
    }

    /// <summary>Brings a device down and takes it out of its namespace (<c>unregister_netdevice</c>).</summary>
    [Linux("unregister_netdev")]
    public static void UnregisterNetdev(NetDevice dev)
    {
        DevClose(dev);
        CallNetdeviceNotifiers(NetdevEvent.Unregister, dev);
        dev.Net.Devices.Unlist(dev);
        dev.Qdisc?.Destroy();
        dev.Ops.Uninit(dev);
    }

    /// <summary>Brings a device up (<c>dev_open</c>).</summary>
    /// <returns>0 or the driver's negative errno.</returns>
    [Linux("dev_open")]
    public static int DevOpen(NetDevice dev)
    {
        if (dev.IsUp)
            return 0;
        int err = dev.Ops.Open(dev);
        if (err < 0)
            return err;
        dev.Flags |= IFF_UP;
        SchGeneric.DevActivate(dev);
        CallNetdeviceNotifiers(NetdevEvent.Up, dev);
        return 0;
    }

    /// <summary>Brings a device down (<c>dev_close</c>): what waits in its queue is dropped.</summary>
    [Linux("dev_close")]
    public static void DevClose(NetDevice dev)
    {
        if (!dev.IsUp)
            return;
        CallNetdeviceNotifiers(NetdevEvent.GoingDown, dev);
        dev.Flags &= ~(uint)IFF_UP;
        SchGeneric.DevDeactivate(dev);
        dev.Ops.Stop(dev);
        CallNetdeviceNotifiers(NetdevEvent.Down, dev);
    }

    /// <summary>Sets the flags that a user may set (<c>dev_change_flags</c>).</summary>
    /// <returns>0 or the driver's negative errno.</returns>
    [Linux("dev_change_flags")]
    public static int DevChangeFlags(NetDevice dev, uint flags)
    {
        const uint Settable = (uint)(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL
            | IFF_AUTOMEDIA);
        dev.Flags = (flags & Settable) | (dev.Flags & ~Settable);
        // A user counts as one of those who want all frames, however often he says so.
        uint changed = flags ^ dev.Gflags;
        dev.Gflags ^= changed & (IFF_PROMISC | IFF_ALLMULTI);
        if ((changed & IFF_PROMISC) != 0)
            DevSetPromiscuity(dev, (flags & IFF_PROMISC) != 0 ? 1 : -1);
        if ((changed & IFF_ALLMULTI) != 0)
            DevSetAllmulti(dev, (flags & IFF_ALLMULTI) != 0 ? 1 : -1);
        if ((flags & IFF_UP) != 0)
            return DevOpen(dev);
        DevClose(dev);
        return 0;
    }

    /// <summary>
    /// The flags as users see them: that all frames are taken only where they asked for it, that the link carries only where the
    /// device is up.
    /// </summary>
    [Linux("dev_get_flags")]
    public static uint DevGetFlags(NetDevice dev)
    {
        const uint Users = IFF_PROMISC | IFF_ALLMULTI, Link = IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT;
        uint flags = (dev.Flags & ~(Users | Link)) | (dev.Gflags & Users);
        return dev.IsUp ? flags | (dev.Flags & Link) : flags;
    }

    /// <summary>Changes the MTU (<c>dev_set_mtu</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="mtu">68 to 65535 bytes (65536 on loopback).</param>
    /// <returns>0, -EINVAL out of range, or the driver's negative errno.</returns>
    [Linux("dev_set_mtu")]
    public static int DevSetMtu(NetDevice dev, int mtu)
    {
        if (mtu == dev.Mtu)
            return 0;
        if (mtu < MinMtu || mtu > (dev.Type == ARPHRD_LOOPBACK ? MaxMtu + 1 : MaxMtu))
            return -EINVAL;
        int err = dev.Ops.ChangeMtu(dev, mtu);
        if (err < 0)
            return err;
        dev.Mtu = mtu;
        CallNetdeviceNotifiers(NetdevEvent.ChangeMtu, dev);
        return 0;
    }

    /// <summary>Changes the length of the transmit queue (<c>dev_change_tx_queue_len</c>).</summary>
    /// <returns>0, or -ERANGE for a negative length.</returns>
    [Linux("dev_change_tx_queue_len")]
    public static int DevChangeTxQueueLen(NetDevice dev, long length)
    {
        if (length is < 0 or > int.MaxValue)
            return -ERANGE;
        if (dev.TxQueueLen == length)
            return 0;
        dev.TxQueueLen = (int)length;
        CallNetdeviceNotifiers(NetdevEvent.ChangeTxQueueLen, dev);
        dev.Qdisc?.NotifyTxQueueLen();
        return 0;
    }

    /// <summary>Changes the name (<c>dev_change_name</c>).</summary>
    /// <returns>0, -EEXIST or -EINVAL.</returns>
    [Linux("dev_change_name")]
    public static int DevChangeName(NetDevice dev, string newName)
    {
        if (newName == dev.Name)
            return 0;
        lock (dev.Net.Devices)
        {
            int err = DevGetValidName(dev, newName, out string name);
            if (err < 0)
                return err;
            dev.Name = name;
        }

        CallNetdeviceNotifiers(NetdevEvent.ChangeName, dev);
        return 0;
    }

    /// <summary>Changes the link address (<c>dev_set_mac_address</c>).</summary>
    /// <returns>0, -EADDRNOTAVAIL for a multicast or zero address, or the driver's negative errno.</returns>
    [Linux("dev_set_mac_address")]
    public static int DevSetMacAddress(NetDevice dev, ReadOnlySpan<byte> address)
    {
        if (address.Length != dev.DevAddr.Length)
            return -EINVAL;
        if (dev.Type == ARPHRD_ETHER && ((address[0] & 1) != 0 || address.IndexOfAnyExcept((byte)0) < 0))
            return -EADDRNOTAVAIL;
        int err = dev.Ops.SetMacAddress(dev, address);
        if (err < 0)
            return err;
        dev.DevAddr = address.ToArray();
        CallNetdeviceNotifiers(NetdevEvent.ChangeAddr, dev);
        return 0;
    }

    /// <summary>Has a handler see all frames of a device first (<c>netdev_rx_handler_register</c>).</summary>
    /// <returns>0, or -EBUSY when there is one.</returns>
    [Linux("netdev_rx_handler_register")]
    internal static int NetdevRxHandlerRegister(NetDevice dev, RxHandler handler)
    {
        lock (dev.Net.Devices)
        {
            if (dev.RxHandler != null)
                return -EBUSY;
            dev.RxHandler = handler;
        }

        return 0;
    }

    /// <summary>Takes the handler away (<c>netdev_rx_handler_unregister</c>).</summary>
    [Linux("netdev_rx_handler_unregister")]
    internal static void NetdevRxHandlerUnregister(NetDevice dev) => dev.RxHandler = null;

    /// <summary>The link came up (<c>netif_carrier_on</c>).</summary>
    public static void NetifCarrierOn(NetDevice dev) => SetCarrier(dev, on: true);

    /// <summary>The link was lost (<c>netif_carrier_off</c>).</summary>
    public static void NetifCarrierOff(NetDevice dev) => SetCarrier(dev, on: false);

    /// <summary>Adds a tap that sees all packets of a device.</summary>
    public static void AddTap(NetDevice dev, PacketTap tap)
    {
        lock (dev.Net.Devices)
            dev.Taps = [.. dev.Taps, tap];
    }

    /// <summary>Removes a tap.</summary>
    public static void RemoveTap(NetDevice dev, PacketTap tap)
    {
        lock (dev.Net.Devices)
            dev.Taps = [.. dev.Taps.Where(other => other != tap)];
    }

    /// <summary>Whether a text can be a device's name (<c>dev_valid_name</c>).</summary>
    public static bool DevValidName(string name) =>
        name.Length > 0 && Encoding.UTF8.GetByteCount(name) < IFNAMSIZ && name is not ("." or "..")
        && !name.Any(c => c is '/' or ':' || char.IsWhiteSpace(c));

    private static void SetCarrier(NetDevice dev, bool on)
    {
        uint flags = on ? dev.Flags | IFF_RUNNING | IFF_LOWER_UP : dev.Flags & ~(uint)(IFF_RUNNING | IFF_LOWER_UP);
        if (flags == dev.Flags)
            return;
        dev.Flags = flags;
        if (on)
            dev.CarrierUpCount++;
        else
            dev.CarrierDownCount++;
        CallNetdeviceNotifiers(NetdevEvent.Change, dev);
    }

    private static int DevGetValidName(NetDevice dev, string wanted, out string name)
    {
        name = wanted;
        if (!DevValidName(wanted))
            return -EINVAL;
        if (!wanted.Contains("%d", StringComparison.Ordinal))
            return dev.Net.Devices.DevGetByName(wanted) is { } other && other != dev ? -EEXIST : 0;
        int number = 0;
        do
            name = wanted.Replace("%d", number++.ToString(), StringComparison.Ordinal);
        while (dev.Net.Devices.DevGetByName(name) != null);
        return DevValidName(name) ? 0 : -EINVAL;
    }

    [Linux("call_netdevice_notifiers")]
    internal static void CallNetdeviceNotifiers(NetdevEvent what, NetDevice dev)
    {
        foreach (NetdevNotifier notifier in dev.Net.Core.Notifiers)
            notifier.Call(what, dev);
    }
}
