using System.Net;
using System.Net.Sockets;
using Linnet.Cli.Commands;
using Linnet.Cli.Serve;
using Linnet.Testing;

namespace Linnet.Cli.Tests.Serve;

public sealed class ServeTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-serve-");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public async Task A_published_port_reaches_the_server()
    {
        byte[] large = new byte[3_000_000];
        new Random(11).NextBytes(large);
        File.WriteAllText(Path.Combine(root.FullName, "small.txt"), "small");
        File.WriteAllBytes(Path.Combine(root.FullName, "large.bin"), large);
        LineWriter output = new();
        using CancellationTokenSource stop = new();
        ServeOptions options = new() { Directory = root.FullName, Publish = PublishedAddress.Parse("0:80") };
        Task serving = new WebServer(Terminal.ForWriters(output, output), options).RunAsync(stop.Token);
        string url = await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Matches(@"^http://127\.0\.0\.1:\d+/$", url);

        using HttpClient client = new();
        Assert.Equal("small", await client.GetStringAsync(url + "small.txt"));
        Assert.Equal(large, await client.GetByteArrayAsync(url + "large.bin"));
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(url + "nowhere")).StatusCode);
        string[] all = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => client.GetStringAsync(url + "small.txt")));
        Assert.All(all, body => Assert.Equal("small", body));

        await stop.CancelAsync();
        await serving.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Contains(output.Lines, line => line.EndsWith("GET /small.txt 200 5", StringComparison.Ordinal));
        Assert.Contains(output.Lines, line => line.Contains("GET /nowhere 404", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_packets_are_captured()
    {
        File.WriteAllText(Path.Combine(root.FullName, "a"), "content of a");
        string capture = Path.Combine(root.FullName, "serve.pcapng");
        LineWriter output = new();
        using CancellationTokenSource stop = new();
        ServeOptions options = new()
        {
            Directory = root.FullName,
            Publish = PublishedAddress.Parse("127.0.0.1:0:8000"),
            Pcap = new FileInfo(capture),
        };
        Task serving = new WebServer(Terminal.ForWriters(output, output), options).RunAsync(stop.Token);
        string url = await output.FirstLine.WaitAsync(TimeSpan.FromSeconds(30));
        using HttpClient client = new();
        Assert.Equal("content of a", await client.GetStringAsync(url + "a"));
        await stop.CancelAsync();
        await serving.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(File.ReadAllBytes(capture).AsSpan().IndexOf("content of a"u8) > 0);
    }

    [Fact]
    public async Task A_directory_that_is_not_there_is_one_line_and_status_1()
    {
        CliRun run = await CliRun.RunAsync("serve", Path.Combine(root.FullName, "missing"), "--publish", "0:80");
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains("no such directory", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
    }

    [Fact]
    public async Task A_port_in_use_is_one_line_and_status_1()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        CliRun run = await CliRun.RunAsync("serve", root.FullName, "--publish", $"{port}:80");
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Contains($"127.0.0.1:{port}", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
    }

    [Theory]
    [InlineData("8080")]
    [InlineData("8080:")]
    [InlineData(":80")]
    [InlineData("8080:0")]
    [InlineData("70000:80")]
    [InlineData("here:8080:80")]
    [InlineData("8080:80/udp")]
    [InlineData("8080:80/sctp")]
    public async Task A_port_that_makes_no_sense_is_wrong_usage(string publish)
    {
        CliRun run = await CliRun.RunAsync("serve", root.FullName, "--publish", publish);
        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.Contains("--publish", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
    }

    [Theory]
    [InlineData("8080:80", "127.0.0.1:8080", 80, false)]
    [InlineData("8080:80/tcp", "127.0.0.1:8080", 80, false)]
    [InlineData("0.0.0.0:8080:80", "0.0.0.0:8080", 80, false)]
    [InlineData("[::1]:0:443", "[::1]:0", 443, false)]
    [InlineData("5353:53/udp", "127.0.0.1:5353", 53, true)]
    public void A_port_may_have_an_address_and_a_protocol(string publish, string outside, int port, bool isUdp) =>
        Assert.Equal(new PublishedAddress(IPEndPoint.Parse(outside), (ushort)port, isUdp), PublishedAddress.Parse(publish));

    private sealed class LineWriter : StringWriter
    {
        private readonly TaskCompletionSource<string> first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<string> lines = [];

        public Task<string> FirstLine => first.Task;

        public string[] Lines
        {
            get
            {
                lock (lines)
                    return [.. lines];
            }
        }

        public override void WriteLine(string? value)
        {
            lock (lines)
                lines.Add(value ?? "");
            first.TrySetResult(value ?? "");
        }
    }
}
