using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The old requests on addresses, by interface name or label.</content>
public static partial class Devinet
{
    /// <summary>Carries out a request about an address of a device.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="cmd">The request, <c>SIOC*</c>.</param>
    /// <param name="ifr">Name or label (<c>eth0:1</c>), argument and answer.</param>
    /// <returns>0, -ENODEV, -EPERM, -EADDRNOTAVAIL, -EINVAL, or what the change answers.</returns>
    [Linux("devinet_ioctl")]
    public static int DevinetIoctl(NetNamespace net, uint cmd, ref Ifreq ifr)
    {
        string label = NameOf(ref ifr);
        int colon = label.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? label : label[..colon];
        SockaddrIn given = ifr.IfrAddrIn;
        bool tryAddress = given.SinFamily == AF_INET;
        int err = CheckRequest(net, cmd, in given);
        if (err < 0)
            return err;
        if (net.Devices.DevGetByName(name) is not { } dev)
            return -ENODEV;
        lock (net.Ipv4.AddressLock)
        {
            InDevice? inDev = InDevice.Get(dev);
            InIfaddr? ifa = inDev == null ? null : FindByLabel(inDev, label, tryAddress, Addr(in given));
            if (ifa == null && cmd is not (SIOCSIFADDR or SIOCSIFFLAGS))
                return -EADDRNOTAVAIL;
            return cmd switch
            {
                SIOCGIFADDR => Answer(ref ifr, ifa!.IfaLocal),
                SIOCGIFBRDADDR => Answer(ref ifr, ifa!.IfaBroadcast),
                SIOCGIFDSTADDR => Answer(ref ifr, ifa!.IfaAddress),
                SIOCGIFNETMASK => Answer(ref ifr, ifa!.IfaMask),
                SIOCSIFFLAGS => SetFlags(dev, inDev, ifa, colon >= 0, (uint)(ushort)ifr.IfrFlags),
                _ => SetAddress(cmd, dev, inDev, ifa, label, Addr(in given)),
            };
        }
    }

    /// <summary>Lists a device's addresses as <c>SIOCGIFCONF</c> wants them.</summary>
    /// <param name="dev">The device.</param>
    /// <param name="buf">Where the entries go; null to ask for their size.</param>
    /// <param name="len">Room in bytes.</param>
    /// <returns>Bytes, or -EFAULT.</returns>
    [Linux("inet_gifconf")]
    internal static int InetGifconf(NetDevice dev, Sockptr buf, int len)
    {
        int done = 0;
        foreach (InIfaddr ifa in InDevice.Get(dev)?.IfaList ?? [])
        {
            if (!buf.IsNull)
            {
                if (len < Ifreq.Size)
                    break;
                Ifreq ifr = default;
                Encoding.UTF8.GetBytes(ifa.IfaLabel, MemoryMarshal.AsBytes(new Span<Bytes16>(ref ifr.IfrName)));
                Answer(ref ifr, ifa.IfaLocal);
                if (buf.Add(done).Put(ifr) < 0)
                    return -EFAULT;
                len -= Ifreq.Size;
            }

            done += Ifreq.Size;
        }

        return done;
    }

