using System.Buffers.Binary;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>
/// A router with three Ethernets, eth0 192.0.2.1/24, eth1 198.51.100.1/24 and eth2 203.0.113.1/24, whose other ends are the
/// test. On each it knows the neighbour whose address ends in 9.
/// </summary>
internal sealed class RouterBench : IDisposable
{
    public static readonly uint[] Addresses = [Wire.Addr("192.0.2.1"), Wire.Addr("198.51.100.1"), Wire.Addr("203.0.113.1")];

    private readonly TestMachine machine;
    private readonly Tun[] taps = new Tun[3];
    private readonly List<byte[]>[] sent = [[], [], []];

    public RouterBench(bool forwarding = true, ulong seed = 1)
    {
        machine = new TestMachine(seed);
        using (KernelEntry entry = machine.Machine.Enter())
        {
            Net = machine.Machine.InitNsproxy.NetNs;
            Assert.Equal(0, Dev.DevOpen(Net.LoopbackDev));
            for (int i = 0; i < taps.Length; i++)
            {
                Assert.Equal(0, Tun.TunSetIff(Net, "eth%d", tap: true, out taps[i]));
                List<byte[]> mine = sent[i];
                taps[i].Transmit = frame => mine.Add(frame.ToArray());
                Assert.Equal(0, Dev.DevOpen(taps[i].Dev));
                Assert.Equal(0, Devinet.InetAddrAdd(taps[i].Dev, Addresses[i], 24));
            }
        }

        if (forwarding)
            Sysctl("net.ipv4.ip_forward", "1");
        for (int i = 0; i < taps.Length; i++)
            Introduce(i, Neighbour(i));
    }

    public NetNamespace Net { get; }

    public NetnsIpv4 Ipv4 => Net.Ipv4;

    public List<string> Log => machine.Log;

    public NetDevice Eth(int port) => taps[port].Dev;

    public static uint Neighbour(int port) => Addresses[port] + 8;

    public static byte[] MacOf(uint addr) => [2, 0, .. Wire.Be(addr)];

    /// <summary>The router learns a neighbour's link address.</summary>
    public void Introduce(int port, uint addr)
    {
        GiveFrame(port, Wire.Frame(Eth(port).DevAddr, MacOf(addr), ETH_P_ARP,
            Wire.Arp(1, addr, MacOf(addr), Addresses[port], new byte[6])));
        Forget();
    }

    public void Give(int port, byte[] packet, uint? from = null) =>
        GiveFrame(port, Wire.Frame(Eth(port).DevAddr, MacOf(from ?? Neighbour(port)), ETH_P_IP, packet));

    public void GiveFrame(int port, byte[] frame) => In(() => taps[port].Receive(frame));

    /// <summary>The packets of one protocol that left by a port since the last time.</summary>
    public List<byte[]> Take(int port, int type = ETH_P_IP)
    {
        List<byte[]> taken = [.. sent[port].Where(f => BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(12)) == type).Select(f => f[14..])];
        sent[port].RemoveAll(f => BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(12)) == type);
        return taken;
    }

    /// <summary>The port that packets left by since the last time: -1 for none, -2 for several.</summary>
    public int LeftBy()
    {
        int[] ports = [.. Enumerable.Range(0, taps.Length).Where(port => Take(port).Count > 0)];
        return ports.Length switch { 0 => -1, 1 => ports[0], _ => -2 };
    }

    public void Forget() => Array.ForEach(sent, list => list.Clear());

    public void In(Action action)
    {
        try
        {
            using KernelEntry entry = machine.Machine.Enter();
            action();
        }
        catch
        {
            machine.CheckLeaks = false;
            throw;
        }
    }

    public void RunFor(double seconds) => machine.RunFor(TimeSpan.FromSeconds(seconds));

    public void Sysctl(string path, string value) => In(() => Assert.Equal(0, Net.Sysctl.Write(path, value)));

    public string Ip(string command)
    {
        IpResult result = IpCommand.Run(Net, command);
        Assert.True(result.Succeeded, $"ip {command}: {result.Error}");
        return result.Output;
    }

    /// <summary>Looks up the route of a packet that the router sends itself.</summary>
    /// <returns>0 or a negative errno; the device's name and the source address.</returns>
    public (int Error, string? Device, uint Source) Lookup(Flowi4 fl4)
    {
        Rtable? rt = null;
        int err = 0;
        In(() => err = Route.IpRouteOutputKey(Net, ref fl4, out rt));
        return (err, rt?.Dev.Name, err == 0 ? fl4.Saddr : 0);
    }

    public void Dispose() => machine.Dispose();
}
