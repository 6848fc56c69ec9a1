using System.ComponentModel;
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
    public async Task<int> RunAsync()
    {
        using SignalForwarding forwarding = new();
        int status = await RunSession.RunAsync(
            terminal, options.Common, $"run {string.Join(' ', options.Program)}", network => new SingleNet(network, options),
            session => RunAsync(session, forwarding), forwarding.Hurry);
        return forwarding.HurriedBy is { } signal ? Signals.StatusOf(signal) : status;
    }

    private async Task<int> RunAsync(RunSession session, SignalForwarding forwarding)
    {
        IReadOnlyDictionary<int, int> descriptors = session.Live?.Collect() ?? new Dictionary<int, int>();
        string[] words = HostText.Arguments(options.Program);
        LinuxProgram program;
        try
        {
            program = LinuxProgram.Start(session.Supervisor, session.Net.Hosts[SingleNet.HostName], new ProgramStart
            {
                FileName = words[0],
                Arguments = words[1..],
                StopsData = session.Supervisor.StopsData,
                Environment = HostText.Environment(),
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
            using JobControl jobs = new(program);
            session.Live?.Follow(session.Supervisor, descriptors, program);
            int status = await program.Ended;
            await program.AllEnded;
            return status;
        }
    }
}

/// <summary>
/// Lets the program decide what signals do, from before its start on. When it has ended they are for what it left running, and when
/// nothing runs any more, they end the wait for what was sent.
/// </summary>
internal sealed class SignalForwarding : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<int> early = [];
    private readonly CancellationTokenSource hurry = new();
    private readonly Signals signals;
    private LinuxProgram? program;
    private bool hasAskedAll;

    public SignalForwarding() => signals = new Signals([.. Signals.ToEnd, SIGUSR1, SIGUSR2], Take);

    /// <summary>Cancelled when it is to end although not all has arrived that was sent.</summary>
    public CancellationToken Hurry => hurry.Token;

    /// <summary>The signal that did it.</summary>
    public int? HurriedBy { get; private set; }

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
        signals.Dispose();
        hurry.Dispose();
    }

    private void Take(int signal)
    {
        lock (gate)
        {
            if (program == null)
                early.Add(signal);
            else if (!program.Ended.IsCompleted)
                Pass(signal);
            else if (!program.AllEnded.IsCompleted)
                End(signal);
            else
                Cut(signal);
        }
    }

    // What the terminal's keys send reaches the program without help.
    private void Pass(int signal)
    {
        if (signal is not (SIGINT or SIGQUIT) || !Signals.ComeFromKeys())
            program!.Signal(signal);
    }

    private void End(int signal)
    {
        program!.SignalAll(hasAskedAll ? SIGKILL : signal);
        hasAskedAll = true;
    }

    private void Cut(int signal)
    {
        HurriedBy ??= signal;
        hurry.Cancel();
    }
}
