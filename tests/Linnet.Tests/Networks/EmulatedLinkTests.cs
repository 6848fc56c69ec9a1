using System.Net;
using System.Security.Cryptography;
using Linnet.Kernel.Net.Sched;
using static Linnet.Kernel.Uapi.Errno;

namespace Linnet.Tests.Networks;

/// <summary>Transfers over links that lose, repeat, reorder and corrupt: every byte arrives, in order, in virtual time.</summary>
public class EmulatedLinkTests
{
    public static TheoryData<string, NetemOptions> Links => new()
    {
        { "clean", new NetemOptions { Delay = Ms(5) } },
        { "loss 1 %", new NetemOptions { Delay = Ms(5), Loss = 0.01 } },
        { "loss 10 %", new NetemOptions { Delay = Ms(5), Loss = 0.1 } },
        { "bursts", new NetemOptions { Delay = Ms(5), Bursts = new GilbertElliott(0.01, 0.3) } },
        { "reordering", new NetemOptions { Delay = Ms(5), Jitter = Ms(4) } },
        { "duplication", new NetemOptions { Delay = Ms(5), Duplicate = 0.3 } },
        { "corruption", new NetemOptions { Delay = Ms(5), Corrupt = 0.03 } },
        { "narrow", new NetemOptions { Delay = Ms(20), Rate = 5_000_000, Limit = 20 } },
        {
            "all of it",
            new NetemOptions { Delay = Ms(5), Jitter = Ms(3), Loss = 0.03, Duplicate = 0.05, Corrupt = 0.01, Rate = 50_000_000 }
        },
    };

    [Theory]
    [MemberData(nameof(Links))]
    public void A_transfer_loses_no_byte(string name, NetemOptions options)
    {
        _ = name;
        Transfer(options, seed: 1, length: 1_500_000);
    }

    [Fact]
    public void Many_seeds_of_short_transfers_lose_no_byte()
    {
        NetemOptions bad = new() { Delay = Ms(5), Jitter = Ms(4), Loss = 0.08, Duplicate = 0.05, Corrupt = 0.02 };
        for (ulong seed = 1; seed <= 60; seed++)
            Transfer(bad, seed, length: 40_000);
    }

    [Fact]
    public void A_cut_link_that_heals_lets_the_transfer_go_on()
    {
        using Network network = Network.Simulate(seed: 9);
        (Host server, Host client, Link link) = Wire(network, new NetemOptions { Delay = Ms(5), Rate = 20_000_000 });
        byte[] data = new byte[1_000_000];
        new Random(1).NextBytes(data);
        Exchange transfer = Start(server, client, data);
        network.Simulation!.RunFor(Ms(150));
        link.Emulate(new NetemOptions { Loss = 1 });
        network.Simulation.RunFor(TimeSpan.FromSeconds(20));
        Assert.False(transfer.IsOver);
        link.Emulate(new NetemOptions { Delay = Ms(5) });
        network.Simulation.RunUntil(() => transfer.IsOver, TimeSpan.FromMinutes(10));
        Assert.Equal(SHA256.HashData(data), transfer.Hash);
    }

    private static void Transfer(NetemOptions options, ulong seed, int length)
    {
        using Network network = Network.Simulate(seed);
        (Host server, Host client, _) = Wire(network, options);
        byte[] data = new byte[length];
        new Random((int)seed).NextBytes(data);
        Exchange transfer = Start(server, client, data);
        network.Simulation!.RunUntil(() => transfer.IsOver, TimeSpan.FromHours(2));
        Assert.Equal(SHA256.HashData(data), transfer.Hash);

        // Through TIME_WAIT and the longest retransmission: nothing may be left.
        network.Simulation.RunFor(TimeSpan.FromMinutes(30));
        Assert.Equal(0, server.Namespace.SkbPool.Outstanding);
    }

    private static (Host Server, Host Client, Link Link) Wire(Network network, NetemOptions options)
    {
        Host server = network.AddHost("server");
        Host client = network.AddHost("client");
        Link link = network.Connect(server, "10.0.0.1/24", client, "10.0.0.2/24");
        link.Emulate(options);
        return (server, client, link);
    }

    private static Exchange Start(Host server, Host client, byte[] data)
    {
        MemoryStream received = new();
        Task serving = server.Start("sink", async _ =>
        {
            using LinnetSocket listener = server.Listen(80);
            using LinnetSocket connection = await listener.AcceptAsync();
            using LinnetStream stream = connection.GetStream();
            await stream.CopyToAsync(received);
        });
        Task sending = client.Start("source", async _ =>
        {
            using LinnetStream stream = await Connect(client, new IPEndPoint(server.Address, 80));
            await stream.WriteAsync(data);
        });
        return new Exchange(serving, sending, received);
    }

    // ARP gives up after three requests that were lost.
    private static async Task<LinnetStream> Connect(Host client, IPEndPoint to)
    {
        while (true)
        {
            try
            {
                return await client.ConnectAsync(to);
            }
            catch (LinnetSocketException e) when (e.Errno == EHOSTUNREACH)
            {
            }
        }
    }

    private sealed record Exchange(Task Serving, Task Sending, MemoryStream Received)
    {
        public bool IsOver => Serving.IsCompleted && Sending.IsCompleted;

        public byte[] Hash => SHA256.HashData(Received.ToArray());
    }

    private static TimeSpan Ms(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);
}
