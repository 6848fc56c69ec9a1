using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Requests about network devices that come in through any socket (<c>net/core/dev_ioctl.c</c>).</summary>
[LinuxFile("net/core/dev_ioctl.c")]
public static class DevIoctl
{
    /// <summary>
    /// Lists the addresses of the namespace's devices (<c>SIOCGIFCONF</c>), device by device in the order of their indices;
    /// families say which addresses a device has.
    /// </summary>
    /// <returns>0 or -EFAULT.</returns>
    [Linux("dev_ifconf")]
    public static int DevIfconf(NetNamespace net, Sockptr uifc)
    {
        if (uifc.Get(out Ifconf ifc) < 0)
            return -EFAULT;
        Sockptr position = new(uifc.Mm, ifc.IfcBuf);
        int room = ifc.IfcLen;
        int total = 0;
        foreach (NetDevice dev in net.Devices.All)
        {
            int done = net.Core.InetGifconf is not { } gifconf ? 0
                : position.IsNull ? gifconf(dev, default, 0) : gifconf(dev, position.Add(total), room - total);
            if (done < 0)
                return -EFAULT;
            total += done;
        }

        return uifc.Put(total);
    }

    /// <summary>Carries out a request about a device (<c>dev_ioctl</c>).</summary>
    /// <param name="net">Where the device is.</param>
    /// <param name="cmd">The request.</param>
    /// <param name="ifr">Argument and answer.</param>
    /// <param name="needCopyout">Whether the answer is to be copied to the caller.</param>
    /// <returns>0 or a negative errno; -ENOTTY for a request that is not about devices.</returns>
    [Linux("dev_ioctl")]
    public static int DevIoctlCore(NetNamespace net, uint cmd, ref Ifreq ifr, out bool needCopyout)
    {
        needCopyout = true;
        if (cmd == SIOCGIFNAME)
            return DevIfname(net, ref ifr);
        string name = NameOf(ref ifr);
        switch (cmd)
        {
            case SIOCGIFHWADDR:
                return NetifGetMacAddress(net, name, ref ifr);
            case SIOCGIFFLAGS or SIOCGIFMETRIC or SIOCGIFMTU or SIOCGIFSLAVE or SIOCGIFMAP or SIOCGIFINDEX or SIOCGIFTXQLEN:
                return DevIfsiocLocked(net, name, ref ifr, cmd);
            case SIOCSIFNAME:
                return MayChange(net) ? DevIfsioc(net, name, ref ifr, cmd) : -EPERM;
            case SIOCSIFMAP or SIOCSIFTXQLEN when !TaskStruct.Current.Capable(CAP_NET_ADMIN):
                return -EPERM;
            case SIOCSIFMAP or SIOCSIFTXQLEN or SIOCSIFFLAGS or SIOCSIFMETRIC or SIOCSIFMTU or SIOCSIFHWADDR or SIOCSIFSLAVE
                or SIOCADDMULTI or SIOCDELMULTI or SIOCSIFHWBROADCAST:
                needCopyout = false;
                return MayChange(net) ? DevIfsioc(net, name, ref ifr, cmd) : -EPERM;
            case SIOCETHTOOL or SIOCGMIIPHY or SIOCGMIIREG or SIOCSMIIREG or SIOCSHWTSTAMP or SIOCGHWTSTAMP:
                net.Machine.Unsupported.Add(RequestKind.Ioctl, cmd);
                return net.Devices.DevGetByName(name) == null ? -ENODEV : -EOPNOTSUPP;
            case SIOCWANDEV or (>= SIOCDEVPRIVATE and <= SIOCDEVPRIVATE + 15):
                return net.Devices.DevGetByName(name) == null ? -ENODEV : -EOPNOTSUPP;
            default:
                return -ENOTTY;
        }
    }

    [Linux("dev_ifname")]
    private static int DevIfname(NetNamespace net, ref Ifreq ifr)
    {
        NetDevice? dev = net.Devices.DevGetByIndex(ifr.IfrIfindex);
        if (dev == null)
            return -ENODEV;
        Span<byte> name = Bytes(ref ifr.IfrName);
        name.Clear();
        Encoding.UTF8.GetBytes(dev.Name, name);
        return 0;
    }

