using System.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>Two hosts in virtual time whose cable treats packets badly, and transfers over it.</summary>
internal sealed class TransferNet : IDisposable
{
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(30);

    private readonly Network network;
    private readonly Random random;

    public TransferNet(ulong seed, NetemOptions? there = null, NetemOptions? back = null, int mtu = 1500)
    {
        random = new Random((int)seed);
        network = Network.Simulate(seed);
        One = network.AddHost("one");
        Other = network.AddHost("other");
        Link link = network.Connect(One, "10.0.0.1/24", Other, "10.0.0.2/24", mtu);
        using KernelEntry entry = network.Machine.Enter();
        if (there != null)
            link.One.Device.Qdisc = new Netem(link.One.Device, there);
        if (back != null)
            link.Other.Device.Qdisc = new Netem(link.Other.Device, back);
    }

    public Host One { get; }

    public Host Other { get; }

    /// <summary>Virtual time that the last run took.</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>Sends both ways at once, in pieces of random size, and checks every byte that arrives.</summary>
    /// <param name="there">Bytes from <see cref="One"/> to <see cref="Other"/>.</param>
    /// <param name="back">Bytes the other way.</param>
    /// <param name="limit">Virtual time that it may take.</param>
    /// <param name="readerPause">Longest pause of a reader between reads, ms.</param>
    public void Exchange(int there, int back, TimeSpan limit, int readerPause = 0)
    {
        byte[] forward = Random(there);
        byte[] backward = Random(back);
        TimeSpan start = network.Simulation!.Elapsed;
        network.Run(
            async () =>
            {
                using LinnetSocket listener = Other.Listen(80);
                Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
                using LinnetStream client = await Connect();
                using LinnetStream server = (await accept).GetStream();
                await Task.WhenAll(
                    Send(client, forward), Send(server, backward), Receive(server, forward, readerPause),
                    Receive(client, backward, readerPause));
            },
            limit);
        Took = network.Simulation.Elapsed - start;
    }

    // On a bad network ARP may give up after three requests, or learn a wrong address from an answer with a flipped bit; TCP is
    // what is tested.
    private async Task<LinnetStream> Connect()
    {
        while (true)
        {
            try
            {
                return await One.ConnectAsync(new IPEndPoint(Other.Address, 80));
            }
            catch (LinnetSocketException e) when (e.Errno is EHOSTUNREACH or ETIMEDOUT)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), network.TimeProvider);
            }
        }
    }

    private async Task Send(LinnetStream stream, byte[] data)
    {
        int most = random.Next(1, 20000);
        for (int sent = 0; sent < data.Length;)
        {
            int size = Math.Min(random.Next(1, most + 1), data.Length - sent);
            await stream.WriteAsync(data.AsMemory(sent, size));
            sent += size;
        }

        stream.CompleteWrites();
    }

    private async Task Receive(LinnetStream stream, byte[] expected, int pause)
    {
        byte[] buffer = new byte[65536];
        int received = 0;
        while (true)
        {
            int size = await stream.ReadAsync(buffer.AsMemory(0, random.Next(1, buffer.Length)));
            if (size == 0)
                break;
            Assert.True(received + size <= expected.Length, "more arrives than was sent");
            Assert.True(
                buffer.AsSpan(0, size).SequenceEqual(expected.AsSpan(received, size)), $"wrong bytes from {received} on");
            received += size;
            if (pause > 0)
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(pause)), network.TimeProvider);
        }

        Assert.Equal(expected.Length, received);
    }

    private byte[] Random(int length)
    {
        byte[] data = new byte[length];
        random.NextBytes(data);
        return data;
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
