using CsCheck;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class FibTests
{
    private static readonly Gen<(uint Prefix, int Length)> Prefixes =
        Gen.Select(Gen.OneOf(Gen.UInt, Gen.UInt[0, 4095].Select(n => 0x0A000000 | n)), Gen.Int[0, 32])
            .Select((address, length) => (address & InIfaddr.InetMakeMask(length), length));

    [Fact]
    public void TheTrieFindsWhatAScanOfAllPrefixesFinds()
    {
        Gen.Select(Gen.Select(Prefixes, Gen.Bool).Array[0, 120], Gen.OneOf(Gen.UInt, Gen.UInt[0, 4095].Select(n => 0x0A000000 | n)).Array[40])
            .Sample((steps, addresses) =>
            {
                FibTable table = new(RtnetlinkH.RT_TABLE_MAIN);
                Dictionary<(uint, int), FibAlias> model = [];
                foreach (((uint prefix, int length), bool remove) in steps)
                {
                    if (remove && model.Count > 0)
                    {
                        (uint key, int len) = model.Keys.ElementAt((int)(prefix % (uint)model.Count));
                        model.Remove((key, len));
                        table.Replace(key, len, []);
                    }
                    else
                    {
                        FibAlias alias = new(new FibInfo { FibPriority = prefix ^ (uint)length }, 0, RtnetlinkH.RTN_UNICAST);
                        model[(prefix, length)] = alias;
                        table.Replace(prefix, length, [alias]);
                    }
                }

                foreach (uint address in addresses)
                {
                    Flowi4 fl4 = new() { Daddr = address };
                    int err = table.Lookup(in fl4, out FibResult res, 0);
                    var best = model.Where(p => (address & InIfaddr.InetMakeMask(p.Key.Item2)) == p.Key.Item1)
                        .OrderByDescending(p => p.Key.Item2).Select(p => p.Value).FirstOrDefault();
                    Assert.Equal(best == null ? -EAGAIN : 0, err);
                    Assert.Same(best?.Info, res.Fi);
                }

                Assert.Equal(model.Keys.Order(), table.Snapshot().Select(route => (route.Prefix, route.Length)).Order());
            }, iter: 300);
    }

    [Fact]
    public void ALookupFallsBackToAShorterPrefixWhenTheLongerOneIsDead()
    {
        FibTable table = new(RtnetlinkH.RT_TABLE_MAIN);
        FibInfo wide = new();
        FibInfo narrow = new();
        table.Replace(0x0A000000, 8, [new FibAlias(wide, 0, RtnetlinkH.RTN_UNICAST)]);
        table.Replace(0x0A010000, 16, [new FibAlias(narrow, 0, RtnetlinkH.RTN_UNICAST)]);
        Flowi4 fl4 = new() { Daddr = 0x0A010203 };
        Assert.Equal(0, table.Lookup(in fl4, out FibResult res, 0));
        Assert.Same(narrow, res.Fi);
        narrow.Dead = true;
        Assert.Equal(0, table.Lookup(in fl4, out res, 0));
        Assert.Same(wide, res.Fi);
    }

    [Fact]
    public void AnAddressBringsItsRoutesAndTakesThemAway()
    {
        using Wire wire = new();
        Assert.Equal(
            ["127.0.0.0/8 local lo", "127.0.0.1/32 local lo", "127.255.255.255/32 broadcast lo", "192.0.2.1/32 local eth0",
                "192.0.2.255/32 broadcast eth0"],
            Routes(wire, RtnetlinkH.RT_TABLE_LOCAL));
        Assert.Equal(["192.0.2.0/24 unicast eth0"], Routes(wire, RtnetlinkH.RT_TABLE_MAIN));
        wire.In(() => Assert.Equal(0, Devinet.InetAddrDel(wire.Dev0, Wire.Host, 24)));
        Assert.Equal(
            ["127.0.0.0/8 local lo", "127.0.0.1/32 local lo", "127.255.255.255/32 broadcast lo"],
            Routes(wire, RtnetlinkH.RT_TABLE_LOCAL));
        Assert.Empty(Routes(wire, RtnetlinkH.RT_TABLE_MAIN));
    }

    [Fact]
    public void SecondaryAddressesGoWithTheirPrimaryUnlessPromoted()
    {
        using Wire wire = new();
        uint second = Wire.Addr("192.0.2.10");
        wire.In(() =>
        {
            Assert.Equal(0, Devinet.InetAddrAdd(wire.Dev0, second, 24));
            Assert.Equal(-EEXIST, Devinet.InetAddrAdd(wire.Dev0, second, 24));
            Assert.True(InDevice.Get(wire.Dev0)!.IfaList[1].IsSecondary);
            Assert.Equal(0, Devinet.InetAddrDel(wire.Dev0, Wire.Host, 24));
            Assert.Empty(InDevice.Get(wire.Dev0)!.IfaList);

            Devinet.InetAddrAdd(wire.Dev0, Wire.Host, 24);
            Devinet.InetAddrAdd(wire.Dev0, second, 24);
            wire.Net.Sysctl.Write("net.ipv4.conf.eth0.promote_secondaries", "1");
            Devinet.InetAddrDel(wire.Dev0, Wire.Host, 24);
        });
        InIfaddr left = Assert.Single(InDevice.Get(wire.Dev0)!.IfaList);
        Assert.Equal((second, false), (left.IfaLocal, left.IsSecondary));
        Assert.Equal(["192.0.2.0/24 unicast eth0"], Routes(wire, RtnetlinkH.RT_TABLE_MAIN));
    }

    [Fact]
    public void AGatewayHasToBeOnALink()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            FibConfig far = new() { Dst = 0x0A000000, DstLen = 8, Gw = Wire.Addr("203.0.113.1") };
            Assert.Equal(-ENETUNREACH, FibFrontend.InetRtmNewroute(wire.Net, far));
            Assert.Equal(0, FibFrontend.InetRtmNewroute(
                wire.Net, far with { Oif = wire.Dev0.Ifindex, Flags = RtnetlinkH.RTNH_F_ONLINK }));
            Assert.Equal(-EEXIST, FibFrontend.InetRtmNewroute(
                wire.Net, far with { Gw = Wire.Peer }));
            Assert.Equal(-EINVAL, FibFrontend.InetRtmNewroute(wire.Net, far with { Gw = Wire.Addr("192.0.2.255"), Priority = 9 }));
            Assert.Equal(-EINVAL, FibFrontend.InetRtmNewroute(wire.Net, far with { Dst = 0x0A000001, Gw = Wire.Peer }));
            Assert.Equal(-ENODEV, FibFrontend.InetRtmNewroute(wire.Net, far with { Gw = 0, Oif = 99, DstLen = 9 }));
            Assert.Equal(0, FibFrontend.InetRtmDelroute(wire.Net, far with { Oif = 0, Gw = 0 }));
            Assert.Equal(-ESRCH, FibFrontend.InetRtmDelroute(wire.Net, far));
        });
    }

    [Theory]
    [InlineData(RtnetlinkH.RTN_BLACKHOLE, EINVAL)]
    [InlineData(RtnetlinkH.RTN_UNREACHABLE, EHOSTUNREACH)]
    [InlineData(RtnetlinkH.RTN_PROHIBIT, EACCES)]
    [InlineData(RtnetlinkH.RTN_THROW, ENETUNREACH)]
    public void RoutesToNowhereAnswerWithTheirError(int type, int errno)
    {
        using Wire wire = new();
        wire.In(() =>
        {
            Assert.Equal(0, FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Dst = 0x0A000000, DstLen = 8, Type = (byte)type }));
            Flowi4 fl4 = new() { Daddr = 0x0A000001 };
            Assert.Equal(-errno, Route.IpRouteOutputKey(wire.Net, ref fl4, out _));
        });
    }

    [Fact]
    public void SourceAddressesAreChosenByPrefixScopeAndPreference()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            Devinet.InetAddrAdd(wire.Dev0, Wire.Addr("198.51.100.1"), 24);
            Assert.Equal(Wire.Addr("198.51.100.1"), SourceTo(wire, Wire.Addr("198.51.100.7")));
            Assert.Equal(Wire.Host, SourceTo(wire, Wire.Peer));
            Assert.Equal(INADDR_LOOPBACK, SourceTo(wire, INADDR_LOOPBACK));
            Assert.Equal(Wire.Host, SourceTo(wire, Wire.Host));
            FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer, Prefsrc = Wire.Addr("198.51.100.1") });
            Assert.Equal(Wire.Addr("198.51.100.1"), SourceTo(wire, Wire.Addr("8.8.8.8")));
        });

        static uint SourceTo(Wire wire, uint daddr)
        {
            Flowi4 fl4 = new() { Daddr = daddr };
            Assert.Equal(0, Route.IpRouteOutputKey(wire.Net, ref fl4, out _));
            return fl4.Saddr;
        }
    }

    [Fact]
    public void RouteEntriesAreSharedUntilRoutesChange()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            Flowi4 a = new() { Daddr = Wire.Peer };
            Flowi4 b = new() { Daddr = Wire.Addr("192.0.2.77") };
            Route.IpRouteOutputKey(wire.Net, ref a, out Rtable? first);
            Route.IpRouteOutputKey(wire.Net, ref b, out Rtable? second);
            Assert.Same(first, second);
            FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer });
            Assert.False(first!.Check());
            Route.IpRouteOutputKey(wire.Net, ref a, out Rtable? third);
            Assert.NotSame(first, third);
        });
    }

    [Fact]
    public void MetricsOfARouteReachItsUsers()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            FibFrontend.InetRtmNewroute(wire.Net, new FibConfig
            {
                Dst = 0x0A000000,
                DstLen = 8,
                Gw = Wire.Peer,
                Metrics = new RouteMetrics { [RtnetlinkH.RTAX_MTU] = 1400, [RtnetlinkH.RTAX_ADVMSS] = 1000, [RtnetlinkH.RTAX_HOPLIMIT] = 9 },
            });
            Flowi4 fl4 = new() { Daddr = 0x0A000001 };
            Route.IpRouteOutputKey(wire.Net, ref fl4, out Rtable? rt);
            Assert.Equal((1400, 1000, 9), (rt!.Mtu, rt.Advmss, rt.Hoplimit));
            fl4 = new Flowi4 { Daddr = Wire.Peer };
            Route.IpRouteOutputKey(wire.Net, ref fl4, out rt);
            Assert.Equal((1500, 1460, 64), (rt!.Mtu, rt.Advmss, rt.Hoplimit));
        });
    }

    [Fact]
    public void ADeviceThatGoesDownTakesItsRoutesAndBringsThemBack()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer });
            Dev.DevClose(wire.Dev0);
        });
        Assert.Empty(Routes(wire, RtnetlinkH.RT_TABLE_MAIN));
        wire.In(() =>
        {
            Assert.Equal(RtnetlinkH.RTN_LOCAL, FibFrontend.InetAddrType(wire.Net, Wire.Host));
            Dev.DevOpen(wire.Dev0);
        });
        Assert.Equal(["192.0.2.0/24 unicast eth0"], Routes(wire, RtnetlinkH.RT_TABLE_MAIN));
    }

    [Fact]
    public void KindsOfAddressesAreTold()
    {
        using Wire wire = new();
        wire.In(() =>
        {
            Assert.Equal(RtnetlinkH.RTN_LOCAL, FibFrontend.InetAddrType(wire.Net, Wire.Host));
            Assert.Equal(RtnetlinkH.RTN_LOCAL, FibFrontend.InetAddrType(wire.Net, Wire.Addr("127.9.9.9")));
            Assert.Equal(RtnetlinkH.RTN_UNICAST, FibFrontend.InetAddrType(wire.Net, Wire.Peer));
            Assert.Equal(RtnetlinkH.RTN_BROADCAST, FibFrontend.InetAddrType(wire.Net, Wire.Addr("192.0.2.255")));
            Assert.Equal(RtnetlinkH.RTN_BROADCAST, FibFrontend.InetAddrType(wire.Net, 0));
            Assert.Equal(RtnetlinkH.RTN_MULTICAST, FibFrontend.InetAddrType(wire.Net, Wire.Addr("224.0.0.1")));
        });
    }

    private static List<string> Routes(Wire wire, uint table) =>
        [.. wire.Ipv4.FibGetTable(table)!.Snapshot().Select(route =>
            $"{Ipv4Addr.Text(route.Prefix)}/{route.Length} {Name(route.Alias.Type)} {route.Alias.Info.Nh.NhDev}")];

    private static string Name(int type) => type switch
    {
        RtnetlinkH.RTN_LOCAL => "local",
        RtnetlinkH.RTN_BROADCAST => "broadcast",
        _ => "unicast",
    };
}
