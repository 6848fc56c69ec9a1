using System.Net;
using Linnet.Testing;

namespace Linnet.Tests.Networks;

public class NetworkTests
{
    [Fact]
    public void The_same_seed_gives_the_same_packets()
    {
        byte[] first = Exchange(seed: 5), second = Exchange(seed: 5), other = Exchange(seed: 6);
        Assert.True(first.Length > 1000);
        Assert.Equal(first, second);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void A_network_boots_without_a_complaint_in_the_log()
    {
        List<string> lines = [];
        using Network network = new(new NetworkOptions
        {
            VirtualTime = true,
            Log = (level, line) =>
            {
                if (level <= Kernel.LogLevel.Warning)
                    lines.Add(line);
            },
        });
        network.Connect(network.AddHost("one"), "10.0.0.1/24", network.AddHost("other"), "10.0.0.2/24");
        Assert.Empty(lines);
    }

    [Fact]
    public void Hosts_have_names_addresses_and_interfaces()
    {
        using TwoHosts net = new();
        Assert.Equal(["lo", "eth0"], net.One.Interfaces.Select(i => i.Name));
        Assert.Equal(IPAddress.Parse("10.0.0.1"), net.One.Address);
        Assert.Equal(IPNetworkAddress.Parse("10.0.0.2/24"), net.Other.Interfaces[1].Addresses.Single());
        Assert.NotEqual(net.One.Interfaces[1].PhysicalAddress, net.Other.Interfaces[1].PhysicalAddress);
        Assert.Equal(IPNetworkAddress.Parse("127.0.0.1/8"), net.One.Interfaces[0].Addresses.Single());
    }

    [Fact]
    public void Packets_go_through_a_router()
    {
        using Network network = Network.Simulate();
        Host left = network.AddHost("left"), router = network.AddHost("router"), right = network.AddHost("right");
        network.Connect(left, "10.1.0.2/24", router, "10.1.0.1/24");
        network.Connect(right, "10.2.0.2/24", router, "10.2.0.1/24");
        router.IsForwarding = true;
        left.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), IPAddress.Parse("10.1.0.1"));
        right.AddRoute(IPNetworkAddress.Parse("10.1.0.0/24"), IPAddress.Parse("10.2.0.1"));
        network.Run(async () =>
        {
            using LinnetSocket listener = right.Listen(80);
            Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
            await using LinnetStream client = await left.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.2.0.2"), 80));
            using LinnetSocket server = await accept;
            Assert.Equal(IPAddress.Parse("10.1.0.2"), server.RemoteEndPoint!.Address);
        });
    }

    [Fact]
    public void A_program_on_a_thread_makes_blocking_calls()
    {
        using TwoHosts net = new();
        string got = "";
        Task server = net.One.Start("server", sys =>
        {
            int s = sys.Socket(2, 1, 0);
            Assert.Equal(0, sys.Bind(s, Syscalls.Sockaddr(new IPEndPoint(IPAddress.Any, 7))));
            Assert.Equal(0, sys.Listen(s, 1));
            int connection = sys.Accept(s);
            Span<byte> buffer = stackalloc byte[100];
            long length = sys.Recv(connection, buffer, 0);
            got = System.Text.Encoding.ASCII.GetString(buffer[..(int)length]);
        });
        Task client = net.Other.Start("client", sys =>
        {
            int s = sys.Socket(2, 1, 0);
            Assert.Equal(0, sys.Connect(s, Syscalls.Sockaddr(net.At(7))));
            Assert.Equal(5, sys.Send(s, "hello"u8, 0));
        });
        net.Simulation.RunUntil(() => server.IsCompleted && client.IsCompleted);
        Assert.Equal("hello", got);
    }

    [Fact]
    public void What_a_program_throws_comes_out_of_the_run()
    {
        using TwoHosts net = new();
        Task program = net.One.Start("fails", _ => throw new InvalidDataException("here"));
        Assert.Equal("here", Assert.Throws<InvalidDataException>(net.Simulation.Run).Message);
        Assert.True(program.IsFaulted);
    }

    [Fact]
    public void A_program_that_waits_for_ever_is_a_deadlock_with_its_name()
    {
        using TwoHosts net = new() { CheckLeaks = false };
        _ = net.One.Start("waits", sys =>
        {
            int s = sys.Socket(2, 2, 0);
            sys.Recv(s, new byte[1], 0);
        });
        var report = Assert.Throws<SimulationDeadlockException>(net.Simulation.Run);
        Assert.Equal(["one:waits"], report.Waiting);
    }

    [Fact]
    public async Task Real_time_works_too()
    {
        TimeSpan patience = TimeSpan.FromSeconds(60);
        using Network network = new();
        Host one = network.AddHost("one"), other = network.AddHost("other");
        network.Connect(one, "10.0.0.1/24", other, "10.0.0.2/24");
        await Task.Run(() => network.Run(async () =>
        {
            using LinnetSocket listener = one.Listen(80);
            Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
            await using LinnetStream client = await other.ConnectAsync(new IPEndPoint(one.Address, 80));
            await using LinnetStream server = (await accept).GetStream();
            byte[] data = new byte[300_000];
            new Random(3).NextBytes(data);
            byte[] got = new byte[data.Length];
            Task write = client.WriteAsync(data).AsTask();
            await server.ReadExactlyAsync(got);
            await write;
            Assert.Equal(data, got);
        })).WaitAsync(patience);
    }

    private static byte[] Exchange(ulong seed)
    {
        MemoryStream capture = new();
        using (TwoHosts net = new(seed, capture))
        {
            net.Run(async () =>
            {
                (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
                await using (client)
                await using (server)
                {
                    Task write = client.WriteAsync(new byte[100_000]).AsTask();
                    await server.ReadExactlyAsync(new byte[100_000]);
                    await write;
                }
            });
        }

        return capture.ToArray();
    }
}
