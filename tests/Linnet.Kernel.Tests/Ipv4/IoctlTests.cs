using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SocketIoctlH;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>The old requests on addresses, routes and neighbours.</summary>
public unsafe class IoctlTests
{
    [Fact]
    public void AnAddressIsSetWithTheMaskOfItsClassAndThenAnother()
    {
        using Wire wire = new(addressed: false);
        As(wire, () =>
        {
            Assert.Equal(-EADDRNOTAVAIL, Addr(wire, SIOCGIFADDR, "eth0", out _));
            Assert.Equal(0, Set(wire, SIOCSIFADDR, "eth0", Wire.Host));
            Assert.Equal(0, Addr(wire, SIOCGIFNETMASK, "eth0", out uint mask));
            Assert.Equal(Wire.Addr("255.255.255.0"), mask);
            Assert.Equal(0, Set(wire, SIOCSIFNETMASK, "eth0", Wire.Addr("255.255.0.0")));
            Assert.Equal(0, Addr(wire, SIOCGIFBRDADDR, "eth0", out uint broadcast));
            Assert.Equal(Wire.Addr("192.0.255.255"), broadcast);
            Assert.Equal(-EINVAL, Set(wire, SIOCSIFNETMASK, "eth0", Wire.Addr("255.0.255.0")));
            Assert.Equal(0, Addr(wire, SIOCGIFADDR, "eth0", out uint addr));
            Assert.Equal(Wire.Host, addr);
            Assert.Equal(-ENODEV, Addr(wire, SIOCGIFADDR, "eth9", out _));
        });
    }

    [Fact]
    public void AnAliasHasItsOwnAddressUntilItIsBroughtDown()
    {
        using Wire wire = new();
        As(wire, () =>
        {
            uint second = Wire.Addr("10.0.0.1");
            Assert.Equal(0, Set(wire, SIOCSIFADDR, "eth0:1", second));
            Assert.Equal(0, Addr(wire, SIOCGIFADDR, "eth0:1", out uint addr));
            Assert.Equal(second, addr);
            Ifreq down = Request("eth0:1", 0, 0);
            Assert.Equal(0, Devinet.DevinetIoctl(wire.Net, SIOCSIFFLAGS, ref down));
            Assert.Equal(-EADDRNOTAVAIL, Addr(wire, SIOCGIFADDR, "eth0:1", out _));
            Assert.True(wire.Dev0.IsUp);
        });
    }

    [Fact]
    public void ChangesNeedTheCapability()
    {
        using Wire wire = new();
        TaskStruct user = new(
            wire.Machine, "user", Cred.User(wire.Machine.InitUserNs, 1000, 1000), wire.Machine.InitNsproxy);
        using KernelEntry entry = user.Enter();
        Assert.Equal(-EPERM, Set(wire, SIOCSIFADDR, "eth0", Wire.Peer));
        Assert.Equal(-EPERM, Rt(wire, SIOCADDRT, 0, 0, Wire.Peer, RtnetlinkH.RTF_UP | RtnetlinkH.RTF_GATEWAY));
        Assert.Equal(0, Addr(wire, SIOCGIFADDR, "eth0", out _));
    }

    [Fact]
    public void RoutesAreAddedAndDeleted()
    {
        using Wire wire = new();
        As(wire, () =>
        {
            const int Flags = RtnetlinkH.RTF_UP | RtnetlinkH.RTF_GATEWAY;
            Assert.Equal(0, Rt(wire, SIOCADDRT, 0x0A000000, 0xFF000000, Wire.Peer, Flags));
            FibAlias added = wire.Ipv4.FibGetTable(RtnetlinkH.RT_TABLE_MAIN)!.Find(0x0A000000, 8)[0];
            Assert.Equal((Wire.Peer, wire.Dev0), (added.Info.Nh.NhGw, added.Info.Nh.NhDev));
            Assert.Equal(-EINVAL, Rt(wire, SIOCADDRT, 0x0A000001, 0xFF000000, Wire.Peer, Flags));
            Assert.Equal(-EINVAL, Rt(wire, SIOCADDRT, 0x0B000000, 0xFF00FF00, Wire.Peer, Flags));
            Assert.Equal(-ENETUNREACH, Rt(wire, SIOCADDRT, 0x0B000000, 0xFF000000, Wire.Addr("203.0.113.1"), Flags));
            Assert.Equal(0, Rt(wire, SIOCDELRT, 0x0A000000, 0xFF000000, Wire.Peer, Flags));
            Assert.Equal(-ESRCH, Rt(wire, SIOCDELRT, 0x0A000000, 0xFF000000, Wire.Peer, Flags));
        });
    }

