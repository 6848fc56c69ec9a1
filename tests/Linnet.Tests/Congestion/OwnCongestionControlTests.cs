using System.Net;

namespace Linnet.Tests.Congestion;

/// <summary>Congestion control by users of the library.</summary>
public sealed class OwnCongestionControlTests
{
    [Fact]
    public void A_socket_chooses_by_name()
    {
        using Network network = Network.Simulate();
        Host host = network.AddHost("host");
        network.AddCongestionControl("mine", () => new Steady(1_000_000));
        using LinnetSocket socket = host.CreateSocket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream);
        Assert.Equal("cubic", socket.CongestionControl);
        socket.CongestionControl = "mine";
        Assert.Equal("mine", socket.CongestionControl);
        Assert.Equal("reno cubic mine", host.GetSysctl("net.ipv4.tcp_available_congestion_control"));
        LinnetSocketException e = Assert.Throws<LinnetSocketException>(() => socket.CongestionControl = "yours");
        Assert.Equal(Linnet.Kernel.Uapi.Errno.ENOENT, e.Errno);
    }

    [Fact]
    public void A_restricted_one_is_for_administrators()
    {
        using Network network = Network.Simulate();
        Host host = network.AddHost("host");
        network.AddCongestionControl("mine", () => new Steady(1), new CongestionControlOptions { IsRestricted = true });
        Assert.Equal("reno cubic", host.GetSysctl("net.ipv4.tcp_allowed_congestion_control"));
        Assert.Throws<InvalidOperationException>(() => host.SetSysctl("net.ipv4.tcp_congestion_control", "mine"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("cubic")]
    [InlineData("two words")]
    [InlineData("longer-than-fifteen")]
    public void Names_are_checked(string name)
    {
        using Network network = Network.Simulate();
        Assert.Throws<ArgumentException>(() => network.AddCongestionControl(name, () => new Steady(1)));
    }

    /// <summary>One that sets window and rate itself: a transfer takes as long as its rate says.</summary>
    [Fact]
    public void Full_control_sets_the_rate()
    {
        TimeSpan took = Send(() => new Steady(100_000), new CongestionControlOptions { TakesFullControl = true }, 300_000, out _);
        Assert.InRange(took.TotalSeconds, 2.8, 3.4);
    }

    /// <summary>The connection of one that throws goes on with Reno, and the log says so.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_that_fails_is_replaced(bool fullControl)
    {
        Send(() => new Broken(), new CongestionControlOptions { TakesFullControl = fullControl }, 300_000, out List<string> log);
        Assert.Single(log, line => line.Contains("congestion control mine failed", StringComparison.Ordinal));
    }

    [Fact]
    public void A_factory_that_fails_is_replaced()
    {
        Send(() => throw new InvalidOperationException("none left"), null, 100_000, out List<string> log);
        Assert.Contains(log, line => line.Contains("none left", StringComparison.Ordinal));
    }

    private static TimeSpan Send(
        Func<CongestionControl> create, CongestionControlOptions? options, int bytes, out List<string> log)
    {
        List<string> lines = [];
        using Network network = new(new NetworkOptions { VirtualTime = true, Log = (_, line) => lines.Add(line) });
        Host server = network.AddHost("server");
        Host client = network.AddHost("client");
        network.Connect(server, "10.0.0.1/24", client, "10.0.0.2/24")
            .Emulate(new() { Delay = TimeSpan.FromMilliseconds(10), Loss = 0.01 });
        network.AddCongestionControl("mine", create, options);
        client.SetSysctl("net.ipv4.tcp_congestion_control", "mine");
        TimeSpan start = network.Simulation!.Elapsed;
        long received = 0;
        network.Run(
            async () =>
            {
                using LinnetSocket listener = server.Listen(7);
                Task receiving = Receive(listener);
                await using (LinnetStream stream = await client.ConnectAsync(new IPEndPoint(server.Address, 7)))
                    await stream.WriteAsync(new byte[bytes]);
                await receiving;
            },
            TimeSpan.FromMinutes(5));
        Assert.Equal(bytes, received);
        log = lines;
        return network.Simulation.Elapsed - start;

        async Task Receive(LinnetSocket listener)
        {
            using LinnetSocket connection = await listener.AcceptAsync();
            using LinnetStream stream = connection.GetStream();
            byte[] buffer = new byte[65536];
            for (int size; (size = await stream.ReadAsync(buffer)) > 0;)
                received += size;
        }
    }

    private sealed class Steady(long rate) : CongestionControl
    {
        public override void Started(CongestionState connection) => Apply(connection);

        public override void Acknowledged(CongestionState connection, CongestionSample sample) => Apply(connection);

        public override int ThresholdAfterLoss(CongestionState connection) => connection.Window;

        private void Apply(CongestionState connection)
        {
            connection.Window = 100;
            connection.PacingRate = rate;
        }
    }

    private sealed class Broken : CongestionControl
    {
        private int acks;

        public override void Acknowledged(CongestionState connection, CongestionSample sample)
        {
            if (++acks > 3)
                throw new InvalidOperationException("counted to three");
            connection.Window += sample.Segments;
        }

        public override int ThresholdAfterLoss(CongestionState connection) => connection.Window / 2;
    }
}
