using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class ArpTests
{
    private static readonly byte[] Everybody = [255, 255, 255, 255, 255, 255];

    [Fact]
    public void ARequestForTheHostIsAnsweredAndTheAskerRemembered()
    {
        using Wire wire = new();
        wire.Give(Wire.Frame(Everybody, Wire.PeerMac, ETH_P_ARP, Wire.Arp(1, Wire.Peer, Wire.PeerMac, Wire.Host, new byte[6])));
        byte[] reply = Assert.Single(wire.Take(ETH_P_ARP));
        Assert.Equal(Wire.Arp(2, Wire.Host, wire.Mac, Wire.Peer, Wire.PeerMac), reply);
        Assert.Equal(Nud.STALE, State(wire));
        wire.Give(Wire.Frame(Everybody, Wire.PeerMac, ETH_P_ARP, Wire.Arp(1, Wire.Peer, Wire.PeerMac, Wire.Addr("192.0.2.9"), new byte[6])));
        Assert.Empty(wire.Take(ETH_P_ARP));
    }

    [Fact]
    public void PacketsWaitForTheAnswerAndLeaveInOrder()
    {
        using Wire wire = new();
        for (byte i = 0; i < 5; i++)
            Ping(wire, i);
        byte[] request = Assert.Single(wire.Take(ETH_P_ARP));
        Assert.Equal(Wire.Arp(1, Wire.Host, wire.Mac, Wire.Peer, new byte[6]), request);
        Assert.Empty(wire.Take(ETH_P_IP));
        Assert.Equal(Nud.INCOMPLETE, State(wire));
        Answer(wire);
        Assert.Equal([0, 1, 2, 3, 4], wire.Take(ETH_P_IP).Select(p => (int)p[^1]));
        Assert.Equal(Nud.REACHABLE, State(wire));
    }

    [Fact]
    public void AnUnansweredRequestIsRepeatedTwiceAndThenTheSenderIsTold()
    {
        using Wire wire = new();
        Ping(wire, 1);
        wire.RunFor(2.9);
        Assert.Equal(3, wire.Take(ETH_P_ARP).Count);
        Assert.Equal(0, wire.Ipv4.IcmpmsgStatistics.Read(IcmpMsgMib.In(3)));
        wire.RunFor(0.2);
        Assert.Empty(wire.Take(ETH_P_ARP));
        Assert.Equal(Nud.FAILED, State(wire));
        // The error comes to this host itself, over the loopback device.
        Assert.Equal(1, wire.Ipv4.IcmpmsgStatistics.Read(IcmpMsgMib.In(3)));
        Ping(wire, 2);
        Assert.Single(wire.Take(ETH_P_ARP));
        Answer(wire);
        Assert.Equal(2, Assert.Single(wire.Take(ETH_P_IP))[^1]);
    }

    [Fact]
    public void AnIdleNeighbourGoesStaleAndIsProbedWhenUsedAgain()
    {
        using Wire wire = new();
        Ping(wire, 1);
        Answer(wire);
        wire.RunFor(46);
        Assert.Equal(Nud.STALE, State(wire));
        wire.Sent.Clear();
        Ping(wire, 2);
        Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal(Nud.DELAY, State(wire));
        wire.RunFor(5.1);
        Assert.Equal(Nud.PROBE, State(wire));
        byte[] probe = Assert.Single(wire.Sent);
        Assert.Equal(Wire.PeerMac, probe[..6]);
        Answer(wire);
        Assert.Equal(Nud.REACHABLE, State(wire));
    }

    [Fact]
    public void AConfirmationByAHigherLayerSavesTheProbe()
    {
        using Wire wire = new();
        Ping(wire, 1);
        Answer(wire);
        wire.RunFor(46);
        Ping(wire, 2);
        wire.Sent.Clear();
        wire.RunFor(2);
        wire.In(() => Arp.Ipv4NeighLookup(wire.Dev0, Wire.Peer)!.Confirm());
        wire.RunFor(3.1);
        Assert.Equal(Nud.REACHABLE, State(wire));
        Assert.Empty(wire.Sent);
    }

    [Fact]
    public void AProbedNeighbourThatIsGoneFailsAfterThreeProbes()
    {
        using Wire wire = new();
        Ping(wire, 1);
        Answer(wire);
        wire.RunFor(46);
        Ping(wire, 2);
        wire.Sent.Clear();
        wire.RunFor(5 + 3.1);
        Assert.Equal(3, wire.Take(ETH_P_ARP).Count);
        Assert.Equal(Nud.FAILED, State(wire));
    }

    [Fact]
    public void AnotherAddressReplacesTheKnownOneOnlyAfterTheLockTime()
    {
        using Wire wire = new();
        byte[] other = [2, 0, 0, 0, 0, 9];
        Ping(wire, 1);
        Answer(wire);
        Answer(wire, other);
        Assert.Equal(Wire.PeerMac, Arp.Ipv4NeighLookup(wire.Dev0, Wire.Peer)!.Ha.ToArray());
        wire.RunFor(1.1);
        Answer(wire, other);
        Assert.Equal(other, Arp.Ipv4NeighLookup(wire.Dev0, Wire.Peer)!.Ha.ToArray());
    }

    [Fact]
    public void UnsolicitedAnswersAreNotRememberedUnlessAllowed()
    {
        using Wire wire = new();
        Answer(wire);
        Assert.Null(Arp.Ipv4NeighLookup(wire.Dev0, Wire.Peer));
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.conf.eth0.arp_accept", "1"));
        Answer(wire);
        Assert.Equal(Nud.REACHABLE, State(wire));
    }

    [Fact]
    public void AProbeForADuplicateAddressIsAnswered()
    {
        using Wire wire = new();
        wire.Give(Wire.Frame(Everybody, Wire.PeerMac, ETH_P_ARP, Wire.Arp(1, 0, Wire.PeerMac, Wire.Host, new byte[6])));
        Assert.Equal(Wire.Arp(2, Wire.Host, wire.Mac, 0, Wire.PeerMac), Assert.Single(wire.Take(ETH_P_ARP)));
        Assert.Null(Arp.Ipv4NeighLookup(wire.Dev0, 0));
    }

    [Fact]
    public void OldPacketsGiveWayWhenTooManyWait()
    {
        using Wire wire = new();
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.neigh.eth0.unres_qlen_bytes", "3000"));
        for (byte i = 0; i < 20; i++)
            Ping(wire, i);
        Answer(wire);
        int[] sent = [.. wire.Take(ETH_P_IP).Select(p => (int)p[^1])];
        Assert.InRange(sent.Length, 1, 5);
        Assert.Equal(19, sent[^1]);
    }

    [Fact]
    public void TheTableIsKeptBelowItsLimit()
    {
        using Wire wire = new();
        wire.In(() => Devinet.InetAddrAdd(wire.Dev0, Wire.Addr("10.0.0.1"), 8));
        for (uint i = 0; i < 3000; i++)
            Ping(wire, 1, Wire.Addr("10.1.0.0") + i);
        Assert.True(wire.Ipv4.ArpTbl.Entries <= 1024);
        wire.RunFor(120);
        Assert.True(wire.Ipv4.ArpTbl.Entries <= 128);
    }

    private static int State(Wire wire) => Arp.Ipv4NeighLookup(wire.Dev0, Wire.Peer)!.NudState;

    private static void Answer(Wire wire, byte[]? mac = null) =>
        wire.Give(Wire.Frame(wire.Mac, mac ?? Wire.PeerMac, ETH_P_ARP, Wire.Arp(2, Wire.Peer, mac ?? Wire.PeerMac, Wire.Host, wire.Mac)));

    // The host sends an ICMP echo, marked by its last byte.
    private static void Ping(Wire wire, byte mark, uint to = Wire.Peer) => wire.In(() =>
    {
        Flowi4 fl4 = new() { Daddr = to, Flowi4Proto = IPPROTO_ICMP };
        Assert.Equal(0, Route.IpRouteOutputKey(wire.Net, ref fl4, out Rtable? rt));
        byte[] message = Wire.IcmpMessage(8, 0, 1, [mark]);
        SkBuff skb = IpOutput.NewReply(wire.Net, rt!, in fl4, null, to, message.Length, 0, 64, IPPROTO_ICMP);
        message.CopyTo(skb.Put(message.Length));
        IpOutput.IpLocalOut(wire.Net, null, skb);
    });
}
