using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Follows a program and all that it starts, so that the host's kernel kills them when the supervisor dies, however that
/// happens: <c>PTRACE_O_EXITKILL</c> of <c>ptrace(2)</c>. Nothing else is done to them; every stop goes on at once.
/// </summary>
/// <remarks>Requests of <c>ptrace</c> are for the thread that traces; it waits only for what it traces itself.</remarks>
internal sealed unsafe class Tracer : IDisposable
{
    private const int Cont = 7;
    private const int Seize = 0x4206;
    private const int Listen = 0x4208;

    private const int TraceFork = 1 << 1;
    private const int TraceVfork = 1 << 2;
    private const int TraceClone = 1 << 3;
    private const int ExitKill = 1 << 20;

    private const int EventStop = 128;

    private const int WaitAll = 0x40000000;
    private const int WaitNotOfOtherThreads = 0x20000000;

    private readonly ConcurrentDictionary<int, bool> followed = [];
    private readonly Thread thread;
    private volatile bool ending;
    private readonly ManualResetEventSlim asked = new(), seized = new();
    private readonly TaskCompletionSource<int> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource allEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int program;
    private int error;

    public Tracer()
    {
        thread = new Thread(Run) { IsBackground = true, Name = "linnet tracer" };
        thread.Start();
    }

    /// <summary>The first program's exit status as a shell has it: 128 and the signal's number when one ended it.</summary>
    public Task<int> Ended => ended.Task;

    /// <summary>Ends when nothing that the program started runs any more.</summary>
    public Task AllEnded => allEnded.Task;

    /// <summary>Told when the program stops, as Ctrl-Z has it, and by which signal; and by 0 when it goes on.</summary>
    public Action<int>? StopChanged { get; set; }

    /// <summary>The threads that run.</summary>
    public ICollection<int> Followed => followed.Keys;

    /// <summary>Begins to follow a process, which has to stand still.</summary>
    /// <exception cref="Win32Exception">The host does not allow it.</exception>
    public void Follow(int pid)
    {
        program = pid;
        asked.Set();
        seized.Wait();
        if (error != 0)
            throw new Win32Exception(error, $"cannot trace programs: {Marshal.GetPInvokeErrorMessage(error)}");
    }

    /// <summary>Sends a signal to all that run.</summary>
    public void Signal(int signal)
    {
        // Threads are followed too, and a signal to one of them is one to its process.
        foreach (int pid in followed.Keys)
            _ = Kill(pid, signal);
    }

    /// <summary>Kills all that still runs.</summary>
    public void Dispose()
    {
        // Who has been started but not been seen yet is killed as it comes.
        ending = true;
        foreach (int pid in followed.Keys)
            _ = Kill(pid, SIGKILL);
        asked.Set();
        thread.Join();
        asked.Dispose();
        seized.Dispose();
    }

    private void Run()
    {
        asked.Wait();
        if (program == 0)
            return;
        if (Ptrace(Seize, program, 0, TraceFork | TraceVfork | TraceClone | ExitKill) < 0)
            error = Marshal.GetLastPInvokeError();
        else
            followed[program] = true;
        seized.Set();
        if (error == 0)
            FollowAll();
    }

    private void FollowAll()
    {
        while (true)
        {
            int status;
            int pid = Waitpid(-1, &status, WaitAll | WaitNotOfOtherThreads);
            if (pid > 0)
                Handle(pid, status);
            else if (Marshal.GetLastPInvokeError() != EINTR)
                break;
        }

        // It was killed before its end could be seen, as when another of its threads calls exec.
        ended.TrySetResult(128 + SIGKILL);
        allEnded.SetResult();
    }

    private void Handle(int pid, int status)
    {
        int low = status & 0x7f;
        if ((status & 0xff) != 0x7f)
        {
            followed.TryRemove(pid, out _);
            if (pid == program)
                ended.TrySetResult(low == 0 ? status >> 8 & 0xff : 128 + low);
            return;
        }

        followed[pid] = true;
        if (ending)
            _ = Kill(pid, SIGKILL);
        int signal = status >> 8 & 0xff, happened = status >> 16;
        bool stops = happened == EventStop && signal is (SIGSTOP or SIGTSTP or SIGTTIN or SIGTTOU);
        if (happened == EventStop && pid == program)
            StopChanged?.Invoke(stops ? signal : 0);
        if (stops)
            _ = Ptrace(Listen, pid, 0, 0);
        else
            _ = Ptrace(Cont, pid, 0, happened == 0 ? signal : 0);
    }
}
