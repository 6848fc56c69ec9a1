using System.Globalization;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>A process of the host's that runs under Linnet, and the task that it is there.</summary>
internal sealed unsafe class HostProcess
{
    private const int IsOver = 1 << 30;
    private const int IsGone = IsOver | (1 << 29);

    [ThreadStatic]
    private static int callingThread;

    [ThreadStatic]
    private static SeccompListener? callsOf;

    [ThreadStatic]
    private static ulong callId;

    [ThreadStatic]
    private static List<LateWrite>? late;

    private readonly int tgid;
    private readonly ProgramName name;

    // The calls that are being made, and whether the process has ended.
    private int calls;

    // Guards what stands for a first thread that has ended.
    private readonly Lock gate = new();
    private volatile PidFd? standIn;
    private volatile int standInThread;

    private HostProcess(int tgid, PidFd pidfd, Host host, TaskStruct task)
    {
        this.tgid = tgid;
        Pidfd = pidfd;
        Host = host;
        Task = task;
        Memory = new RemoteMemory();
        Descriptors = new DescriptorFiles(tgid);
        name = new ProgramName(tgid);
        task.Mm = Memory;
        task.PidOutside = tgid;
        task.SignalSent = Deliver;
        task.IsForeignNetNs = IsNetNs;
        ReadProgram();
    }

    /// <summary>The process, even when its number comes to mean another one.</summary>
    public PidFd Pidfd { get; }

    /// <summary>Its number on the host.</summary>
    public int Pid => tgid;

    /// <summary>The host of the network that it runs on.</summary>
    public Host Host { get; }

    /// <summary>Who makes its calls on Linnet.</summary>
    public TaskStruct Task { get; }

    /// <summary>Its memory.</summary>
    public RemoteMemory Memory { get; }

    /// <summary>What its descriptors mean; only while a call of it is being made, by the thread that takes its calls.</summary>
    public DescriptorFiles Descriptors { get; }

    /// <summary>Finds out about the process of a thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="parent">Whose descriptors its task shares.</param>
    /// <returns>Null when it is gone.</returns>
    public static HostProcess? Open(int tid, Host host, TaskStruct parent)
    {
        int tgid = ReadTgid(tid);
        if (PidFd.Open(tgid) is not { } pidfd)
            return null;
        using KernelEntry entry = parent.Enter();
        if (Fork.CopyProcess(parent, CLONE_FILES, out TaskStruct? task) < 0)
        {
            pidfd.Dispose();
            return null;
        }

        return new HostProcess(tgid, pidfd, host, task!);
    }

    /// <summary>The process that a thread belongs to; 0 when there is no such thread.</summary>
    public static int ReadTgid(int tid) => ReadStatus(tid, "Tgid:");

