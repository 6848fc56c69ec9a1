using System.Collections;
using System.ComponentModel;
using System.Runtime.InteropServices;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>What <c>linnet run</c> was asked for.</summary>
internal sealed class RunOptions
{
    /// <summary>The program and its arguments.</summary>
    public required string[] Program { get; init; }

    /// <summary>Whether the network has a way out.</summary>
    public bool Egress { get; init; } = true;
}

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
        using Network network = new();
        Host host = network.AddHost("linnet"), outside = network.AddHost("gateway");
        network.Connect(host, HostAddress, outside, GatewayAddress);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), outside.Address);
        NameTable names = new();
        names.Add(host.Name, host.Address);
        await using Gateway gateway = new(outside, names, options.Egress);
        using LoopbackResolver resolver = new(host, gateway);
        using Supervisor supervisor = new();
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
            return e.NativeErrorCode == Kernel.Uapi.Errno.ENOENT ? NotFound : NotExecutable;
        }

        using (program)
        {
            using SignalForwarding forwarding = new(program);
            int status = await program.Ended;
            await program.AllEnded;
            return status;
        }
    }
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
                program.Signal(signal == PosixSignal.SIGTERM ? Kernel.Uapi.SignalH.SIGTERM : Kernel.Uapi.SignalH.SIGHUP);
            })),
        ];

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
    }
}
