using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Linnet.Cli.Commands;
using Linnet.Cli.Watch;
using Linnet.Diagnostics;
using Linnet.Linux;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Cli.Run;

/// <summary>Runs a program on a host of its own.</summary>
/// <param name="terminal">Where errors go.</param>
/// <param name="options">What was asked for.</param>
internal sealed class ProgramRunner(Terminal terminal, RunOptions options)
{
    // As slirp and its kin have it.
    private const string HostAddress = "10.0.2.15/24";
    private const string GatewayAddress = "10.0.2.2/24";

    // As shells have it.
    private const int NotFound = 127;
    private const int NotExecutable = 126;

    /// <summary>Runs the program until it and all that it started have ended.</summary>
    /// <returns>Its exit status.</returns>
    public async Task<int> RunAsync()
    {
        await using FileStream? capture = CaptureFile.Open(options.Common.Pcap);
        using Network network = new(new NetworkOptions { Seed = options.Common.Seed, Capture = capture });
        Host host = network.AddHost("linnet"), outside = network.AddHost("gateway");
        Link link = network.Connect(host, HostAddress, outside, GatewayAddress);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), outside.Address);
        Cables cables = new();
        cables.Add(host.Name, outside.Name, link);
        if (options.Link != null)
            Cable.Impair(link, options.Link, "--link");
        await using LinkServer? links = LinkServer.Start(new LinkControl(cables), LinkFolder.Default);
        await using LiveView? live = LiveView.Start(options.Common.Watch, terminal, network, cables, $"run {string.Join(' ', options.Program)}");
        terminal = live?.Terminal ?? terminal;
        using Refusals? refusals = Refusals.Enforce(network, options.Common.Policy, terminal, showHost: false);
        NameTable names = new();
        names.Add(host.Name, host.Address);
        await using Gateway gateway = new(outside, names, options.Egress);
        using LoopbackResolver resolver = new(host, gateway);
        using Tracing? tracing = Tracing.Open(options.Common, terminal, [host]);
        List<IPublishedPort> ports = [];
        try
        {
            foreach (PublishedAddress published in options.Publish)
                ports.Add(published.Open(outside, host.Address));
            using Supervisor supervisor = new() { Observer = tracing?.Calls, StopsData = refusals?.AsksAboutData == true };
            int status = await RunAsync(supervisor, host, live);
            await new Draining(network, supervisor, gateway, ports).RunAsync(RunSupport.Patience);
            if (options.Common.Report)
                Lacks.Report(network, terminal, showHost: false);
            return status;
        }
        finally
        {
            foreach (IPublishedPort port in ports)
                await port.DisposeAsync();
        }
    }

    private async Task<int> RunAsync(Supervisor supervisor, Host host, LiveView? live)
    {
        IReadOnlyDictionary<int, int> descriptors = live?.Collect() ?? new Dictionary<int, int>();
        using SignalForwarding forwarding = new();
        LinuxProgram program;
        try
        {
            program = LinuxProgram.Start(supervisor, host, new ProgramStart
            {
                FileName = options.Program[0],
                Arguments = options.Program[1..],
                StopsData = supervisor.StopsData,
                Environment = RunSupport.Variables(),
                Descriptors = descriptors,
            });
        }
        catch (Win32Exception e)
        {
            terminal.Error.WriteLine($"linnet: {e.Message}");
            return e.NativeErrorCode == ENOENT ? NotFound : NotExecutable;
        }

        using (program)
        {
            forwarding.Follow(program);
            live?.Follow(supervisor, descriptors, program);
            int status = await program.Ended;
            await program.AllEnded;
            return status;
        }
    }
}

/// <summary>
/// Lets the program decide what signals do, from before its start on. Those of the terminal's keys reach it without help.
/// </summary>
internal sealed class SignalForwarding : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<int> early = [];
    private readonly PosixSignalRegistration[] registrations;
    private LinuxProgram? program;

    public SignalForwarding() =>
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => context.Cancel = true),
            .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Forward(signal == PosixSignal.SIGTERM ? SIGTERM : SIGHUP);
            })),
        ];

    /// <summary>The program has started; it gets the signals that came before.</summary>
    public void Follow(LinuxProgram started)
    {
        lock (gate)
        {
            program = started;
            early.ForEach(started.Signal);
        }
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
    }

    private void Forward(int signal)
    {
        lock (gate)
        {
            if (program == null)
                early.Add(signal);
            else
                program.Signal(signal);
        }
    }
}
