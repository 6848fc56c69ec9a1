using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>The words of tc, what it prints and how it refuses.</summary>
public sealed class TcTests
{
    public static TheoryData<string, string> Words() => new()
    {
        { "pfifo", "pfifo 1: root refcnt 2 limit 1000p" },
        { "pfifo limit 5", "pfifo 1: root refcnt 2 limit 5p" },
        { "bfifo limit 10kb", "bfifo 1: root refcnt 2 limit 10Kb" },
        { "pfifo_fast", "pfifo_fast 1: root refcnt 2 bands 3 priomap  1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1" },
        { "tbf rate 1mbit burst 32kbit latency 400ms", "tbf 1: root refcnt 2 rate 1Mbit burst 4Kb lat 400ms " },
        { "tbf rate 220kbit buffer 1600 limit 3000 peakrate 1gbit minburst 1514", "tbf 1: root refcnt 2 rate 220Kbit burst 1600b peakrate 1Gbit minburst 1514b lat 50.9ms " },
        {
            "fq_codel limit 1000 target 3ms interval 40ms noecn ce_threshold 1ms quantum 300 flows 16 memory_limit 5mb drop_batch 8",
            "fq_codel 1: root refcnt 2 limit 1000p flows 16 quantum 300 target 3ms ce_threshold 1ms interval 40ms memory_limit 5Mb drop_batch 8 "
        },
        { "netem delay 100ms seed 1", "netem 1: root refcnt 2 limit 1000 delay 100ms seed 1" },
        { "netem delay 100ms 10ms 25% seed 1", "netem 1: root refcnt 2 limit 1000 delay 100ms  10ms 25% seed 1" },
        { "netem loss 0.3% 25% seed 1", "netem 1: root refcnt 2 limit 1000 loss 0.3% 25% seed 1" },
        { "netem loss gemodel 1% 10% seed 1", "netem 1: root refcnt 2 limit 1000 loss gemodel p 1% r 10% 1-h 100% 1-k 0% seed 1" },
        { "netem loss state 5% seed 1", "netem 1: root refcnt 2 limit 1000 loss state p13 5% p31 95% p32 0% p23 100% p14 0% seed 1" },
        {
            "netem delay 10ms reorder 25% 50% gap 5 duplicate 1% corrupt 0.1% limit 20 seed 7",
            "netem 1: root refcnt 2 limit 20 delay 10ms duplicate 1% reorder 25% 50% corrupt 0.1% gap 5 seed 7"
        },
        { "netem rate 5mbit 20 48 5 seed 1", "netem 1: root refcnt 2 limit 1000 rate 5Mbit packetoverhead 20 cellsize 48 celloverhead 5 seed 1" },
        { "netem slot 800us 10ms packets 32 seed 1", "netem 1: root refcnt 2 limit 1000 slot 800us 10ms packets 32 seed 1" },
        { "netem delay 1.5ms seed 1", "netem 1: root refcnt 2 limit 1000 delay 1.5ms seed 1" },
    };

