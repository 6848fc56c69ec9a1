using System.ComponentModel;
using System.Runtime.InteropServices;
using Linnet.Linux;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Cli.Run;

/// <summary>Runs a program on a host of its own.</summary>
/// <param name="terminal">Where errors go.</param>
/// <param name="options">What was asked for.</param>
internal sealed class ProgramRunner(Terminal terminal, RunOptions options)
{
    // As shells have it.
    private const int NotFound = 127;
    private const int NotExecutable = 126;

    /// <summary>Runs the program until it and all that it started have ended.</summary>
    /// <returns>Its exit status.</returns>
    public Task<int> RunAsync() => RunSession.RunAsync(
        terminal, options.Common, $"run {string.Join(' ', options.Program)}", network => new SingleNet(network, options), RunAsync);

    private async Task<int> RunAsync(RunSession session)
    {
        IReadOnlyDictionary<int, int> descriptors = session.Live?.Collect() ?? new Dictionary<int, int>();
        using SignalForwarding forwarding = new();
        LinuxProgram program;
        try
        {
            program = LinuxProgram.Start(session.Supervisor, session.Net.Hosts[SingleNet.HostName], new ProgramStart
            {
                FileName = options.Program[0],
                Arguments = options.Program[1..],
                StopsData = session.Supervisor.StopsData,
                Environment = RunSupport.Variables(),
                Descriptors = descriptors,
            });
        }
        catch (Win32Exception e)
        {
            session.Terminal.Error.WriteLine($"linnet: {e.Message}");
            return e.NativeErrorCode == ENOENT ? NotFound : NotExecutable;
        }

        using (program)
        {
            forwarding.Follow(program);
            session.Live?.Follow(session.Supervisor, descriptors, program);
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