    /// <summary>A number that the host says of a thread; 0 when there is no such thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="name">How the line begins, as <c>PPid:</c>.</param>
    public static int ReadStatus(int tid, string name)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/{tid}/status"))
            {
                if (line.StartsWith(name, StringComparison.Ordinal))
                    return int.Parse(line.AsSpan(name.Length));
            }
        }
        catch (IOException)
        {
            // It ended.
        }
        catch (UnauthorizedAccessException)
        {
            // It became somebody else's.
        }

        return 0;
    }

    /// <summary>Takes a descriptor of the process.</summary>
    /// <returns>A descriptor of this process's for the same open file, or a negative errno; -ESRCH when it is gone.</returns>
    public int Take(int fd)
    {
        int taken = Pidfd.Take(fd);
        return taken == -ESRCH ? TakeFromOthers(fd) : taken;
    }

    /// <summary>Finds the descriptors of the process that are a certain socket's.</summary>
    public List<int> Search(ulong inode) => Search(LivingThread, inode);

    /// <summary>Finds the descriptors of the process that are what their link in <c>/proc/PID/fd</c> says.</summary>
    public List<int> Search(string wanted) => Search(LivingThread, wanted);

    /// <summary>What the host says of a descriptor in <c>/proc/PID/fdinfo</c>; nothing when it is closed.</summary>
    public string[] ReadDescriptor(int fd) => ReadDescriptor(LivingThread, fd);

    /// <summary>Finds the descriptors of a thread that are a certain socket's.</summary>
    public static List<int> Search(int pid, ulong inode) => Search(pid, $"socket:[{inode}]");

    // The thread that descriptors are looked up by.
    private int LivingThread => standInThread != 0 ? standInThread : tgid;

    private static List<int> Search(int pid, string wanted)
    {
        List<int> found = [];
        try
        {
            foreach (string entry in Directory.EnumerateFiles($"/proc/{pid}/fd"))
            {
                if (File.ResolveLinkTarget(entry, returnFinalTarget: false) is { } target && target.Name == wanted)
                    found.Add(int.Parse(Path.GetFileName(entry.AsSpan()), CultureInfo.InvariantCulture));
            }
        }
        catch (IOException)
        {
            // It ended, or closed one meanwhile.
        }
        catch (UnauthorizedAccessException)
        {
            // It became somebody else's.
        }

        return found;
    }

    /// <summary>Whether a descriptor of the process is closed by <c>exec</c>.</summary>
    public bool ClosesOnExec(int fd)
    {
        const string Flags = "flags:";
        string? line = Array.Find(ReadDescriptor(fd), text => text.StartsWith(Flags, StringComparison.Ordinal));
        return line != null && (Convert.ToInt32(line[Flags.Length..].Trim(), 8) & O_CLOEXEC) != 0;
    }

    private static string[] ReadDescriptor(int pid, int fd)
    {
        try
        {
            return File.ReadAllLines($"/proc/{pid}/fdinfo/{fd}");
        }
        catch (IOException)
        {
            return [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Learns again what program it is: <c>exec</c> makes it another.</summary>
    public void ReadProgram()
    {
        name.Read();
        Task.Comm = name.Comm ?? Task.Comm;
        Task.ExePath = name.Path ?? Task.ExePath;
    }

    /// <summary>The thread that this thread of the supervisor makes a call for.</summary>
    public static int CallingThread => callingThread;

    /// <summary>Says which thread the calls are for that this thread of the supervisor makes from now on.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="listener">Knows whether it waits for the answer; null where nothing is written to its memory.</param>
    /// <param name="id">The call.</param>
    public static void ActFor(int tid, SeccompListener? listener = null, ulong id = 0)
    {
        (callingThread, callsOf, callId) = (tid, listener, id);
        late = null;
    }

    /// <summary>
    /// Whether the caller waits still. Where a signal has ended its call its memory may be in use for something else, and is not
    /// written to any more.
    /// </summary>
    public static bool IsCallerWaiting => callsOf?.IsValid(callId) ?? true;

    /// <summary>Keeps what is to be written when the caller makes its call once more.</summary>
    public static void WriteLater(ulong address, ReadOnlySpan<byte> data) => (late ??= []).Add(new LateWrite(address, data.ToArray()));

    /// <summary>What is to be written when the caller makes its call once more.</summary>
    public static IReadOnlyList<LateWrite> TakeLate()
    {
        List<LateWrite>? writes = late;
        late = null;
        return writes ?? [];
    }

    /// <summary>A call of it is about to be made: the task stays until <see cref="EndCall"/>.</summary>
    /// <returns>Whether the process still runs; otherwise there is no task any more.</returns>
    public bool TryBeginCall()
    {
        if ((Interlocked.Increment(ref calls) & IsOver) == 0)
            return true;
        EndCall();
        return false;
    }

    /// <summary>The call has been made.</summary>
    public void EndCall() => ExitBehindCalls(Interlocked.Decrement(ref calls));

    /// <summary>The process has ended: its task does too, behind the calls that are being made for it.</summary>
    public void End() => ExitBehindCalls(Interlocked.Or(ref calls, IsOver) | IsOver);

    // A call that comes too late counts for a moment too: whoever leaves none ends the task, once.
    private void ExitBehindCalls(int left)
    {
        if (left == IsOver && Interlocked.CompareExchange(ref calls, IsGone, IsOver) == IsOver)
            ExitTask();
    }

    private void ExitTask()
    {
        using (Task.Enter())
            Fork.DoExit(Task);
        name.Close();
        Descriptors.Close();
        lock (gate)
        {
            Pidfd.Dispose();
            standIn?.Dispose();
        }
    }

    // A first thread that ended before the others has no descriptors any more, but stands for the process still.
    private int TakeFromOthers(int fd)
    {
        int taken = standIn?.Take(fd) ?? -ESRCH;
        if (taken != -ESRCH)
            return taken;
        lock (gate)
        {
            foreach (int tid in Pidfd.HasEnded ? [] : ThreadsOf(tgid))
            {
                // The number is this process's for certain if that has not ended after the thread was seen there.
                PidFd? other = PidFd.OpenThread(tid);
                if (other == null || !Directory.Exists($"/proc/{tgid}/task/{tid}") || Pidfd.HasEnded
                    || (taken = other.Take(fd)) == -ESRCH)
                {
                    other?.Dispose();
                    continue;
                }

                standIn?.Dispose();
                (standIn, standInThread) = (other, tid);
                return taken;
            }
        }

        return -ESRCH;
    }

    private static int[] ThreadsOf(int pid)
    {
        try
        {
            return [.. Directory.EnumerateDirectories($"/proc/{pid}/task").Select(name => int.Parse(Path.GetFileName(name), CultureInfo.InvariantCulture))];
        }
        catch (IOException)
        {
            return [];
        }
        catch (UnauthorizedAccessException)
        {
            return [];
        }
    }

    // A file is named after its kind: net:[4026531833], or /run/netns/NAME where it is mounted.
    private bool IsNetNs(int fd)
    {
        try
        {
            string? target = new FileInfo($"/proc/{tgid}/fd/{fd}").LinkTarget;
            return target != null
                && (target.StartsWith("net:[", StringComparison.Ordinal) || target.StartsWith("/run/netns/", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    // SIGPIPE goes to the thread whose call it was; others (SIGURG, SIGIO) to the process.
    private void Deliver(int signal)
    {
        if (signal == SIGPIPE && callingThread != 0)
            _ = Tgkill(tgid, callingThread, signal);
        else
            Pidfd.Signal(signal);
        _ = Task.DequeueSignal();
    }
}

/// <summary>Something that came for a call after a signal had ended it.</summary>
/// <param name="Address">Where it is to go.</param>
/// <param name="Data">What.</param>
internal sealed record LateWrite(ulong Address, byte[] Data);