    private static int CheckRequest(NetNamespace net, uint cmd, in SockaddrIn given)
    {
        switch (cmd)
        {
            case SIOCGIFADDR or SIOCGIFBRDADDR or SIOCGIFDSTADDR or SIOCGIFNETMASK:
                return 0;
            case SIOCSIFFLAGS:
                return TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_ADMIN) ? 0 : -EPERM;
            case SIOCSIFADDR or SIOCSIFBRDADDR or SIOCSIFDSTADDR or SIOCSIFNETMASK:
                if (!TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_ADMIN))
                    return -EPERM;
                return given.SinFamily == AF_INET ? 0 : -EINVAL;
            default:
                return -EINVAL;
        }
    }

    // 4.4BSD's way: the caller may say which of several addresses of one label it means.
    private static InIfaddr? FindByLabel(InDevice inDev, string label, bool tryAddress, uint address)
    {
        if (tryAddress)
        {
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if (ifa.IfaLabel == label && ifa.IfaLocal == address)
                    return ifa;
            }
        }

        return Array.Find(inDev.IfaList, ifa => ifa.IfaLabel == label);
    }

    private static int SetFlags(NetDevice dev, InDevice? inDev, InIfaddr? ifa, bool alias, uint flags)
    {
        if (!alias)
            return Dev.DevChangeFlags(dev, flags);
        // Bringing an alias down takes its address away.
        if (ifa == null)
            return -EADDRNOTAVAIL;
        if ((flags & IFF_UP) == 0)
            InetDelIfa(inDev!, ifa);
        return 0;
    }

    private static int SetAddress(uint cmd, NetDevice dev, InDevice? inDev, InIfaddr? ifa, string label, uint addr)
    {
        if (inDev == null)
            return -ENOBUFS;
        switch (cmd)
        {
            case SIOCSIFADDR:
                return SetLocal(dev, inDev, ifa, label, addr);
            case SIOCSIFBRDADDR:
                return ifa!.IfaBroadcast == addr ? 0 : Reinsert(inDev, ifa, ifa.IfaAddress, ifa.IfaPrefixlen, addr);
            case SIOCSIFDSTADDR:
                if (ifa!.IfaAddress == addr)
                    return 0;
                return BadAddress(addr) ? -EINVAL : Reinsert(inDev, ifa, addr, ifa.IfaPrefixlen, ifa.IfaBroadcast);
            default:
                return SetNetmask(dev, inDev, ifa!, addr);
        }
    }

    private static int SetLocal(NetDevice dev, InDevice inDev, InIfaddr? ifa, string label, uint addr)
    {
        int prefix = ClassfulPrefix(addr);
        if (prefix < 0)
            return -EINVAL;
        if (ifa != null)
        {
            if (ifa.IfaLocal == addr)
                return 0;
            InetDelIfa(inDev, ifa);
        }

        if (addr == 0)
            return 0;
        if ((dev.Flags & IFF_POINTOPOINT) != 0)
            prefix = 32;
        bool broadcast = (dev.Flags & IFF_BROADCAST) != 0 && prefix < 31;
        return InetAddrAdd(
            dev, addr, prefix, broadcast: broadcast ? addr | ~InIfaddr.InetMakeMask(prefix) : 0, label: label);
    }

    private static int SetNetmask(NetDevice dev, InDevice inDev, InIfaddr ifa, uint mask)
    {
        uint inverse = ~mask;
        if ((inverse & (inverse + 1)) != 0)
            return -EINVAL;
        if (ifa.IfaMask == mask)
            return 0;
        int prefix = BitOperations.PopCount(mask);
        // The broadcast address follows as long as it was the old prefix's.
        bool follows = (dev.Flags & IFF_BROADCAST) != 0 && ifa.IfaPrefixlen < 31
            && ifa.IfaBroadcast == (ifa.IfaLocal | ~ifa.IfaMask);
        return Reinsert(inDev, ifa, ifa.IfaAddress, prefix, follows ? ifa.IfaLocal | ~mask : ifa.IfaBroadcast);
    }

    private static int Reinsert(InDevice inDev, InIfaddr ifa, uint address, int prefix, uint broadcast)
    {
        InetDelIfa(inDev, ifa);
        return InetInsertIfa(new InIfaddr
        {
            IfaDev = inDev,
            IfaLocal = ifa.IfaLocal,
            IfaAddress = address,
            IfaPrefixlen = prefix,
            IfaBroadcast = broadcast,
            IfaScope = ifa.IfaScope,
            IfaFlags = ifa.IfaFlags,
            IfaRtPriority = ifa.IfaRtPriority,
            IfaLabel = ifa.IfaLabel,
        });
    }

    // Addresses that no host may have.
    private static bool BadAddress(uint addr) => ClassfulPrefix(addr) < 0;

    // The prefix that the class of an address had before there were masks (inet_abc_len).
    private static int ClassfulPrefix(uint addr)
    {
        if (addr == 0)
            return 0;
        if (Ipv4Addr.IsLbcast(addr))
            return -1;
        return (addr >> 28) switch
        {
            < 8 => 8,
            < 12 => 16,
            < 14 => 24,
            14 => -1,
            _ => 32,
        };
    }

    private static uint Addr(in SockaddrIn sin)
    {
        SockaddrIn.Read(MemoryMarshal.AsBytes(new ReadOnlySpan<SockaddrIn>(in sin)), out uint addr, out _);
        return addr;
    }

    private static int Answer(ref Ifreq ifr, uint addr)
    {
        SockaddrIn.Write(MemoryMarshal.AsBytes(new Span<SockaddrIn>(ref ifr.IfrAddrIn)), addr, 0);
        return 0;
    }

    private static string NameOf(ref Ifreq ifr)
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<Bytes16>(ref ifr.IfrName));
        bytes[^1] = 0;
        return Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);
    }
}
