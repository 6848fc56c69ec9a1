using Linnet.Cli.Watch;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>What programs run in: a network with all that was asked for around it. <c>linnet run</c> and <c>linnet up</c> have it alike.</summary>
internal sealed class RunSession
{
    // How long what programs sent may stand still, after their end, before it is given up.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Where to write.</summary>
    public required Terminal Terminal { get; init; }

    /// <summary>The hosts.</summary>
    public required ProgramNet Net { get; init; }

    /// <summary>Who serves the programs' sockets.</summary>
    public required Supervisor Supervisor { get; init; }

    /// <summary>What shows the network meanwhile, or null.</summary>
    public LiveView? Live { get; init; }

    /// <summary>Builds a network, runs programs on it, lets arrive what they sent, and says what was asked for.</summary>
    /// <param name="terminal">Where to write.</param>
    /// <param name="options">What was asked for.</param>
    /// <param name="title">What runs, for the live view.</param>
    /// <param name="build">Puts hosts on the network.</param>
    /// <param name="run">Runs the programs to their end; returns the exit status.</param>
    /// <param name="hurry">Cancelled when what they sent need not arrive.</param>
    /// <returns>The exit status.</returns>
    /// <exception cref="UsageException">Something that was asked for makes no sense.</exception>
    /// <exception cref="FailureException">A port cannot be published.</exception>
    public static async Task<int> RunAsync(
        Terminal terminal,
        CommonOptions options,
        string title,
        Func<Network, ProgramNet> build,
        Func<RunSession, Task<int>> run,
        CancellationToken hurry)
    {
        await using FileStream? capture = CaptureFile.Open(options.Pcap);
        using Network network = new(new NetworkOptions { Seed = options.Seed, Capture = capture });
        ProgramNet net = build(network);
        await using LiveView? live = LiveView.Start(options.Watch, terminal, network, net.Cables, title);
        terminal = live?.Terminal ?? terminal;
        using Refusals? refusals = Refusals.Enforce(network, options.Policy, terminal, net.TellsHosts);
        await using LinkServer? links = LinkServer.Start(new LinkControl(net.Cables), LinkFolder.Default);
        await using Gateway gateway = new(net.Gateway, net.Names, net.Egress);
        List<IDisposable> resolvers = [.. net.Hosts.Values.Select(host => new LoopbackResolver(host, gateway))];
        using Tracing? tracing = Tracing.Open(options, terminal, [.. net.Hosts.Values]);
        List<IPublishedPort> ports = [];
        try
        {
            foreach ((PublishedAddress address, Host server) in net.Published)
                ports.Add(address.Open(net.Gateway, server.Address));
            using Supervisor supervisor = new() { Observer = tracing?.Calls, StopsData = refusals?.AsksAboutData == true };
            int status = await run(new RunSession { Terminal = terminal, Net = net, Supervisor = supervisor, Live = live });
            await new Draining(network, supervisor, gateway, ports).RunAsync(Patience, hurry);
            if (options.Report)
                Lacks.Report(network, terminal, net.TellsHosts);
            return status;
        }
        finally
        {
            foreach (IPublishedPort port in ports)
                await port.DisposeAsync();
            resolvers.ForEach(resolver => resolver.Dispose());
        }
    }
}
