using Linnet.Kernel.Net.Sched;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>
/// Long streams over bad links. They are 32 MiB each; with <c>LINNET_SOAK=1</c> in the environment they are 1 GiB each, and
/// what was measured is added to <c>artifacts/transfers.txt</c>, from which docs/transfers.md is made.
/// </summary>
public sealed class BulkTransferTests
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("LINNET_SOAK") == "1";
    private static readonly long Length = Soak ? 1L << 30 : 32L << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromDays(60);

    public static TheoryData<string, NetemOptions> Links() => new()
    {
        { "no fault", Good },
        { "loss 0.1 %", Good with { Loss = 0.001 } },
        { "loss 1 %", Good with { Loss = 0.01 } },
        { "loss 5 %", Good with { Loss = 0.05 } },
        { "loss 20 %", Good with { Loss = 0.2 } },
        { "bursts of loss (Gilbert-Elliott)", Good with { Bursts = new GilbertElliott(0.005, 0.3) } },
        { "duplication 5 %", Good with { Duplicate = 0.05 } },
        { "reordering 5 %", Good with { Reorder = 0.05 } },
        { "corruption 1 %", Good with { Corrupt = 0.01 } },
    };

    private static NetemOptions Good { get; } = new() { Delay = TimeSpan.FromMilliseconds(5), Rate = 100_000_000, Limit = 3000 };

    [Theory]
    [MemberData(nameof(Links))]
    public void A_long_stream_arrives(string name, NetemOptions options)
    {
        using BulkNet net = new(1, options);

        // A fifth of all packets lost both ways is beyond what TCP has to bear: it may give up after a quarter of an hour.
        if (options.Loss >= 0.2)
            net.Sender.SetSysctl("net.ipv4.tcp_retries2", "100");
        Report(name, net.Transfer(Length, Limit));
    }

    [Fact]
    public void A_long_stream_arrives_over_a_path_whose_MTU_changes()
    {
        using BulkNet net = new(2, Good, mtu: 9000);
        ForgetPathsSoon(net);
        net.ChangeMtu(TimeSpan.FromMilliseconds(100), 576, 1280, 1500, 4000, 9000);
        Report("MTU changes every 100 ms, 576 to 9000", net.Transfer(Length, Limit));
    }

    [Fact]
    public void A_long_stream_arrives_through_everything_at_once()
    {
        NetemOptions options = Good with
        {
            Jitter = TimeSpan.FromMilliseconds(1),
            Loss = 0.01,
            Duplicate = 0.01,
            Reorder = 0.01,
            Corrupt = 0.005,
        };
        using BulkNet net = new(3, options, mtu: 9000);
        ForgetPathsSoon(net);
        net.ChangeMtu(TimeSpan.FromSeconds(1), 576, 1280, 1500, 4000, 9000);
        Report("all at once", net.Transfer(Length, Limit));
    }

    [Fact]
    public void A_long_stream_survives_cuts_of_up_to_a_minute()
    {
        NetemOptions options = Good with { Loss = 0.001 };
        using BulkNet net = new(4, options);
        Random random = new(4);
        double at = 0;
        for (int cut = 0; cut < 12; cut++)
        {
            at += 0.1 + random.NextDouble();
            net.After(TimeSpan.FromSeconds(at), () => net.Cut(options, cut: true));
            at += random.NextDouble() * (cut < 8 ? 3 : 60);
            net.After(TimeSpan.FromSeconds(at), () => net.Cut(options, cut: false));
        }

        Report("cut and healed 12 times", net.Transfer(Length, Limit));
    }

    /// <summary>Thousands of short streams, each with another seed.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Short_streams_arrive_with_every_seed(int part)
    {
        int count = Soak ? 5000 : 500;
        for (int i = 0; i < count; i++)
        {
            ulong seed = (ulong)(part * count + i + 1);
            Random random = new((int)seed);
            NetemOptions options = new()
            {
                Delay = TimeSpan.FromMilliseconds(random.Next(1, 50)),
                Jitter = TimeSpan.FromMilliseconds(part == 1 ? random.Next(1, 10) : 0),
                Loss = part == 0 ? random.NextDouble() * 0.2 : 0.01,
                Duplicate = part == 1 ? 0.1 : 0,
                Corrupt = part == 2 ? 0.05 : 0,
                Bursts = part == 3 ? new GilbertElliott(0.02, 0.2) : null,
            };
            using BulkNet net = new(seed, options);
            net.Transfer(random.Next(1, 60_000), TimeSpan.FromHours(3));
        }
    }

    private static void ForgetPathsSoon(BulkNet net) =>
        net.Sender.SetSysctl("net.ipv4.route.mtu_expires", "2");

    private static void Report(string name, BulkResult result)
    {
        string row = result.Row(name);
        TestContext.Current.TestOutputHelper?.WriteLine(row);
        if (Soak)
            File.AppendAllText(Path.Combine(Repository.Root, "artifacts", "transfers.txt"), row + "\n");
    }
}
