using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Trace;
using Linnet.Testing.Hostile;

namespace Linnet.Kernel.Tests.Hostile;

/// <summary>What every test of a hostile peer checks: honest connections, memory, work, and that nothing is left.</summary>
internal sealed class HostileBench(bool tap = false, int backlog = 128) : IDisposable
{
    public static readonly TimeSpan AttackTime = TimeSpan.FromSeconds(2);

    public HostileNet Net { get; } = new(tap: tap, backlog: backlog);

    public NetnsIpv4 Ipv4 => Net.Ipv4;

    /// <summary>Whether disposing looks for packets that are left.</summary>
    public bool CheckLeaks { get; set; } = true;

    public long Count(LinuxMib counter) => Ipv4.NetStatistics[counter];

    /// <summary>
    /// One honest connection begins before the attack and one in the midst of it; both have to end well, soon after the attack.
    /// </summary>
    public void Survives(int count, Func<int, byte[]?> packet, double limit = 30)
    {
        Net.StartHonest();
        Net.RunFor(TimeSpan.FromMilliseconds(200));
        Net.BeginAttack(count, AttackTime, packet);
        Net.RunFor(TimeSpan.FromSeconds(1));
        Net.StartHonest();
        Net.RunFor(TimeSpan.FromSeconds(1));
        Assert.True(Net.Finish(TimeSpan.FromSeconds(limit)), "an honest connection did not end well");
    }

    /// <summary>
    /// A packet costs as much work after an attack as at its beginning: traced calls are counted, which do not depend on the computer.
    /// </summary>
    public void WorkStaysEven(Func<int, byte[]?> packet, int between = 5000, double most = 400)
    {
        const int Sample = 200;
        double before = CallsPerPacket(0, Sample, packet);
        for (int i = 0; i < between; i++)
            Net.Inject(packet(Sample + i));
        double after = CallsPerPacket(Sample + between, Sample, packet);
        Assert.InRange(after, 0, before * 1.5 + 5);
        Assert.InRange(Math.Max(before, after), 0, most);
    }

    public void Dispose()
    {
        Net.Dispose();
        IReadOnlyList<Exception> failures = Net.Network.Simulation!.TakeFailures();
        if (failures.Count > 0)
            throw new AggregateException(failures);
        if (CheckLeaks)
            Assert.Equal(0, Net.Server.Namespace.SkbPool.Outstanding);
    }

    private double CallsPerPacket(int from, int count, Func<int, byte[]?> packet)
    {
        Counter counter = new();
        using (TraceSession.Start(counter, Silent.Instance, Net.Machine))
        {
            for (int i = 0; i < count; i++)
                Net.Inject(packet(from + i));
        }

        return counter.Calls / (double)count;
    }

    /// <summary>How often a function is called while something is done.</summary>
    public int CallsOf(string symbol, Action action)
    {
        Counter counter = new(symbol);
        using (TraceSession.Start(counter, Silent.Instance, Net.Machine))
            action();
        return counter.Calls;
    }

    private sealed class Counter(string? symbol = null) : ITraceSink
    {
        public int Calls { get; private set; }

        public void Entered(TraceCall call) => Calls += symbol == null || call.Point.Symbol == symbol ? 1 : 0;

        public void Left(TraceCall call)
        {
        }
    }

    private sealed class Silent : TraceFormatter
    {
        public static readonly Silent Instance = new();

        public override string Integer(TraceCall call, TraceParameter parameter, long value) => "";

        public override string Object(TraceCall call, TraceParameter parameter, object? value) => "";

        public override string Bytes(TraceCall call, TraceParameter parameter, ReadOnlySpan<byte> bytes, int length) => "";
    }
}