    [Linux("netif_get_mac_address", "net/core/dev.c")]
    private static int NetifGetMacAddress(NetNamespace net, string name, ref Ifreq ifr)
    {
        NetDevice? dev = net.Devices.DevGetByName(name);
        if (dev == null)
            return -ENODEV;
        ifr.IfrHwaddr = default;
        ifr.IfrHwaddr.SaFamily = dev.Type;
        dev.DevAddr.CopyTo(Bytes(ref ifr.IfrHwaddr.SaData));
        return 0;
    }

    /// <summary>The requests that only read.</summary>
    [Linux("dev_ifsioc_locked")]
    private static int DevIfsiocLocked(NetNamespace net, string name, ref Ifreq ifr, uint cmd)
    {
        NetDevice? dev = net.Devices.DevGetByName(name);
        if (dev == null)
            return -ENODEV;
        switch (cmd)
        {
            case SIOCGIFFLAGS:
                ifr.IfrFlags = (short)Dev.DevGetFlags(dev);
                return 0;
            case SIOCGIFMETRIC:
                ifr.IfrMetric = 0;
                return 0;
            case SIOCGIFMTU:
                ifr.IfrMtu = dev.Mtu;
                return 0;
            case SIOCGIFSLAVE:
                return -EINVAL;
            case SIOCGIFMAP:
                // No device here has the hardware that this tells of.
                ifr.IfrMap = default;
                return 0;
            case SIOCGIFINDEX:
                ifr.IfrIfindex = dev.Ifindex;
                return 0;
            default:
                ifr.IfrQlen = dev.TxQueueLen;
                return 0;
        }
    }

    /// <summary>The requests that change a device.</summary>
    [Linux("dev_ifsioc")]
    private static int DevIfsioc(NetNamespace net, string name, ref Ifreq ifr, uint cmd)
    {
        NetDevice? dev = net.Devices.DevGetByName(name);
        if (dev == null)
            return -ENODEV;
        switch (cmd)
        {
            case SIOCSIFFLAGS:
                return Dev.DevChangeFlags(dev, (ushort)ifr.IfrFlags);
            case SIOCSIFMTU:
                return ifr.IfrMtu < 0 ? -EINVAL : Dev.DevSetMtu(dev, ifr.IfrMtu);
            case SIOCSIFHWADDR:
                if (ifr.IfrHwaddr.SaFamily != dev.Type)
                    return -EINVAL;
                return Dev.DevSetMacAddress(dev, Bytes(ref ifr.IfrHwaddr.SaData)[..dev.DevAddr.Length]);
            case SIOCSIFTXQLEN:
                return ifr.IfrQlen < 0 ? -EINVAL : Dev.DevChangeTxQueueLen(dev, ifr.IfrQlen);
            case SIOCADDMULTI or SIOCDELMULTI:
                return DevIfmulti(dev, ref ifr, cmd);
            case SIOCSIFNAME:
                return Dev.DevChangeName(dev, Text(Bytes(ref ifr.IfrNewname)));
            default:
                // Metrics other than 0, slaves and maps: no driver here has them.
                net.Machine.Unsupported.Add(RequestKind.Ioctl, cmd);
                return -EOPNOTSUPP;
        }
    }

    private static int DevIfmulti(NetDevice dev, ref Ifreq ifr, uint cmd)
    {
        if (ifr.IfrHwaddr.SaFamily != AF_UNSPEC)
            return -EINVAL;
        ReadOnlySpan<byte> addr = Bytes(ref ifr.IfrHwaddr.SaData)[..dev.DevAddr.Length];
        if (cmd == SIOCDELMULTI)
            return DevAddrLists.DevMcDelGlobal(dev, addr);
        DevAddrLists.DevMcAddGlobal(dev, addr);
        return 0;
    }

    private static bool MayChange(NetNamespace net) => net.Capable(TaskStruct.Current, CAP_NET_ADMIN);

    // An alias, "eth0:1", means its device here.
    private static string NameOf(ref Ifreq ifr)
    {
        string name = Text(Bytes(ref ifr.IfrName)[..(IFNAMSIZ - 1)]);
        int colon = name.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? name : name[..colon];
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static Span<byte> Bytes<T>(ref T value)
        where T : unmanaged => MemoryMarshal.CreateSpan(ref Unsafe.As<T, byte>(ref value), Unsafe.SizeOf<T>());
}
