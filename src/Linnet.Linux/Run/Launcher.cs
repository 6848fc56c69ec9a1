using System.ComponentModel;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Starts a program under a filter. A filter is of a thread and of all that it starts, so a thread is made for it, which takes the
/// filter on itself, starts the program and ends.
/// </summary>
/// <remarks>
/// That thread starts nothing else, not even indirectly: what it began would be under the filter too, and stop at calls that
/// this very process has to answer.
/// </remarks>
internal sealed unsafe class Launcher : IDisposable
{
    private readonly ProgramStart start;
    private readonly Thread thread;
    private readonly ManualResetEventSlim prepared = new(), go = new(), launched = new();
    private SeccompListener? listener;
    private Exception? failure;
    private int pid;

    public Launcher(ProgramStart start)
    {
        this.start = start;
        thread = new Thread(Run) { IsBackground = true, Name = "linnet launcher" };
    }

    /// <summary>Installs the filter.</summary>
    /// <returns>Where the program's calls are answered; somebody has to, before it is launched.</returns>
    public SeccompListener Prepare()
    {
        thread.Start();
        prepared.Wait();
        return failure == null ? listener! : throw failure;
    }

    /// <summary>Starts the program.</summary>
    /// <returns>Its process.</returns>
    public int Launch()
    {
        go.Set();
        launched.Wait();
        return failure == null ? pid : throw failure;
    }

    public void Dispose()
    {
        go.Set();
        thread.Join();
        prepared.Dispose();
        go.Dispose();
        launched.Dispose();
    }

    private void Run()
    {
        try
        {
            listener = SeccompListener.Install(SeccompFilter.Build());
            prepared.Set();
            go.Wait();
            pid = Spawn();
        }
        catch (Exception e)
        {
            failure = e;
        }

        prepared.Set();
        launched.Set();
    }

    private int Spawn()
    {
        byte* attributes = stackalloc byte[SpawnAttributesSize];
        byte* actions = stackalloc byte[SpawnAttributesSize];
        byte* signals = stackalloc byte[SigsetSize];
        new Span<byte>(signals, SigsetSize).Clear();
        PosixSpawnattrInit(attributes);
        PosixSpawnFileActionsInit(actions);
        using CStrings arguments = new([start.FileName, .. start.Arguments]);
        using CStrings environment = new([.. start.Environment.Select(pair => $"{pair.Key}={pair.Value}")]);
        try
        {
            // .NET ignores SIGPIPE, and a program would inherit that.
            PosixSpawnattrSetsigmask(attributes, signals);
            Sigaddset(signals, SIGPIPE);
            PosixSpawnattrSetsigdefault(attributes, signals);
            PosixSpawnattrSetflags(attributes, PosixSpawnSetsigdef | PosixSpawnSetsigmask);
            if (start.WorkingDirectory is { } directory)
                PosixSpawnFileActionsAddchdir(actions, directory);
            foreach ((int target, int fd) in start.Descriptors)
                PosixSpawnFileActionsAdddup2(actions, fd, target);
            int pid;
            int error = PosixSpawnp(&pid, start.FileName, actions, attributes, arguments.Pointers, environment.Pointers);
            if (error != 0)
                throw new Win32Exception(error, $"{start.FileName}: {Marshal.GetPInvokeErrorMessage(error)}");
            return pid;
        }
        finally
        {
            PosixSpawnattrDestroy(attributes);
            PosixSpawnFileActionsDestroy(actions);
        }
    }
}

/// <summary>What to start.</summary>
internal sealed class ProgramStart
{
    /// <summary>The program, looked for in PATH unless it has a slash.</summary>
    public required string FileName { get; init; }

    /// <summary>Its arguments.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Its environment.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Where it starts; where this process is when not given.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Its descriptors that are not this process's own 0, 1 and 2: number there, descriptor here.</summary>
    public IReadOnlyDictionary<int, int> Descriptors { get; init; } = new Dictionary<int, int>();
}
