using System.Diagnostics;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>Threads that send through one discipline at once, in real time: no packet is lost uncounted, and none is left behind.</summary>
public sealed class QdiscStressTests
{
    private const int Threads = 4;
    private const int PerThread = 20_000;

    [Theory]
    [InlineData("pfifo limit 50")]
    [InlineData("pfifo_fast")]
    [InlineData("fq_codel limit 200 flows 16")]
    [InlineData("fq flow_limit 30 limit 100")]
    [InlineData("tbf rate 4gbit burst 20000 limit 30000")]
    [InlineData("netem delay 1ms limit 500")]
    [InlineData("netem loss 10% duplicate 10%")]
    public void Every_packet_is_sent_or_counted_as_dropped(string discipline)
    {
        using HostScheduler scheduler = new();
        Machine machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = scheduler.TimeProvider,
            Scheduler = scheduler,
            Random = RandomSources.Seeded(3),
        });
        (NetDevice sender, Counter arrived) = Wire(machine);
        Assert.Equal("", Tc.Run(sender.Net, "qdisc add dev a root " + discipline).Error);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(number => new Thread(() => Send(machine, sender, number)))];
        foreach (Thread thread in threads)
            thread.Start();

        // Meanwhile it is looked at, changed and, where that keeps packets, changed again.
        while (threads.Any(thread => thread.IsAlive))
            Tc.Run(sender.Net, "-s qdisc show dev a");
        foreach (Thread thread in threads)
            thread.Join();
        Qdisc qdisc = sender.Qdisc!;
        long limit = Stopwatch.GetTimestamp() + 30 * Stopwatch.Frequency;
        while (qdisc.Qlen > 0 && Stopwatch.GetTimestamp() < limit)
            Thread.Yield();
        QdiscStats stats = qdisc.Stats;
        Assert.Equal((0, 0), (stats.Qlen, stats.Backlog));
        Assert.Equal(stats.Packets, arrived.Packets);
        if (!discipline.Contains("duplicate", StringComparison.Ordinal))
            Assert.Equal(Threads * PerThread, stats.Packets + stats.Drops);
        using (machine.Enter())
            Dev.DevClose(sender);
        Assert.Equal(0, sender.Net.SkbPool.Outstanding);
    }

    [Fact]
    public void Replacing_a_discipline_under_load_leaves_nothing_behind()
    {
        using HostScheduler scheduler = new();
        Machine machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = scheduler.TimeProvider,
            Scheduler = scheduler,
            Random = RandomSources.Seeded(4),
        });
        (NetDevice sender, _) = Wire(machine);
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(number => new Thread(() => Send(machine, sender, number)))];
        foreach (Thread thread in threads)
            thread.Start();
        string[] kinds = ["pfifo limit 10", "fq_codel", "fq", "netem delay 2ms", "tbf rate 1gbit burst 20000 limit 30000"];
        for (int i = 0; threads.Any(thread => thread.IsAlive); i++)
        {
            Assert.Equal("", Tc.Run(sender.Net, "qdisc replace dev a root " + kinds[i % kinds.Length]).Error);
            if (i % 7 == 0)
                Assert.Equal("", Tc.Run(sender.Net, "qdisc del dev a root").Error);
        }

        foreach (Thread thread in threads)
            thread.Join();
        using (machine.Enter())
            Dev.DevClose(sender);
        Assert.Equal(0, sender.Net.SkbPool.Outstanding);
    }

    private static (NetDevice Sender, Counter Arrived) Wire(Machine machine)
    {
        using KernelEntry entry = machine.Enter();
        NetNamespace net = machine.InitNsproxy.NetNs;
        Assert.Equal(0, Veth.VethNewlink(net, "a", net, "b", out NetDevice sender, out NetDevice receiver));
        Assert.Equal(0, Dev.DevOpen(sender));
        Assert.Equal(0, Dev.DevOpen(receiver));
        Counter counter = new();
        Dev.AddTap(sender, counter);
        return (sender, counter);
    }

    private static void Send(Machine machine, NetDevice dev, int number)
    {
        for (int i = 0; i < PerThread; i++)
        {
            using KernelEntry entry = machine.Enter();
            SkBuff skb = dev.Net.SkbPool.Alloc(200);
            skb.Reserve(64);
            skb.Put(100).Clear();
            skb.Dev = dev;
            skb.Protocol = 0x88B5;
            skb.Hash = (uint)(number * 1_000_000_007 + i % 5 * 77_777_777 + 1);
            skb.ResetNetworkHeader();
            dev.HeaderOps.Create(skb, dev, 0x88B5, dev.Broadcast, []);
            Dev.DevQueueXmit(skb);
        }
    }

    private sealed class Counter : PacketTap
    {
        private long packets;

        public long Packets => Interlocked.Read(ref packets);

        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
        {
            if (outgoing && skb.Protocol == 0x88B5)
                Interlocked.Increment(ref packets);
        }
    }
}
