using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;

namespace Linnet.Tests.Sockets;

/// <summary>
/// Asynchronous calls in real time that end in several ways at once: with data, by cancellation, because the socket is disposed.
/// Each ends exactly once and in bounded time, and no byte is lost.
/// </summary>
public sealed class AsyncRaceTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly Network network = new();
    private readonly Host host;
    private readonly LinnetSocket listener;

    public AsyncRaceTests()
    {
        host = network.AddHost("host");
        listener = host.Listen(80);
    }

    public void Dispose()
    {
        listener.Dispose();
        NetNamespace net = host.Namespace;
        SpinWait.SpinUntil(() => net.SkbPool.Outstanding == 0, Limit);
        long left = net.SkbPool.Outstanding;
        network.Dispose();
        Assert.Equal(0, left);
    }

    [Fact]
    public async Task Cancelled_reads_lose_no_byte()
    {
        const int Total = 3_000_000;
        (LinnetStream client, LinnetStream server) = await Pair();
        Task writing = Task.Run(async () =>
        {
            Random random = new(1);
            byte[] data = new byte[Total];
            random.NextBytes(data);
            for (int sent = 0; sent < Total;)
            {
                int size = Math.Min(random.Next(1, 3000), Total - sent);
                await client.WriteAsync(data.AsMemory(sent, size));
                sent += size;
            }

            client.CompleteWrites();
        });
        Task reading = Task.Run(() => ReadCancelling(server, Total, seed: 1));
        await Task.WhenAll(writing, reading).WaitAsync(Limit);
        client.Dispose();
        server.Dispose();
    }

    [Fact]
    public async Task Disposing_ends_every_call_that_waits()
    {
        for (int round = 0; round < 300; round++)
        {
            (LinnetStream client, LinnetStream server) = await Pair();
            byte[] large = new byte[8_000_000];
            Task[] waiting =
            [
                Task.Run(async () => await client.ReadAsync(new byte[10])),
                Task.Run(async () => await client.ReadAsync(new byte[10])),
                Task.Run(async () => await client.WriteAsync(large)),
            ];
            if (round % 2 == 0)
                Thread.SpinWait(round * 100);
            else
                await Task.Yield();
            client.Dispose();
            await Task.WhenAll(waiting.Select(Ended)).WaitAsync(Limit);
            server.Dispose();
        }
    }

    [Fact]
    public async Task Several_tasks_write_to_one_stream_and_all_arrives()
    {
        const int Writers = 6;
        const int Pieces = 200;
        const int Size = 700;
        (LinnetStream client, LinnetStream server) = await Pair();
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(_ => Task.Run(async () =>
        {
            byte[] piece = new byte[Size];
            piece.AsSpan().Fill(1);
            for (int i = 0; i < Pieces; i++)
                await client.WriteAsync(piece);
        }))];
        Task<long> reading = Task.Run(async () =>
        {
            long sum = 0;
            byte[] buffer = new byte[5000];
            for (int n; (n = await server.ReadAsync(buffer)) > 0;)
                sum += buffer.AsSpan(0, n).ToArray().Sum(b => (long)b);
            return sum;
        });
        await Task.WhenAll(writers).WaitAsync(Limit);
        client.CompleteWrites();
        Assert.Equal(Writers * Pieces * Size, await reading.WaitAsync(Limit));
        client.Dispose();
        server.Dispose();
    }

    [Fact]
    public async Task Accepts_and_connects_are_cancelled_and_begun_again()
    {
        const int Connections = 200;
        using CancellationTokenSource over = new();
        int accepted = 0;
        Task[] accepting = [.. Enumerable.Range(0, 3).Select(i => Task.Run(async () =>
        {
            Random random = new(i);
            while (!over.IsCancellationRequested)
            {
                using CancellationTokenSource soon = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
                if (random.Next(2) == 0)
                    ThreadPool.UnsafeQueueUserWorkItem(static source => Cancel(source), soon, preferLocal: false);
                try
                {
                    using LinnetSocket socket = await listener.AcceptAsync(soon.Token);
                    Interlocked.Increment(ref accepted);
                    await socket.SendAsync(new byte[1]);
                }
                catch (OperationCanceledException)
                {
                    // Another accept takes what comes.
                }
            }
        }))];
        for (int i = 0; i < Connections; i++)
        {
            using LinnetStream stream = await host.ConnectAsync(new IPEndPoint(IPAddress.Loopback, 80)).AsTask().WaitAsync(Limit);
            Assert.Equal(1, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Limit));
        }

        over.Cancel();
        await Task.WhenAll(accepting).WaitAsync(Limit);
        Assert.Equal(Connections, accepted);
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The call ended first.
        }
    }

    private static async Task ReadCancelling(LinnetStream stream, int total, int seed)
    {
        byte[] expected = new byte[total];
        new Random(seed).NextBytes(expected);
        byte[] buffer = new byte[4000];
        int received = 0;
        while (true)
        {
            using CancellationTokenSource soon = new();
            ThreadPool.UnsafeQueueUserWorkItem(static source => Cancel(source), soon, preferLocal: false);
            try
            {
                int n = await stream.ReadAsync(buffer, soon.Token);
                if (n == 0)
                    break;
                Assert.True(buffer.AsSpan(0, n).SequenceEqual(expected.AsSpan(received, n)), $"wrong bytes from {received} on");
                received += n;
            }
            catch (OperationCanceledException)
            {
                // What was not read is there still.
            }
        }

        Assert.Equal(total, received);
    }

    private static async Task Ended(Task call)
    {
        try
        {
            await call;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // What disposing does to a call.
        }
    }

    private async Task<(LinnetStream Client, LinnetStream Server)> Pair()
    {
        Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
        LinnetStream client = await host.ConnectAsync(new IPEndPoint(IPAddress.Loopback, 80)).AsTask().WaitAsync(Limit);
        return (client, (await accept.WaitAsync(Limit)).GetStream());
    }
}