    [Fact]
    public void NeighboursAreSetShownAndDeleted()
    {
        using Wire wire = new();
        As(wire, () =>
        {
            Arpreq set = ArpRequest(Wire.Peer);
            set.ArpFlags = IfH.ATF_PERM | IfH.ATF_COM;
            set.ArpHa.SaFamily = IfH.ARPHRD_ETHER;
            Wire.PeerMac.CopyTo(MemoryMarshal.AsBytes(new Span<Bytes14>(ref set.ArpHa.SaData)));
            Assert.Equal(0, Arp.ArpIoctl(wire.Net, SIOCSARP, Sockptr.Kernel(&set)));
            Arpreq get = ArpRequest(Wire.Peer);
            Assert.Equal(0, Arp.ArpIoctl(wire.Net, SIOCGARP, Sockptr.Kernel(&get)));
            Assert.Equal(IfH.ATF_PERM | IfH.ATF_COM, get.ArpFlags);
            Assert.Equal(Wire.PeerMac, MemoryMarshal.AsBytes(new Span<Bytes14>(ref get.ArpHa.SaData))[..6].ToArray());
            Assert.Equal(0, Arp.ArpIoctl(wire.Net, SIOCDARP, Sockptr.Kernel(&set)));
            Assert.Equal(-ENXIO, Arp.ArpIoctl(wire.Net, SIOCGARP, Sockptr.Kernel(&get)));
        });
    }

    private static void As(Wire wire, Action action)
    {
        TaskStruct root = new(wire.Machine, "root", Cred.Root(wire.Machine.InitUserNs), wire.Machine.InitNsproxy);
        using KernelEntry entry = root.Enter();
        action();
    }

    private static int Addr(Wire wire, uint cmd, string name, out uint addr)
    {
        Ifreq ifr = Request(name, 0, 0);
        int err = Devinet.DevinetIoctl(wire.Net, cmd, ref ifr);
        SockaddrIn.Read(MemoryMarshal.AsBytes(new ReadOnlySpan<SockaddrIn>(in ifr.IfrAddrIn)), out addr, out _);
        return err;
    }

    private static int Set(Wire wire, uint cmd, string name, uint addr)
    {
        Ifreq ifr = Request(name, AF_INET, addr);
        return Devinet.DevinetIoctl(wire.Net, cmd, ref ifr);
    }

    private static Ifreq Request(string name, int family, uint addr)
    {
        Ifreq ifr = default;
        Encoding.ASCII.GetBytes(name, MemoryMarshal.AsBytes(new Span<Bytes16>(ref ifr.IfrName)));
        if (family == AF_INET)
            SockaddrIn.Write(MemoryMarshal.AsBytes(new Span<SockaddrIn>(ref ifr.IfrAddrIn)), addr, 0);
        return ifr;
    }

    private static Arpreq ArpRequest(uint addr)
    {
        Arpreq r = default;
        SockaddrIn.Write(MemoryMarshal.AsBytes(new Span<Sockaddr>(ref r.ArpPa)), addr, 0);
        Encoding.ASCII.GetBytes("eth0", MemoryMarshal.AsBytes(new Span<Bytes16>(ref r.ArpDev)));
        return r;
    }

    // struct rtentry, as far as it is used here.
    private static int Rt(Wire wire, uint cmd, uint dst, uint mask, uint gateway, int flags)
    {
        byte* rt = stackalloc byte[120];
        Unsafe.InitBlock(rt, 0, 120);
        SockaddrIn.Write(new Span<byte>(rt + 8, 16), dst, 0);
        SockaddrIn.Write(new Span<byte>(rt + 24, 16), gateway, 0);
        SockaddrIn.Write(new Span<byte>(rt + 40, 16), mask, 0);
        BinaryPrimitives.WriteUInt16LittleEndian(new Span<byte>(rt + 56, 2), (ushort)flags);
        return FibFrontend.IpRtIoctl(wire.Net, cmd, Sockptr.Kernel(rt));
    }
}
