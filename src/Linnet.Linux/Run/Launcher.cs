using System.ComponentModel;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Starts a program under a filter. A filter is of a thread and of all that it starts, so a thread is made for it, which takes the
/// filter on itself, starts the program and ends.
/// </summary>
/// <remarks>
/// From the filter on that thread only makes the one call that starts the program. What it began would be under the filter too,
/// and a file that the runtime opened for it, as for an assembly, would wait for this very process while the runtime's locks are
/// held. So all else is prepared before, and told by the threads that ask.
/// </remarks>
internal sealed class Launcher : IDisposable
{
    private readonly ProgramStart start;
    private readonly Thread thread;
    private readonly ManualResetEventSlim prepared = new(), go = new(), launched = new();
    private Spawning? spawning;
    private SeccompListener? listener;
    private Exception? failure;
    private int error;
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
    /// <exception cref="Win32Exception">There is no such program, or it cannot be started.</exception>
    public int Launch()
    {
        go.Set();
        launched.Wait();
        return error == 0 ? pid : throw new Win32Exception(error, $"{start.FileName}: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    public void Dispose()
    {
        go.Set();
        thread.Join();
        spawning?.Dispose();
        prepared.Dispose();
        go.Dispose();
        launched.Dispose();
    }

    private void Run()
    {
        try
        {
            spawning = new Spawning(start);
            listener = SeccompListener.Install(SeccompFilter.Build(start.StopsData));
        }
        catch (Exception e)
        {
            failure = e;
        }

        prepared.Set();
        go.Wait();
        if (failure == null)
            error = spawning!.Spawn(out pid);
        launched.Set();
    }
}

/// <summary>All that the host's call needs that starts a program.</summary>
internal sealed unsafe class Spawning : IDisposable
{
    private readonly byte* attributes = (byte*)NativeMemory.AllocZeroed(SpawnAttributesSize);
    private readonly byte* actions = (byte*)NativeMemory.AllocZeroed(SpawnAttributesSize);
    private readonly CStrings arguments;
    private readonly CStrings environment;

    public Spawning(ProgramStart start)
    {
        arguments = new CStrings([start.FileName, .. start.Arguments]);
        environment = new CStrings([.. start.Environment.Select(pair => $"{pair.Key}={pair.Value}")]);
        byte* signals = stackalloc byte[SigsetSize];
        new Span<byte>(signals, SigsetSize).Clear();
        PosixSpawnattrInit(attributes);
        PosixSpawnFileActionsInit(actions);

        // .NET ignores SIGPIPE, and a program would inherit that.
        PosixSpawnattrSetsigmask(attributes, signals);
        Sigaddset(signals, SIGPIPE);
        PosixSpawnattrSetsigdefault(attributes, signals);
        PosixSpawnattrSetflags(attributes, PosixSpawnSetsigdef | PosixSpawnSetsigmask);
        if (start.WorkingDirectory is { } directory)
            PosixSpawnFileActionsAddchdir(actions, directory);
        foreach ((int target, int fd) in start.Descriptors)
            PosixSpawnFileActionsAdddup2(actions, fd, target);
    }

    /// <summary>Starts the program.</summary>
    /// <returns>0 or an errno.</returns>
    public int Spawn(out int pid)
    {
        fixed (int* room = &pid)
            return PosixSpawnp(room, arguments.Pointers[0], actions, attributes, arguments.Pointers, environment.Pointers);
    }

    public void Dispose()
    {
        PosixSpawnattrDestroy(attributes);
        PosixSpawnFileActionsDestroy(actions);
        NativeMemory.Free(attributes);
        NativeMemory.Free(actions);
        arguments.Dispose();
        environment.Dispose();
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

    /// <summary>Whether calls stop that do no more than move data, so that security modules are asked about each.</summary>
    public bool StopsData { get; init; }

    /// <summary>Its descriptors that are not this process's own 0, 1 and 2: number there, descriptor here.</summary>
    public IReadOnlyDictionary<int, int> Descriptors { get; init; } = new Dictionary<int, int>();
}
