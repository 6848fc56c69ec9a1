using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Tests.Net;

/// <summary>Frames are sent by one end of a veth pair under netem; the other end's tap says when each came.</summary>
public sealed class NetemTests : IDisposable
{
    private const ushort TestProtocol = 0x88B5;

    private readonly VirtualTimeScheduler scheduler = new();
    private readonly Machine machine;
    private readonly NetDevice sender;
    private readonly Arrivals arrivals;

    public NetemTests()
    {
        machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = scheduler.TimeProvider,
            Scheduler = scheduler,
            Random = RandomSources.Seeded(7),
        });
        using KernelEntry entry = machine.Enter();
        NetNamespace net = machine.InitNsproxy.NetNs;
        Assert.Equal(0, Veth.VethNewlink(net, "a", net, "b", out sender, out NetDevice receiver));
        Dev.DevOpen(sender);
        Dev.DevOpen(receiver);
        arrivals = new Arrivals(machine, sender.DevAddr);
        Dev.AddTap(receiver, arrivals);
    }

    public void Dispose()
    {
        scheduler.Dispose();
        Assert.Equal(0, machine.InitNsproxy.NetNs.SkbPool.Outstanding);
    }

    [Fact]
    public void Delay_is_exact()
    {
        SendAll(new NetemOptions { Delay = TimeSpan.FromMilliseconds(50) }, 3);
        Assert.Equal([50_000_000L, 50_000_000L, 50_000_000L], arrivals.Times);
        Assert.Equal([0, 1, 2], arrivals.Numbers);
    }

    [Fact]
    public void Jitter_stays_within_its_bounds_and_spreads_packets()
    {
        SendAll(new NetemOptions { Delay = TimeSpan.FromMilliseconds(50), Jitter = TimeSpan.FromMilliseconds(10) }, 500);
        Assert.All(arrivals.Times, time => Assert.InRange(time, 40_000_000, 60_000_000));
        Assert.InRange(arrivals.Times.Average(), 49_000_000, 51_000_000);
        Assert.NotEqual(Enumerable.Range(0, 500), arrivals.Numbers);
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.2)]
    public void Loss_takes_its_share(double loss)
    {
        SendAll(new NetemOptions { Loss = loss, Limit = 100_000 }, 20_000);
        Assert.InRange(1 - arrivals.Numbers.Count / 20_000.0, loss * 0.8, loss * 1.2);
        Assert.Equal(20_000 - arrivals.Numbers.Count, sender.Qdisc!.Stats.Drops);
    }

    [Fact]
    public void Bursts_lose_in_runs()
    {
        SendAll(new NetemOptions { Bursts = new GilbertElliott(0.01, 0.2), Limit = 100_000 }, 20_000);
        int[] gaps = [.. arrivals.Numbers.Zip(arrivals.Numbers.Skip(1), (a, b) => b - a - 1).Where(gap => gap > 0)];
        Assert.InRange(gaps.Average(), 3.5, 6.5);
    }

    [Fact]
    public void Duplicates_come_twice()
    {
        SendAll(new NetemOptions { Duplicate = 1 }, 5);
        Assert.Equal([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], arrivals.Numbers);
    }

    [Fact]
    public void Every_gap_th_packet_overtakes()
    {
        SendAll(new NetemOptions { Delay = TimeSpan.FromMilliseconds(10), Reorder = 1, Gap = 3 }, 6);
        Assert.Equal([2, 5, 0, 1, 3, 4], arrivals.Numbers);
    }

    [Fact]
    public void Corruption_flips_one_bit()
    {
        SendAll(new NetemOptions { Corrupt = 1 }, 50);
        Assert.All(arrivals.FlippedBits, bits => Assert.Equal(1, bits));
    }

    [Fact]
    public void Rate_spaces_packets_by_their_length()
    {
        // 114 bytes with the link header, at 1 Mbit/s.
        SendAll(new NetemOptions { Rate = 1_000_000 }, 3);
        Assert.Equal([912_000L, 1_824_000L, 2_736_000L], arrivals.Times);
    }

    [Fact]
    public void Packets_beyond_the_limit_are_dropped_and_counted()
    {
        SendAll(new NetemOptions { Delay = TimeSpan.FromSeconds(1), Limit = 4 }, 10);
        Assert.Equal([0, 1, 2, 3], arrivals.Numbers);
        Assert.Equal(6, sender.Qdisc!.Stats.Drops);
    }

    [Fact]
    public void Taking_the_device_down_drops_what_is_under_way()
    {
        Send(new NetemOptions { Delay = TimeSpan.FromSeconds(1) }, 10);
        using (machine.Enter())
            Dev.DevClose(sender);
        scheduler.RunToEnd();
        Assert.Empty(arrivals.Numbers);
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new Netem(sender, new NetemOptions { Loss = 1.5 }));
        Assert.Throws<ArgumentException>(() => new Netem(sender, new NetemOptions { Loss = double.NaN }));
        Assert.Throws<ArgumentException>(() => new Netem(sender, new NetemOptions { Reorder = 0.1 }));
    }

    private void SendAll(NetemOptions options, int count)
    {
        Send(options, count);
        scheduler.RunToEnd();
    }

    private void Send(NetemOptions options, int count)
    {
        sender.Qdisc = new Netem(sender, options);
        for (int i = 0; i < count; i++)
        {
            using KernelEntry entry = machine.Enter();
            SkBuff skb = sender.Net.SkbPool.Alloc(200);
            skb.Reserve(64);
            Span<byte> payload = skb.Put(100);
            payload.Clear();
            BitConverter.TryWriteBytes(payload, i);
            skb.Dev = sender;
            skb.Protocol = TestProtocol;
            skb.ResetNetworkHeader();
            sender.HeaderOps.Create(skb, sender, TestProtocol, sender.Broadcast, []);
            Dev.DevQueueXmit(skb);
        }
    }

    private sealed class Arrivals(Machine machine, byte[] source) : PacketTap
    {
        public List<int> Numbers { get; } = [];

        public List<long> Times { get; } = [];

        public List<int> FlippedBits { get; } = [];

        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
        {
            byte[] frame = [.. skb.MacHeaderSpan];
            int number = BitConverter.ToInt32(frame, 14);
            Numbers.Add(number);
            Times.Add(machine.Clock.Now);
            byte[] sent = new byte[114];
            Array.Fill(sent, (byte)0xFF, 0, 6);
            source.CopyTo(sent.AsSpan(6));
            sent[12] = TestProtocol >> 8;
            sent[13] = TestProtocol & 0xFF;
            BitConverter.TryWriteBytes(sent.AsSpan(14), FlippedBits.Count);
            FlippedBits.Add(frame.Zip(sent, (a, b) => int.PopCount(a ^ b)).Sum());
        }
    }
}
