using System.Net;
using Linnet;

namespace Embedding;

public static class OwnCongestionControl
{
    /// <summary>Sends a megabyte over a slow path with an algorithm of our own, and tells what its window was.</summary>
    public static int LargestWindow()
    {
        using Network network = Network.Simulate(seed: 42);
        Host server = network.AddHost("server");
        Host client = network.AddHost("client");
        Link link = network.Connect(server, "10.0.0.1/24", client, "10.0.0.2/24");
        link.Emulate(new() { Delay = TimeSpan.FromMilliseconds(20) });

        int largest = 0;
        network.AddCongestionControl("careful", () => new Careful(window => largest = Math.Max(largest, window)));
        client.SetSysctl("net.ipv4.tcp_congestion_control", "careful");
        network.Run(async () =>
        {
            using LinnetSocket listener = server.Listen(7);
            Task receiving = ReceiveAsync(listener);
            await using (LinnetStream stream = await client.ConnectAsync(new IPEndPoint(server.Address, 7)))
                await stream.WriteAsync(new byte[1_000_000]);
            await receiving;
        });
        return largest;

        async Task ReceiveAsync(LinnetSocket listener)
        {
            using LinnetSocket connection = await listener.AcceptAsync();
            await connection.GetStream().CopyToAsync(Stream.Null);
        }
    }

    /// <summary>Grows by one segment a round trip from the beginning, to 32 at most; halves after a loss.</summary>
    private sealed class Careful(Action<int> report) : CongestionControl
    {
        public override void Acknowledged(CongestionState connection, CongestionSample sample)
        {
            if (connection.WindowLimits && connection.Window < 32)
                connection.GrowLinearly(connection.Window, sample.Segments);
            report(connection.Window);
        }

        public override int ThresholdAfterLoss(CongestionState connection) => connection.Window / 2;
    }
}
