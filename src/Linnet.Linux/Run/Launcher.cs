using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Starts a program under a filter. A filter is of a thread and of all that it starts, so a thread is made for it, which takes the
/// filter on itself, starts the program and ends.
/// </summary>
/// <remarks>
/// A file that this thread opens from the filter on waits for this very process to answer, whose other threads may wait for this
/// one. The runtime opens files when it collects garbage, looks up functions or loads code. So nothing of that is left to do then:
/// <see cref="TakeOnAndStart"/> makes no object, and all that it calls has been called before. It waits and tells by futexes: no filter
/// stops those, as some do that stop reads and writes.
/// </remarks>
internal sealed unsafe class Launcher : IDisposable
{
    private const int SetModeFilter = 1;
    private const int FlagNewListener = 8;
    private const int NrFutex = 202;
    private const int FutexWait = 128;
    private const int FutexWake = 129;

    private static readonly Lazy<bool> Rehearsed = new(Rehearse);

    private readonly ProgramStart start;
    private readonly Spawning spawning;
    private readonly SockFilter[] filter;
    private readonly Steps* steps;
    private readonly Thread thread;

    public Launcher(ProgramStart start)
    {
        this.start = start;
        _ = Rehearsed.Value;
        spawning = new Spawning(start);
        filter = SeccompFilter.Build(start.StopsData);
        steps = NewSteps(go: 0);
        steps->Spawning = spawning.Arguments;
        thread = new Thread(Run) { IsBackground = true, Name = "linnet launcher" };
    }

    /// <summary>Installs the filter.</summary>
    /// <returns>Where the program's calls are answered; somebody has to, before it is launched.</returns>
    /// <exception cref="Win32Exception">The host has no such filters, or refuses them.</exception>
    public SeccompListener Prepare()
    {
        thread.Start();
        Wait(&steps->Prepared);
        return steps->Listener >= 0
            ? new SeccompListener(steps->Listener)
            : throw new Win32Exception(steps->Error, $"cannot install a system call filter: {Marshal.GetPInvokeErrorMessage(steps->Error)}");
    }

    /// <summary>Starts the program.</summary>
    /// <returns>Its process.</returns>
    /// <exception cref="Win32Exception">There is no such program, or it cannot be started.</exception>
    public int Launch()
    {
        steps->MayStart = true;
        Tell(&steps->Go);
        Wait(&steps->Launched);
        return steps->Error == 0
            ? steps->Pid
            : throw new Win32Exception(steps->Error, $"{start.FileName}: {Marshal.GetPInvokeErrorMessage(steps->Error)}");
    }

    public void Dispose()
    {
        Tell(&steps->Go);
        thread.Join();
        NativeMemory.Free(steps);
        spawning.Dispose();
    }

    // What the thread that is under the filter does. The compiler is not to look at it twice, nor to hand it to a thread of its own.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TakeOnAndStart(Steps* steps)
    {
        // Who is not privileged needs no_new_privs for a filter; the second call refuses when the first has.
        _ = steps->Prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        steps->Listener = (int)steps->Syscall(NrSeccomp, SetModeFilter, FlagNewListener, (nint)(&steps->Filter), 0);
        steps->Error = *steps->ErrnoLocation();
        Volatile.Write(ref steps->Prepared, 1);
        _ = steps->Syscall(NrFutex, (nint)(&steps->Prepared), FutexWake, 1, 0);
        while (Volatile.Read(ref steps->Go) == 0)
            _ = steps->Syscall(NrFutex, (nint)(&steps->Go), FutexWait, 0, 0);

        if (steps->MayStart)
        {
            SpawnArguments* a = &steps->Spawning;
            steps->Error = steps->Spawn(&steps->Pid, a->File, a->Actions, a->Attributes, a->Arguments, a->Environment);
        }

        Volatile.Write(ref steps->Launched, 1);
        _ = steps->Syscall(NrFutex, (nint)(&steps->Launched), FutexWake, 1, 0);
    }

    // Has it compiled and each of its calls made, with a call of the host's that does nothing in place of those that have an effect.
    private static bool Rehearse()
    {
        Steps* steps = NewSteps(go: 1);
        nint harmless = NativeLibrary.GetExport(NativeLibrary.Load("libc.so.6"), "getpid");
        steps->Prctl = (delegate* unmanaged<int, nuint, nuint, nuint, nuint, int>)harmless;
        steps->Syscall = (delegate* unmanaged<nint, nint, nint, nint, nint, nint>)harmless;
        steps->Spawn = (delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int>)harmless;
        steps->MayStart = true;
        TakeOnAndStart(steps);
        NativeMemory.Free(steps);
        return true;
    }

    private static Steps* NewSteps(int go)
    {
        Steps* steps = (Steps*)NativeMemory.AllocZeroed((nuint)sizeof(Steps));
        nint library = NativeLibrary.Load("libc.so.6");
        steps->Prctl = (delegate* unmanaged<int, nuint, nuint, nuint, nuint, int>)NativeLibrary.GetExport(library, "prctl");
        steps->Syscall = (delegate* unmanaged<nint, nint, nint, nint, nint, nint>)NativeLibrary.GetExport(library, "syscall");
        steps->ErrnoLocation = (delegate* unmanaged<int*>)NativeLibrary.GetExport(library, "__errno_location");
        steps->Spawn = (delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int>)NativeLibrary.GetExport(library, "posix_spawnp");
        steps->Go = go;
        return steps;
    }

    private void Tell(int* word)
    {
        Volatile.Write(ref *word, 1);
        _ = steps->Syscall(NrFutex, (nint)word, FutexWake, 1, 0);
    }

    private void Wait(int* word)
    {
        while (Volatile.Read(ref *word) == 0)
            _ = steps->Syscall(NrFutex, (nint)word, FutexWait, 0, 0);
    }

    private void Run()
    {
        fixed (SockFilter* instructions = filter)
        {
            steps->Filter = new SockFprog { Length = (ushort)filter.Length, Filter = instructions };
            TakeOnAndStart(steps);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SockFprog
    {
        public ushort Length;
        public SockFilter* Filter;
    }

    /// <summary>What the thread works with: found before, in memory that does not move.</summary>
    private struct Steps
    {
        public delegate* unmanaged<int, nuint, nuint, nuint, nuint, int> Prctl;
        public delegate* unmanaged<nint, nint, nint, nint, nint, nint> Syscall;
        public delegate* unmanaged<int*> ErrnoLocation;
        public delegate* unmanaged<int*, byte*, void*, void*, byte**, byte**, int> Spawn;

        // What has been done, and what may be.
        public int Prepared;
        public int Go;
        public int Launched;

        public SockFprog Filter;
        public SpawnArguments Spawning;
        public bool MayStart;

        // What came of it.
        public int Listener;
        public int Error;
        public int Pid;
    }
}

/// <summary>The arguments of <c>posix_spawnp(3)</c>.</summary>
internal unsafe struct SpawnArguments
{
    public byte* File;
    public void* Actions;
    public void* Attributes;
    public byte** Arguments;
    public byte** Environment;
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

    /// <summary>The arguments of the call, which stay where they are until this is disposed of.</summary>
    public SpawnArguments Arguments => new()
    {
        File = arguments.Pointers[0],
        Actions = actions,
        Attributes = attributes,
        Arguments = arguments.Pointers,
        Environment = environment.Pointers,
    };

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