    [Theory]
    [MemberData(nameof(Words))]
    public void What_is_said_is_shown(string words, string shown)
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: " + words);
        Assert.Equal($"qdisc {shown}\n", bench.Tc("tc qdisc show dev a"));
    }

    [Theory]
    [InlineData("qdisc add dev nosuch root fq", 1, "Cannot find device \"nosuch\"")]
    [InlineData("qdisc add dev a root nosuch", 2, "Error: Specified qdisc kind is unknown.")]
    [InlineData("qdisc add dev a root nosuch limit 1", 1, "Unknown qdisc \"nosuch\", hence option \"limit\" is unparsable")]
    [InlineData("qdisc add dev a root pfifo limit x", 1, "Illegal \"limit\"")]
    [InlineData("qdisc add dev a root tbf burst 10kb limit 10kb", 1, "tbf: the \"rate\" parameter is mandatory.")]
    [InlineData("qdisc add dev a root tbf", 1, "tbf: the \"rate\" parameter is mandatory.")]
    [InlineData("qdisc add dev a root netem gap 5", 1, "gap specified without reorder probability")]
    [InlineData("qdisc add dev a root netem reorder 5%", 1, "reordering not possible without specifying some delay")]
    [InlineData("qdisc add dev a root netem loss 101%", 1, "Illegal \"loss\"")]
    [InlineData("qdisc change dev a root fq", 2, "Error: Qdisc not found. To create specify NLM_F_CREATE flag.")]
    [InlineData("qdisc del dev a root", 2, "Error: Cannot find specified qdisc on specified device.")]
    [InlineData("qdisc add dev a parent 1:1 pfifo", 2, "Error: Failed to find specified qdisc.")]
    [InlineData("qdisc add dev a root fq_codel flows 0", 2, "Error: there are from 1 to 65536 flows.")]
    [InlineData("qdisc fly", 1, "Command \"fly\" is unknown, try \"tc qdisc help\".")]
    [InlineData("filter show", 1, "Object \"filter\" is unknown, try \"tc help\".")]
    [InlineData("qdisc add dev", 1, "Command line is not complete. Try option \"help\"")]
    public void What_makes_no_sense_is_refused(string command, int status, string error)
    {
        using QdiscBench bench = new();
        TcResult result = Tc.Run(bench.Dev.Net, command);
        Assert.Equal((status, error + "\n", ""), (result.ExitStatus, result.Error, result.Output));
        Assert.Null(bench.Dev.Qdisc);
    }

    [Fact]
    public void Adding_replacing_changing_and_deleting_go_as_the_kernel_has_it()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq");
        Assert.Equal("Error: Exclusivity flag on, cannot modify.\n", Tc.Run(bench.Dev.Net, "qdisc add dev a root fq").Error);
        Assert.Equal(
            "Error: Invalid qdisc name: must match existing qdisc.\n", Tc.Run(bench.Dev.Net, "qdisc change dev a root netem delay 1ms").Error);
        Assert.StartsWith("qdisc fq 8001: root", bench.Tc("qdisc show dev a"), StringComparison.Ordinal);
        bench.Tc("qdisc replace dev a root fq_codel limit 50");
        Assert.StartsWith("qdisc fq_codel 8002: root refcnt 2 limit 50p", bench.Tc("qdisc show dev a"), StringComparison.Ordinal);

        // What is not named stays.
        bench.Tc("qdisc replace dev a root fq_codel target 7ms");
        Assert.Equal((50, TimeSpan.FromMilliseconds(7)), (((FqCodelOptions)bench.Qdisc.Dump).Limit, ((FqCodelOptions)bench.Qdisc.Dump).Target));
        Assert.Equal("RTNETLINK answers: Invalid argument\n", Tc.Run(bench.Dev.Net, "qdisc change dev a root fq_codel flows 8").Error);
        bench.Tc("qdisc del dev a root");
        Assert.Equal("qdisc noqueue 0: root refcnt 2 \n", bench.Tc("qdisc show dev a"));
    }

    [Fact]
    public void All_devices_and_children_are_shown_with_statistics()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: netem delay 1ms seed 9");
        bench.Tc("qdisc add dev a parent 1:1 handle 20: fq_codel");
        bench.SendMany(3, 100);
        bench.Run();
        Assert.Equal(
            """
            qdisc noqueue 0: dev lo root refcnt 2 
            qdisc noqueue 0: dev b root refcnt 2 
            qdisc netem 1: dev a root refcnt 2 limit 1000 delay 1ms seed 9
            qdisc fq_codel 20: dev a parent 1:1 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 

            """,
            bench.Tc("qdisc"));
        Assert.Equal(
            """
            qdisc netem 1: root refcnt 2 limit 1000 delay 1ms seed 9
             Sent 300 bytes 3 pkt (dropped 0, overlimits 0 requeues 0) 
             backlog 0b 0p requeues 0
            qdisc fq_codel 20: parent 1:1 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 
             Sent 300 bytes 3 pkt (dropped 0, overlimits 0 requeues 0) 
             backlog 0b 0p requeues 0
              maxpacket 100 drop_overlimit 0 new_flow_count 1 ecn_mark 0
              new_flows_len 0 old_flows_len 0

            """,
            bench.Tc("-s qdisc show dev a"));
        bench.Tc("qdisc del dev a parent 1:1");
        Assert.Null(bench.Qdisc.Leaf);
    }

    [Fact]
    public void The_kinds_that_are_modules_are_loaded_when_they_are_wanted_and_stay_while_used()
    {
        using QdiscBench bench = new();
        Assert.DoesNotContain(bench.Machine.Modules.Loaded, module => module.Name == "sch_netem");
        bench.Tc("qdisc add dev a root netem delay 1ms");
        Assert.Contains(bench.Machine.Modules.Loaded, module => module.Name == "sch_netem");
        Assert.Equal(-EWOULDBLOCK, bench.Machine.Modules.DeleteModule("sch_netem"));
        bench.Tc("qdisc del dev a root");
        Assert.Equal(0, bench.Machine.Modules.DeleteModule("sch_netem"));
        bench.Tc("qdisc add dev a root netem delay 1ms");
    }
}
