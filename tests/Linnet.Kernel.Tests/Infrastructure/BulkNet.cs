using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>
/// A sender, a router and a receiver in virtual time, and one large stream from the first to the last over the bad link behind
/// the router. Nothing of the stream is kept: what was sent and what was received are compared by hash.
/// </summary>
internal sealed class BulkNet : IDisposable
{
    private const int Piece = 64 * 1024;
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(30);

    private readonly Network network;
    private readonly ulong seed;
    private readonly Link near;
    private readonly Link far;

    public BulkNet(ulong seed, NetemOptions options, int mtu = 1500)
    {
        this.seed = seed;
        network = Network.Simulate(seed);
        Sender = network.AddHost("sender");
        Host router = network.AddHost("router");
        Receiver = network.AddHost("receiver");
        near = network.Connect(Sender, "10.0.1.1/24", router, "10.0.1.254/24", mtu);
        far = network.Connect(router, "10.0.2.254/24", Receiver, "10.0.2.1/24", mtu);
        router.IsForwarding = true;
        IPNetworkAddress everything = IPNetworkAddress.Parse("0.0.0.0/0");
        Sender.AddRoute(everything, IPAddress.Parse("10.0.1.254"));
        Receiver.AddRoute(everything, IPAddress.Parse("10.0.2.254"));
        far.Emulate(options);
    }

    public Host Sender { get; }

    public Host Receiver { get; }

    /// <summary>What the bad link does from now on.</summary>
    public void Emulate(NetemOptions options) => far.Emulate(options);

    /// <summary>Whether packets cross the link; while it is cut they are lost.</summary>
    public void Cut(NetemOptions options, bool cut) => far.Emulate(cut ? new NetemOptions { Loss = 1 } : options);

    /// <summary>Changes the MTU of the bad link every so often, while the stream runs.</summary>
    public void ChangeMtu(TimeSpan every, params int[] sizes)
    {
        Random random = new((int)seed);
        network.Simulation!.Start("mtu", async () =>
        {
            while (true)
            {
                await Task.Delay(every, network.TimeProvider);
                far.One.SetMtu(sizes[random.Next(sizes.Length)]);
            }
        });
    }

    /// <summary>Has something done at a virtual time from now.</summary>
    public void After(TimeSpan delay, Action action) => network.Simulation!.Start("event", async () =>
    {
        await Task.Delay(delay, network.TimeProvider);
        action();
    });

    /// <summary>Sends the stream and checks that it arrives.</summary>
    /// <param name="bytes">Length of the stream.</param>
    /// <param name="limit">Virtual time that it may take.</param>
    public BulkResult Transfer(long bytes, TimeSpan limit)
    {
        byte[]? sent = null, received = null;
        long length = 0;
        TimeSpan start = network.Simulation!.Elapsed;
        Stopwatch wall = Stopwatch.StartNew();
        network.Run(
            async () =>
            {
                using LinnetSocket listener = Receiver.Listen(80);
                (LinnetStream client, LinnetStream server) = await Connect(listener);
                using LinnetStream from = client, to = server;
                Task<byte[]> sending = Send(client, bytes);
                (received, length) = await Receive(server);
                sent = await sending;
            },
            limit);
        Assert.Equal(bytes, length);
        Assert.Equal(Convert.ToHexString(sent!), Convert.ToHexString(received!));
        SnmpMib<TcpMib> tcp = Sender.Namespace.Ipv4.TcpStatistics;
        return new BulkResult(
            bytes, network.Simulation.Elapsed - start, wall.Elapsed, tcp[TcpMib.OutSegs], tcp[TcpMib.RetransSegs],
            Sender.Namespace.Ipv4.NetStatistics[LinuxMib.TCPTimeouts]);
    }

    // ARP gives up after three requests, and a listener when its SYN-ACKs find no way: TCP begins anew then, as programs do.
    private async Task<(LinnetStream Client, LinnetStream Server)> Connect(LinnetSocket listener)
    {
        Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
        while (true)
        {
            LinnetStream client;
            try
            {
                client = await Sender.ConnectAsync(new IPEndPoint(Receiver.Address, 80));
            }
            catch (LinnetSocketException e) when (e.Errno is EHOSTUNREACH or ETIMEDOUT)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), network.TimeProvider);
                continue;
            }

            await Task.WhenAny(accept, Task.Delay(TimeSpan.FromMinutes(5), network.TimeProvider));
            if (accept.IsCompleted)
            {
                LinnetSocket server = await accept;
                if (Equals(server.RemoteEndPoint, client.Socket.LocalEndPoint))
                    return (client, server.GetStream());
                server.Dispose();
                accept = listener.AcceptAsync().AsTask();
            }

            client.Dispose();
        }
    }

    private async Task<byte[]> Send(LinnetStream stream, long bytes)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Random random = new((int)seed);
        byte[] piece = new byte[Piece];
        for (long sent = 0; sent < bytes;)
        {
            Memory<byte> next = piece.AsMemory(0, (int)Math.Min(piece.Length, bytes - sent));
            random.NextBytes(next.Span);
            hash.AppendData(next.Span);
            await stream.WriteAsync(next);
            sent += next.Length;
        }

        stream.CompleteWrites();
        return hash.GetHashAndReset();
    }

    private static async Task<(byte[] Hash, long Length)> Receive(LinnetStream stream)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[Piece];
        long length = 0;
        for (int n; (n = await stream.ReadAsync(buffer)) > 0;)
        {
            hash.AppendData(buffer.AsSpan(0, n));
            length += n;
        }

        return (hash.GetHashAndReset(), length);
    }

    public void Dispose()
    {
        Machine machine = network.Machine;
        network.Simulation!.RunFor(Aftermath);
        network.Dispose();
        IReadOnlyList<Exception> failures = network.Simulation.TakeFailures();
        if (failures.Count > 0)
            throw new AggregateException(failures);
        Assert.Equal(0, NetCore.Of(machine).SkbPool.Outstanding);
    }
}

/// <summary>How a stream went.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Took">Virtual time.</param>
/// <param name="Wall">Real time.</param>
/// <param name="Segments">Segments that the sender sent.</param>
/// <param name="Retransmitted">Those of them that were sent again.</param>
/// <param name="Timeouts">How often the retransmission timer fired.</param>
internal sealed record BulkResult(
    long Bytes, TimeSpan Took, TimeSpan Wall, long Segments, long Retransmitted, long Timeouts)
{
    /// <summary>Bytes that arrived per virtual second.</summary>
    public double Goodput => Bytes / Took.TotalSeconds;

    /// <summary>A row of docs/transfers.md.</summary>
    public string Row(string name) => FormattableString.Invariant(
        $"| {name} | {Took.TotalSeconds:N1} s | {Goodput * 8 / 1e6:N2} Mbit/s | {Segments:N0} | {Retransmitted:N0} | {Timeouts:N0} | {Wall.TotalSeconds:N1} s |");
}
