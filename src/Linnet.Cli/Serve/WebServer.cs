using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Linnet.Cli.Commands;
using Linnet.Linux;

namespace Linnet.Cli.Serve;

/// <summary>What <c>linnet serve</c> was asked for.</summary>
internal sealed class ServeOptions
{
    /// <summary>The directory to serve.</summary>
    public required string Directory { get; init; }

    /// <summary>The port to publish, or null.</summary>
    public PublishedAddress? Publish { get; init; }

    /// <summary>The TAP device to make, or null.</summary>
    public string? Tap { get; init; }

    /// <summary>Where packets are written, or null.</summary>
    public FileInfo? Pcap { get; init; }
}

/// <summary>The network, the server and the ways into it of <c>linnet serve</c>.</summary>
/// <param name="terminal">Where URLs and requests are written.</param>
/// <param name="options">What was asked for.</param>
internal sealed class WebServer(Terminal terminal, ServeOptions options)
{
    private const int HttpPort = 80;

    private static readonly TimeSpan RetryAccept = TimeSpan.FromMilliseconds(50);

    // The network of a published port is inside of this process; that of a TAP device is one that documentation uses (RFC 5737).
    private static readonly IPNetworkAddress InnerAddress = IPNetworkAddress.Parse("10.0.0.1/24");
    private static readonly IPNetworkAddress DoorAddress = IPNetworkAddress.Parse("10.0.0.2/24");
    private static readonly IPNetworkAddress TapAddress = IPNetworkAddress.Parse("192.0.2.2/24");
    private static readonly IPNetworkAddress TapHostAddress = IPNetworkAddress.Parse("192.0.2.1/24");

    private readonly Lock output = new();

    /// <summary>Serves until cancelled.</summary>
    /// <exception cref="FailureException">It cannot begin.</exception>
    public async Task RunAsync(CancellationToken cancellation)
    {
        SiteFiles files = OpenDirectory();
        using Network network = new(new NetworkOptions { Capture = CaptureFile.Open(options.Pcap) });
        Host web = network.AddHost("web");
        using HostTun? tap = OpenTap(web);
        await using PublishedPort? published = Publish(network, web);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int port = options.Publish?.Port ?? HttpPort;
        using LinnetSocket listener = web.Listen(port);
        if (published != null)
            terminal.Write(Url(published.EndPoint));
        if (tap != null)
            terminal.Write(Url(new IPEndPoint(TapAddress.Address, port)));
        StaticSite site = new(files, network.TimeProvider);
        try
        {
            await AcceptAsync(listener, site, stop.Token);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // Ctrl-C is how a server is ended.
        }
        finally
        {
            await stop.CancelAsync();
        }
    }

    private static string Url(IPEndPoint at) => at.Port == HttpPort ? $"http://{at.Address}/" : $"http://{at}/";

    private SiteFiles OpenDirectory()
    {
        try
        {
            return new SiteFiles(options.Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new FailureException(e.Message.TrimEnd('.'));
        }
    }

    private HostTun? OpenTap(Host web)
    {
        if (options.Tap is not { } name)
            return null;
        try
        {
            HostTun tap = HostTun.Create(name, tap: true);
            try
            {
                tap.Attach(web.AddTun(tap: true, TapAddress));
                tap.Configure(TapHostAddress.Address, TapHostAddress.PrefixLength);
                web.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), TapHostAddress.Address);
                return tap;
            }
            catch
            {
                tap.Dispose();
                throw;
            }
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message);
        }
        catch (Win32Exception e)
        {
            throw new FailureException(e.Message);
        }
    }

    // Connections from outside come from a host of their own, so that they are seen on a link, and in a capture.
    private PublishedPort? Publish(Network network, Host web)
    {
        if (options.Publish is not { } publish)
            return null;
        Host door = network.AddHost("door");
        network.Connect(web, InnerAddress.ToString(), door, DoorAddress.ToString());
        try
        {
            return PublishedPort.Open(publish.Outside, door, new IPEndPoint(InnerAddress.Address, publish.Port));
        }
        catch (SocketException e)
        {
            throw new FailureException($"cannot listen on {publish.Outside}: {e.Message}");
        }
    }

    private async Task AcceptAsync(LinnetSocket listener, StaticSite site, CancellationToken cancellation)
    {
        while (true)
        {
            LinnetSocket connection;
            try
            {
                connection = await listener.AcceptAsync(cancellation);
            }
            catch (LinnetSocketException)
            {
                // The client is gone already, or descriptors ran out: others may still come.
                await Task.Delay(RetryAccept, cancellation);
                continue;
            }

            _ = ServeAsync(connection, site, cancellation);
        }
    }

    private async Task ServeAsync(LinnetSocket connection, StaticSite site, CancellationToken cancellation)
    {
        try
        {
            using LinnetStream stream = connection.GetStream();
            connection.NoDelay = true;
            IPEndPoint? client = connection.RemoteEndPoint;
            await site.ServeAsync(
                stream, (request, status, length) => Log(client, request, status, length), cancellation);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The client went away, was silent for too long, or the server ends: nobody is left to be told.
        }
        catch (Exception e)
        {
            lock (output)
                terminal.Error.WriteLine($"linnet: a request failed: {e.Message}");
        }
    }

    private void Log(IPEndPoint? client, string request, int status, long length)
    {
        Line line = new Line()
            .Add(DateTime.Now.ToString("HH:mm:ss ", CultureInfo.InvariantCulture), Ink.Faint)
            .Add($"{client} ", Ink.Faint)
            .Add(string.Concat(request.Select(c => char.IsControl(c) ? '?' : c)))
            .Add($" {status}", status < 400 ? Ink.Good : Ink.Bad)
            .Add($" {length}", Ink.Faint);
        lock (output)
            terminal.Write(line);
    }
}
