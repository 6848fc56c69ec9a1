using System.ComponentModel;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>A program of the host's that runs with Linnet's sockets, and everything that it starts.</summary>
internal sealed unsafe class LinuxProgram : IDisposable
{
    private readonly Supervisor supervisor;
    private readonly Host host;
    private readonly SeccompListener listener;
    private readonly SupervisedCalls calls;
    private readonly SupervisedFiles files;
    private readonly Thread server;
    private readonly Tracer tracer = new();
    private Exception? failure;
    private bool isFollowed;

    private LinuxProgram(Supervisor supervisor, Host host, SeccompListener listener)
    {
        this.supervisor = supervisor;
        this.host = host;
        this.listener = listener;
        calls = new SupervisedCalls(supervisor, host, listener);
        files = new SupervisedFiles(supervisor, host, listener);
        server = new Thread(Serve) { IsBackground = true, Name = "linnet calls" };
        supervisor.Add(this);
        server.Start();
    }

    /// <summary>The program's number on the host.</summary>
    public int Pid { get; private set; }

    /// <summary>Its exit status as a shell has it: 128 and the signal's number when one ended it.</summary>
    public Task<int> Ended => tracer.Ended;

    /// <summary>Ends when nothing that it started runs any more.</summary>
    public Task AllEnded => tracer.AllEnded;

    /// <summary>Told when the program stops, as Ctrl-Z has it, and by which signal; and by 0 when it goes on.</summary>
    public Action<int>? StopChanged
    {
        set => tracer.StopChanged = value;
    }

    /// <summary>The threads of all that it started and that still run.</summary>
    public ICollection<int> Followed => tracer.Followed;

    /// <summary>Starts a program.</summary>
    /// <param name="supervisor">Who serves its sockets.</param>
    /// <param name="host">The host of the network that it runs on.</param>
    /// <param name="start">What to start.</param>
    /// <exception cref="Win32Exception">There is no such program, or the host has no system call filters.</exception>
    public static LinuxProgram Start(Supervisor supervisor, Host host, ProgramStart start)
    {
        using Launcher launcher = new(start);
        SeccompListener listener = launcher.Prepare();
        LinuxProgram program = new(supervisor, host, listener);
        try
        {
            program.Pid = launcher.Launch();
            return program.failure == null ? program : throw program.failure;
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    /// <summary>Sends a signal to the program itself.</summary>
    public void Signal(int signal) => _ = Kill(Pid, signal);

    /// <summary>Stops this process, until somebody continues it.</summary>
    public static void StopSelf() => _ = Kill(Environment.ProcessId, SIGSTOP);

    /// <summary>Sends a signal to the program and all that it started.</summary>
    public void SignalAll(int signal) => tracer.Signal(signal);

    /// <summary>Kills all that still runs and ends serving; waits until that is done.</summary>
    public void Dispose()
    {
        supervisor.Forget(this);
        tracer.Dispose();
        server.Join();
        listener.Dispose();
    }

    private void Serve()
    {
        while (listener.Receive(out SeccompCall call))
            Handle(call);
    }

    private void Handle(in SeccompCall call)
    {
        switch (call.Nr)
        {
            case __NR_open or __NR_openat or __NR_openat2 or __NR_creat:
                files.Handle(call);
                break;
            case __NR_execve or __NR_execveat:
                // The first is the program itself, before it has run.
                if (!isFollowed)
                    Follow(call.Tid);
                listener.Continue(call.Id);
                break;
            default:
                calls.Handle(call);
                break;
        }
    }

    private void Follow(int pid)
    {
        isFollowed = true;
        supervisor.Started(pid, host);
        try
        {
            tracer.Follow(pid);
        }
        catch (Win32Exception e)
        {
            failure = e;
            _ = Kill(pid, SIGKILL);
        }
    }
}
