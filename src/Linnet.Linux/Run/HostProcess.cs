using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>A process of the host's that runs under Linnet, and the task that it is there.</summary>
internal sealed unsafe class HostProcess
{
    [ThreadStatic]
    private static int callingThread;

    private readonly int tgid;

    private HostProcess(int tgid, int pidfd, Host host, TaskStruct task)
    {
        this.tgid = tgid;
        Pidfd = pidfd;
        Host = host;
        Task = task;
        Memory = new RemoteMemory(tgid);
        task.Mm = Memory;
        task.SignalSent = Deliver;
        task.IsForeignNetNs = IsNetNs;
        ReadProgram();
    }

    /// <summary>The process, by a descriptor that cannot come to mean another one.</summary>
    public int Pidfd { get; }

    /// <summary>Its number on the host.</summary>
    public int Pid => tgid;

    /// <summary>The host of the network that it runs on.</summary>
    public Host Host { get; }

    /// <summary>Who makes its calls on Linnet.</summary>
    public TaskStruct Task { get; }

    /// <summary>Its memory.</summary>
    public RemoteMemory Memory { get; }

    /// <summary>Finds out about the process of a thread.</summary>
    /// <param name="tid">The thread.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="parent">Whose descriptors its task shares.</param>
    /// <returns>Null when it is gone.</returns>
    public static HostProcess? Open(int tid, Host host, TaskStruct parent)
    {
        int tgid = ReadTgid(tid);
        int pidfd = tgid == 0 ? -1 : PidfdOpen(tgid);
        if (pidfd < 0)
            return null;
        using KernelEntry entry = parent.Enter();
        if (Fork.CopyProcess(parent, CLONE_FILES, out TaskStruct? task) < 0)
        {
            _ = Close(pidfd);
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
    /// <returns>A descriptor of this process's for the same open file, or a negative errno.</returns>
    public int Take(int fd)
    {
        int taken = PidfdGetfd(Pidfd, fd);
        return taken >= 0 ? taken : -System.Runtime.InteropServices.Marshal.GetLastPInvokeError();
    }

    /// <summary>Learns again what program it is: <c>exec</c> makes it another.</summary>
    public void ReadProgram()
    {
        try
        {
            Task.Comm = File.ReadAllText($"/proc/{tgid}/comm").TrimEnd('\n');
            Task.ExePath = File.ResolveLinkTarget($"/proc/{tgid}/exe", returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            // It ended, or is not to be looked at; the name stays.
        }
        catch (UnauthorizedAccessException)
        {
            // As above.
        }
    }

    /// <summary>Says which thread the calls are for that this thread of the supervisor makes from now on.</summary>
    public static void ActFor(int tid) => callingThread = tid;

    /// <summary>Ends the task.</summary>
    public void End()
    {
        using (Task.Enter())
            Fork.DoExit(Task);
        _ = Close(Pidfd);
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
            _ = PidfdSendSignal(Pidfd, signal);
        _ = Task.DequeueSignal();
    }
}
