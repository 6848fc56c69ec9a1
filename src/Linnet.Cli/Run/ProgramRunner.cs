using System.Collections;
using System.ComponentModel;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Linnet.Cli.Commands;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace.Beauty;
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
        await using FileStream? capture = CaptureFile.Open(options.Pcap);
        using Network network = new(new NetworkOptions { Seed = options.Seed, Capture = capture });
        Host host = network.AddHost("linnet"), outside = network.AddHost("gateway");
        Link link = network.Connect(host, HostAddress, outside, GatewayAddress);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), outside.Address);
        Impair(link);
        if (options.Policy != null)
            Restrict(network, options.Policy);
        NameTable names = new();
        names.Add(host.Name, host.Address);
        await using Gateway gateway = new(outside, names, options.Egress);
        using LoopbackResolver resolver = new(host, gateway);
        CallTrace? trace = options.Trace == TraceDetail.None ? null : new CallTrace(terminal.ToError(), options.Trace);
        using PacketLog? packets = options.Trace == TraceDetail.Tree ? new PacketLog(trace!.Add) : null;
        foreach (HostInterface end in host.Interfaces)
            packets?.Watch(end.Device);
        List<PublishedPort> ports = [];
        try
        {
            foreach (PublishedAddress published in options.Publish)
                ports.Add(PublishedPort.Open(published.Outside, outside, new IPEndPoint(host.Address, published.Port)));
            using Supervisor supervisor = new() { Observer = trace };
            int status = await RunAsync(supervisor, host);
            if (options.Report)
                Report(network);
            return status;
        }
        catch (SocketException e)
        {
            throw new FailureException($"cannot publish a port: {e.Message}");
        }
        finally
        {
            foreach (PublishedPort port in ports)
                await port.DisposeAsync();
        }
    }

    private async Task<int> RunAsync(Supervisor supervisor, Host host)
    {
        LinuxProgram program;
        try
        {
            program = LinuxProgram.Start(supervisor, host, new ProgramStart
            {
                FileName = options.Program[0],
                Arguments = options.Program[1..],
                Environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
                    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? ""),
            });
        }
        catch (Win32Exception e)
        {
            terminal.Error.WriteLine($"linnet: {e.Message}");
            return e.NativeErrorCode == ENOENT ? NotFound : NotExecutable;
        }

        using (program)
        {
            using SignalForwarding forwarding = new(program);
            int status = await program.Ended;
            await program.AllEnded;
            return status;
        }
    }

    private void Impair(Link link)
    {
        if (options.Link == null)
            return;
        foreach (HostInterface end in new[] { link.One, link.Other })
        {
            TcResult result = Tc.Run(end.Host.Namespace, $"qdisc replace dev {end.Name} root netem {options.Link}");
            if (result.ExitStatus != 0)
                throw new UsageException($"--link: {result.Error.Trim().Split('\n')[0]}");
        }
    }

    private void Restrict(Network network, string path)
    {
        PolicyModule module = new(PolicyFile.Read(path));
        module.Refusing += refusal => terminal.Error.WriteLine($"linnet: {refusal}");
        Lsm.SecurityAddHooks(network.Machine, module);
    }

    private void Report(Network network)
    {
        IReadOnlyList<(UnsupportedRequests.Request Request, long Count)> missing = network.Machine.Unsupported.Snapshot();
        terminal.Error.WriteLine(missing.Count == 0
            ? "linnet: the program asked for nothing that Linnet lacks"
            : "linnet: the program asked for, and did not get:");
        foreach ((UnsupportedRequests.Request request, long count) in missing)
            terminal.Error.WriteLine($"  {Describe(request)}{(count > 1 ? $" ({count} times)" : "")}");
    }

    private static string Describe(UnsupportedRequests.Request request) => request.Kind switch
    {
        RequestKind.Syscall => $"system call {request.First} {request.Text}",
        RequestKind.Family => $"family {Names.Family(request.First)}",
        RequestKind.Protocol =>
            $"protocol {Names.Protocol(request.First, request.Third)} of {Names.Family(request.First)}, {Names.SockType(request.Second)}",
        RequestKind.SocketOption => $"option {Names.Option(request.First, request.Second)} at {Names.Level(request.First)}",
        RequestKind.Ioctl => $"ioctl {Names.Ioctl(request.First)}",
        RequestKind.Flag => $"flag {request.Second:#x} of system call {request.First}",
        _ => $"module {request.Text}",
    };
}

/// <summary>Lets the program decide what signals do. Those of the terminal's keys reach it without help.</summary>
internal sealed class SignalForwarding : IDisposable
{
    private readonly PosixSignalRegistration[] registrations;

    public SignalForwarding(LinuxProgram program) =>
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => context.Cancel = true),
            .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                program.Signal(signal == PosixSignal.SIGTERM ? SIGTERM : SIGHUP);
            })),
        ];

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
    }
}
