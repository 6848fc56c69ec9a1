using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>First in, first out, behind a token bucket that lets one packet of 1000 bytes go each 8 ms.</summary>
public sealed class FifoTests
{
    private const string Slow = "qdisc add dev a root handle 1: tbf rate 1mbit burst 1000 limit 100kb";

    [Fact]
    public void A_pfifo_holds_its_limit_of_packets_and_drops_the_newest()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        bench.Tc("qdisc add dev a parent 1:1 handle 2: pfifo limit 3");
        int[] results = [.. Enumerable.Range(0, 6).Select(i => bench.Send(i, 1000))];
        bench.Run();

        // The first goes at once and the second waits outside of the queue, where the bucket looked at it.
        Assert.Equal([0, 0, 0, 0, Dev.NET_XMIT_DROP, Dev.NET_XMIT_DROP], results);
        Assert.Equal([0, 1, 2, 3], bench.Numbers);
        Assert.Equal([0, 8_000_000, 16_000_000, 24_000_000], bench.Times);
        Assert.Equal((2, 4000, 4), (bench.Qdisc.Stats.Drops, bench.Qdisc.Stats.Bytes, bench.Qdisc.Stats.Packets));
        Assert.Equal(2, bench.Qdisc.Leaf!.Stats.Drops);
    }

    [Theory]
    [InlineData("pfifo limit 0")]
    [InlineData("bfifo limit 0")]
    [InlineData("pfifo_head_drop limit 0")]
    public void With_a_limit_of_nothing_nothing_goes(string qdisc)
    {
        using QdiscBench bench = new();
        bench.Tc($"qdisc add dev a root {qdisc}");
        Assert.Equal(Dev.NET_XMIT_DROP, bench.Send(1, 1000));
        bench.Run();
        Assert.Empty(bench.Numbers);
    }

    [Fact]
    public void A_bfifo_holds_its_limit_of_bytes()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        bench.Tc("qdisc add dev a parent 1:1 handle 2: bfifo limit 2500");
        bench.Send(0, 1000);
        int[] results = [bench.Send(1, 1000), bench.Send(2, 1000), bench.Send(3, 1000), bench.Send(4, 500), bench.Send(5, 60)];
        Assert.Equal([0, 0, Dev.NET_XMIT_DROP, 0, Dev.NET_XMIT_DROP], results);
        Assert.Equal((2500, 3), (bench.Qdisc.Leaf!.Stats.Backlog, bench.Qdisc.Leaf.Stats.Qlen));
        Assert.Equal((2500, 3), (bench.Qdisc.Stats.Backlog, bench.Qdisc.Stats.Qlen));
        bench.Run();
        Assert.Equal([0, 1, 2, 4], bench.Numbers);
        Assert.Equal((0, 0), (bench.Qdisc.Stats.Backlog, bench.Qdisc.Stats.Qlen));
    }

    [Fact]
    public void A_pfifo_head_drop_makes_room_by_the_oldest()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        bench.Tc("qdisc add dev a parent 1:1 handle 2: pfifo_head_drop limit 2");
        for (int i = 0; i < 6; i++)
            Assert.Equal(i < 3 ? Dev.NET_XMIT_SUCCESS : Dev.NET_XMIT_CN, bench.Send(i, 1000));
        Assert.Equal((2, 2000), (bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
        bench.Run();
        Assert.Equal([0, 4, 5], bench.Numbers.Order());
        Assert.Equal((0, 0), (bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
    }

    [Fact]
    public void A_pfifo_fast_sends_by_priority_and_in_order_within_one()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        using (bench.Machine.Enter())
            Assert.Equal(0, bench.Qdisc.Graft(new PfifoFast(bench.Dev), 0x10001));
        bench.Send(0, 1000);
        bench.Send(1, 1000);
        (int Number, uint Priority)[] rest = [(2, TC_PRIO_BULK), (3, TC_PRIO_BESTEFFORT), (4, TC_PRIO_INTERACTIVE), (5, TC_PRIO_CONTROL), (6, TC_PRIO_BULK)];
        foreach ((int number, uint priority) in rest)
            bench.Send(number, 1000, priority: priority);
        bench.Run();
        Assert.Equal([0, 1, 4, 5, 3, 2, 6], bench.Numbers);
    }

    [Fact]
    public void A_pfifo_fast_holds_the_transmit_queues_length_in_each_band()
    {
        using QdiscBench bench = new();
        using (bench.Machine.Enter())
            Assert.Equal(0, Dev.DevChangeTxQueueLen(bench.Dev, 2));
        bench.Tc(Slow);
        using (bench.Machine.Enter())
            bench.Qdisc.Graft(new PfifoFast(bench.Dev), 0x10001);
        int[] results = [.. Enumerable.Range(0, 5).Select(i => bench.Send(i, 1000))];
        Assert.Equal([0, 0, 0, 0, Dev.NET_XMIT_DROP], results);
        Assert.Equal(0, bench.Send(9, 1000, priority: TC_PRIO_INTERACTIVE));
        bench.Run();
        Assert.Equal([0, 1, 9, 2, 3], bench.Numbers);
    }

    [Fact]
    public void Changing_the_limit_keeps_what_waits()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        bench.Tc("qdisc add dev a parent 1:1 handle 2: pfifo limit 10");
        for (int i = 0; i < 5; i++)
            bench.Send(i, 1000);
        bench.Tc("qdisc change dev a parent 1:1 handle 2: pfifo limit 1");
        Assert.Equal(Dev.NET_XMIT_DROP, bench.Send(5, 1000));
        bench.Run();
        Assert.Equal([0, 1, 2, 3, 4], bench.Numbers);
    }

    [Fact]
    public void A_device_that_is_replaced_under_drops_what_waits_and_goes_on()
    {
        using QdiscBench bench = new();
        bench.Tc(Slow);
        for (int i = 0; i < 5; i++)
            bench.Send(i, 1000);
        bench.Tc("qdisc replace dev a root pfifo limit 5");
        bench.Send(7, 1000);
        bench.Run();
        Assert.Equal([0, 7], bench.Numbers);
    }

    [Fact]
    public void Devices_with_a_queue_get_the_default_discipline_when_they_come_up()
    {
        using QdiscBench bench = new();
        NetNamespace net = bench.Dev.Net;
        Assert.Equal(0, net.Sysctl.Read("net.core.default_qdisc", out string value));
        Assert.Equal("pfifo_fast\n", value);
        Assert.Equal(-ENOENT, net.Sysctl.Write("net.core.default_qdisc", "no_such"));
        Assert.Equal("pfifo_fast", OpenTun(net, "one"));
        Assert.Equal(0, net.Sysctl.Write("net.core.default_qdisc", "fq_codel"));
        Assert.Equal("fq_codel", OpenTun(net, "two"));
        Assert.Equal(0, net.Sysctl.Write("net.core.default_qdisc", "fq"));
        Assert.Equal("fq", OpenTun(net, "three"));

        // A cable's other end is memory: nothing waits there.
        Assert.Null(bench.Dev.Qdisc);
    }

    private static string OpenTun(NetNamespace net, string name)
    {
        using KernelEntry entry = net.Machine.Enter();
        Assert.Equal(0, Drivers.Tun.TunSetIff(net, name, tap: false, out Drivers.Tun tun));
        Assert.Equal(0, Dev.DevOpen(tun.Dev));
        return tun.Dev.Qdisc!.Id;
    }
}
