using System.Diagnostics;
using Linnet.Bench.Peers;

namespace Linnet.Bench.Workloads;

/// <summary>What is measured.</summary>
/// <param name="name">Name in the table and for <c>--only</c>.</param>
/// <param name="unit">Unit of the figure.</param>
/// <param name="lowerIsBetter">Whether a smaller figure is the better one.</param>
internal abstract class Workload(string name, string unit, bool lowerIsBetter)
{
    public string Name { get; } = name;

    public string Unit { get; } = unit;

    public bool LowerIsBetter { get; } = lowerIsBetter;

    /// <summary>Runs once for about <paramref name="duration"/> and returns the figure.</summary>
    public abstract double Run(IPeer peer, TimeSpan duration);
}

/// <summary>One connection, one direction: how much data arrives, in writes of a given size.</summary>
internal sealed class Throughput(string name, int writeSize) : Workload(name, "Gbit/s", lowerIsBetter: false)
{
    public override double Run(IPeer peer, TimeSpan duration)
    {
        using IListener listener = peer.Listen(1);
        Thread sender = peer.Start(() =>
        {
            using IConnection client = listener.Connect();
            byte[] data = new byte[writeSize];
            long end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
            while (Stopwatch.GetTimestamp() < end)
                client.Send(data);
        });

        double result = 0;
        Thread receiver = peer.Start(() =>
        {
            using IConnection server = listener.Accept();
            byte[] buffer = new byte[64 * 1024];
            // The clock starts with the first data, so that connecting does not count.
            server.Receive(buffer);
            long start = Stopwatch.GetTimestamp();
            long last = start;
            int n;
            long counted = 0;
            while ((n = server.Receive(buffer)) > 0)
            {
                counted += n;
                last = Stopwatch.GetTimestamp();
            }

            result = counted * 8.0 / 1e9 / Stopwatch.GetElapsedTime(start, last).TotalSeconds;
        });
        sender.Join();
        receiver.Join();
        return result;
    }
}

/// <summary>64 bytes there and back, one at a time, between two threads.</summary>
internal sealed class RoundTrip() : Workload("round trip, 64 bytes", "µs", lowerIsBetter: true)
{
    private const int MessageSize = 64;

    public override double Run(IPeer peer, TimeSpan duration)
    {
        using IListener listener = peer.Listen(1);
        Thread echo = peer.Start(() =>
        {
            using IConnection server = listener.Accept();
            byte[] buffer = new byte[MessageSize];
            while (ReceiveAll(server, buffer))
                server.Send(buffer);
        });

        double result = 0;
        Thread asker = peer.Start(() =>
        {
            using IConnection client = listener.Connect();
            byte[] buffer = new byte[MessageSize];
            long count = 0;
            long start = Stopwatch.GetTimestamp();
            TimeSpan elapsed;
            do
            {
                client.Send(buffer);
                ReceiveAll(client, buffer);
                count++;
                elapsed = Stopwatch.GetElapsedTime(start);
            }
            while (elapsed < duration);
            result = elapsed.TotalMicroseconds / count;
        });
        asker.Join();
        echo.Join();
        return result;
    }

    private static bool ReceiveAll(IConnection connection, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int n = connection.Receive(buffer);
            if (n == 0)
                return false;
            buffer = buffer[n..];
        }

        return true;
    }
}

/// <summary>Connect, accept, close both ends, again and again, on one thread.</summary>
internal sealed class ConnectionRate() : Workload("connect + accept + close", "1/s", lowerIsBetter: false)
{
    public override double Run(IPeer peer, TimeSpan duration)
    {
        double result = 0;
        Thread worker = peer.Start(() =>
        {
            using IListener listener = peer.Listen(128);
            long count = 0;
            long start = Stopwatch.GetTimestamp();
            TimeSpan elapsed;
            do
            {
                IConnection client = listener.Connect();
                IConnection server = listener.Accept();
                client.Dispose();
                server.Dispose();
                count++;
                elapsed = Stopwatch.GetElapsedTime(start);
            }
            while (elapsed < duration);
            result = count / elapsed.TotalSeconds;
        });
        worker.Join();
        return result;
    }
}

/// <summary><c>socket()</c> and <c>close()</c>.</summary>
internal sealed class SocketRate() : Workload("socket + close", "1/s", lowerIsBetter: false)
{
    private const int Batch = 64;

    public override double Run(IPeer peer, TimeSpan duration)
    {
        double result = 0;
        Thread worker = peer.Start(() =>
        {
            long count = 0;
            long start = Stopwatch.GetTimestamp();
            TimeSpan elapsed;
            do
            {
                for (int i = 0; i < Batch; i++)
                    peer.SocketAndClose();
                count += Batch;
                elapsed = Stopwatch.GetElapsedTime(start);
            }
            while (elapsed < duration);
            result = count / elapsed.TotalSeconds;
        });
        worker.Join();
        return result;
    }
}

/// <summary>Memory that an idle established connection takes, both ends together.</summary>
internal sealed class IdleMemory() : Workload("idle connection, both ends", "bytes", lowerIsBetter: true)
{
    private const int Connections = 2000;

    public override double Run(IPeer peer, TimeSpan duration)
    {
        double result = 0;
        Thread worker = peer.Start(() =>
        {
            using IListener listener = peer.Listen(Connections);
            List<IConnection> held = new(2 * Connections);
            Hold(listener, held, 64);
            long before = peer.MemoryInUse();
            Hold(listener, held, Connections);
            result = (peer.MemoryInUse() - before) / (double)Connections;
            held.ForEach(connection => connection.Dispose());
        });
        worker.Join();
        return result;
    }

    private static void Hold(IListener listener, List<IConnection> held, int count)
    {
        for (int i = 0; i < count; i++)
        {
            held.Add(listener.Connect());
            held.Add(listener.Accept());
        }
    }
}

/// <summary>What the garbage collector has to take back for each exchange of a small message, there and back.</summary>
internal sealed class Allocations() : Workload("allocated per round trip", "bytes", lowerIsBetter: true)
{
    private const int Warmup = 2000;
    private const int Count = 20000;

    public override double Run(IPeer peer, TimeSpan duration)
    {
        double result = 0;
        Thread worker = peer.Start(() =>
        {
            using IListener listener = peer.Listen(1);
            using IConnection client = listener.Connect();
            using IConnection server = listener.Accept();
            byte[] buffer = new byte[64];
            Exchange(client, server, buffer, Warmup);
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exchange(client, server, buffer, Count);
            result = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Count;
        });
        worker.Join();
        return result;
    }

    private static void Exchange(IConnection client, IConnection server, byte[] buffer, int count)
    {
        for (int i = 0; i < count; i++)
        {
            client.Send(buffer);
            server.Receive(buffer);
            server.Send(buffer);
            client.Receive(buffer);
        }
    }
}
