using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.InteropServices;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Gives programs of the host's the sockets of a network: keeps what they hold, and carries data between their descriptors
/// and Linnet's sockets on one thread.
/// </summary>
internal sealed unsafe class Supervisor : IDisposable
{
    private const int EventsAtOnce = 128;
    private const int SweepMilliseconds = 1000;
    private const int MostBetweenSweeps = 512;

    // Whether the calling thread looks at what it queues itself, so that the pump need not be woken for it.
    [ThreadStatic]
    private static bool pumpsItself;

    private readonly ConcurrentDictionary<ulong, ShadowSocket> byInode = [];
    private readonly ConcurrentDictionary<int, ShadowSocket> byEnd = [];
    private readonly ConcurrentDictionary<int, HostProcess> byThread = [];
    private readonly ConcurrentDictionary<int, HostProcess> byPidfd = [];
    private readonly ConcurrentDictionary<Host, Syscalls> owners = [];
    private readonly ConcurrentDictionary<int, Host> started = [];
    private readonly ConcurrentDictionary<LinuxProgram, bool> programs = [];
    private readonly ConcurrentQueue<ShadowSocket> ready = [];
    private readonly Lock gate = new();
    private readonly List<PendingCall> timed = [];
    private readonly HashSet<ShadowSocket> alone = [];
    private readonly ConcurrentDictionary<ShadowSocket, bool> listeners = [];
    private readonly int epoll;
    private readonly int wakeUp;
    private readonly Thread thread;
    private uint generations;
    private int cameAlone;
    private int sleeping;
    private long sweepAt = long.MaxValue;
    private volatile bool stopped;

    public Supervisor()
    {
        epoll = Checked(EpollCreate1(O_CLOEXEC), "make an epoll");
        wakeUp = Checked(EventFd(0, O_CLOEXEC | O_NONBLOCK), "make an eventfd");
        Register(wakeUp, EPOLLIN, 0);
        thread = new Thread(Run) { IsBackground = true, Name = "linnet pump" };
        thread.Start();
    }

    /// <summary>Sees the calls that programs make on Linnet, or null.</summary>
    public ICallObserver? Observer { get; init; }

    /// <summary>Whether programs are to be started so that calls stop which do no more than move data (<see cref="ProgramStart.StopsData"/>).</summary>
    public bool StopsData { get; init; }

    /// <summary>Whether no program has a socket.</summary>
    public bool IsIdle => byEnd.IsEmpty;

    /// <summary>The sockets that programs have.</summary>
    public IEnumerable<ShadowSocket> Shadows => byInode.Values;

    /// <summary>The shadow whose program's end has a number, which is also that of Linnet's socket; null when there is none.</summary>
    public ShadowSocket? FindByInode(ulong inode) => byInode.GetValueOrDefault(inode);

    /// <summary>A number that no shadow had before.</summary>
    public uint NextGeneration() => Interlocked.Increment(ref generations);

    /// <summary>The task that holds the sockets of a host's programs.</summary>
    public Syscalls OwnerOn(Host host) => owners.GetOrAdd(host, static h =>
    {
        Syscalls owner = h.NewTask("linnet");
        owner.Task.IsKthread = true;
        return owner;
    });

    /// <summary>The process whose thread makes a call.</summary>
    /// <param name="call">The call.</param>
    /// <param name="host">Where it runs.</param>
    /// <param name="listener">Knows whether the thread still waits for the answer: as long as it does, its number means no other one.</param>
    /// <returns>Null when it is gone.</returns>
    public HostProcess? ProcessOf(in SeccompCall call, Host host, SeccompListener listener)
    {
        int tid = call.Tid;
        if (byThread.TryGetValue(tid, out HostProcess? known))
        {
            if (tid == known.Pid || Tgkill(known.Pid, tid, 0) == 0)
                return known;
            byThread.TryRemove(tid, out _);
        }

        int tgid = HostProcess.ReadTgid(tid);
        if (tgid == 0)
            return null;
        lock (gate)
        {
            if (!byThread.TryGetValue(tgid, out HostProcess? process))
            {
                process = HostProcess.Open(tgid, host, OwnerOn(host).Task);
                if (process == null)
                    return null;
                if (!listener.IsValid(call.Id))
                {
                    process.End();
                    return null;
                }

                byPidfd[process.Pidfd.Number] = process;
                byThread[tgid] = process;
                Register(process.Pidfd.Number, EPOLLIN, 0);
            }

            byThread[tid] = process;
            return process;
        }
    }

    /// <summary>A process has ended, before the pump was told: its number means another one already.</summary>
    public void Outdate(HostProcess process)
    {
        if (byPidfd.TryRemove(new KeyValuePair<int, HostProcess>(process.Pidfd.Number, process)))
            End(process);
    }

    /// <summary>Says where a program runs, and so what it starts.</summary>
    public void Started(int pid, Host host) => started[pid] = host;

    /// <summary>The inodes of the Unix sockets that stand for Linnet's, of both ends.</summary>
    public HashSet<ulong> InodesOfPairs()
    {
        HashSet<ulong> inodes = [.. byInode.Keys];
        foreach (int end in byEnd.Keys)
        {
            HostStat stat;
            if (Fstat(end, &stat) == 0)
                inodes.Add(stat.Inode);
        }

        return inodes;
    }

    /// <summary>The host that a process runs on.</summary>
    /// <returns>Null when it is none of a program's.</returns>
    public Host? HostOf(int pid)
    {
        // One that has made no call of its own yet runs where its parent does.
        while (pid > 1)
        {
            if (byThread.TryGetValue(pid, out HostProcess? process))
                return process.Host;
            if (started.TryGetValue(pid, out Host? host))
                return host;
            pid = HostProcess.ReadStatus(pid, "PPid:");
        }

        return null;
    }

    /// <summary>The shadow whose program's end is a descriptor of this process's; null for other files.</summary>
    public ShadowSocket? Find(int theirs)
    {
        HostStat stat;
        const uint FormatMask = 0xF000, FormatSocket = 0xC000;
        return Fstat(theirs, &stat) == 0 && (stat.Mode & FormatMask) == FormatSocket
            && byInode.TryGetValue(stat.Inode, out ShadowSocket? shadow)
            ? shadow
            : null;
    }

    /// <summary>A descriptor of this process's for a shadow's program's end.</summary>
    /// <param name="shadow">The shadow.</param>
    /// <param name="process">Who was seen to have it.</param>
    /// <param name="fd">Where that was; meanwhile something else may be there.</param>
    /// <returns>-EBADF when nobody has it.</returns>
    public int TakeEnd(ShadowSocket shadow, HostProcess? process, int fd)
    {
        if (process != null && TakeEnd(process, fd, shadow) is var theirs and >= 0)
            return theirs;
        foreach (HostProcess other in byPidfd.Values)
        {
            foreach (int number in other.Search(shadow.Inode))
            {
                if (TakeEnd(other, number, shadow) is var found and >= 0)
                    return found;
            }
        }

        return TakeFromStrangers(shadow);
    }

    /// <summary>Begins to serve a shadow.</summary>
    public void Add(ShadowSocket shadow)
    {
        byInode[shadow.Inode] = shadow;
        if (shadow.End >= 0)
            Paired(shadow);
        else
            Unpaired(shadow);
    }

    /// <summary>A shadow has a pair now, which tells of all that happens to the program's end.</summary>
    public void Paired(ShadowSocket shadow)
    {
        lock (gate)
            alone.Remove(shadow);
        byEnd[shadow.End] = shadow;
        Register(shadow.End, shadow.Watched, shadow.Generation);
    }

    /// <summary>A shadow has no pair, or is about to end it. Nothing tells then when the program closes its end: it is looked up.</summary>
    public void Unpaired(ShadowSocket shadow)
    {
        if (shadow.End >= 0)
            byEnd.TryRemove(new KeyValuePair<int, ShadowSocket>(shadow.End, shadow));
        lock (gate)
        {
            alone.Add(shadow);
            if (++cameAlone % MostBetweenSweeps == 0)
                sweepAt = 0;
            else if (sweepAt != long.MaxValue)
                return;
            else
                sweepAt = Environment.TickCount64 + SweepMilliseconds;
        }

        Wake();
    }

    /// <summary>A shadow's program has another end from now on.</summary>
    public void Rename(ShadowSocket shadow, ulong inode, Action rename)
    {
        byInode.TryRemove(new KeyValuePair<ulong, ShadowSocket>(shadow.Inode, shadow));
        rename();
        byInode[inode] = shadow;
    }

    /// <summary>Ends serving a shadow.</summary>
    public void Forget(ShadowSocket shadow)
    {
        if (shadow.End >= 0)
            byEnd.TryRemove(new KeyValuePair<int, ShadowSocket>(shadow.End, shadow));
        byInode.TryRemove(new KeyValuePair<ulong, ShadowSocket>(shadow.Inode, shadow));
        listeners.TryRemove(shadow, out _);
        lock (gate)
            alone.Remove(shadow);
    }

    /// <summary>A shadow listens from now on.</summary>
    public void Listens(ShadowSocket shadow) => listeners[shadow] = true;

    /// <summary>Knows of a program from now on, among whose processes descriptors are looked for.</summary>
    public void Add(LinuxProgram program) => programs[program] = true;

    /// <summary>Knows of a program no more.</summary>
    public void Forget(LinuxProgram program) => programs.TryRemove(program, out _);

    /// <summary>Has a shadow looked at soon. Callable from any thread, with locks held.</summary>
    public void Queue(ShadowSocket shadow)
    {
        if (shadow.MarkQueued())
            return;
        ready.Enqueue(shadow);
        if (!pumpsItself && Volatile.Read(ref sleeping) != 0)
            Wake();
    }

    /// <summary>The calling thread begins to serve a call, and carries itself what that causes.</summary>
    public void BeginCall() => pumpsItself = true;

    /// <summary>The calling thread is done: what is left is the pump's.</summary>
    public void EndCall()
    {
        pumpsItself = false;
        if (!ready.IsEmpty && Volatile.Read(ref sleeping) != 0)
            Wake();
    }

    /// <summary>Looks at the shadows that have been queued, once each. Called without any shadow's gate.</summary>
    public void PumpReady()
    {
        for (int left = ready.IsEmpty ? 0 : ready.Count; left > 0 && ready.TryDequeue(out ShadowSocket? shadow); left--)
            shadow.Pump();
    }

    /// <summary>Has a call tried again at its deadline.</summary>
    public void Watch(PendingCall call)
    {
        if (call.Deadline == long.MaxValue)
            return;
        lock (gate)
            timed.Add(call);
        Wake();
    }

    /// <summary>Sees at once what programs closed just before a call that depends on it.</summary>
    public void NoticeCloses()
    {
        Notice(byEnd.Values);
        SweepAlone();
    }

    /// <summary>Sees at once which listeners programs closed just before a connection is made.</summary>
    public void NoticeClosedListeners()
    {
        if (!listeners.IsEmpty)
            Notice(listeners.Keys);
    }

    /// <summary>Ends the pump and closes all sockets.</summary>
    public void Dispose()
    {
        stopped = true;
        Wake();
        thread.Join();
        foreach (ShadowSocket shadow in byInode.Values)
        {
            lock (shadow.Gate)
                shadow.Close();
        }

        foreach (HostProcess process in byPidfd.Values)
            process.End();
        _ = Close(epoll);
        _ = Close(wakeUp);
    }

    /// <summary>Has the pump told of other events at a shadow's end.</summary>
    public void Rewatch(ShadowSocket shadow)
    {
        HostEpollEvent change = new() { Events = shadow.Watched, Fd = shadow.End, Generation = shadow.Generation };
        _ = EpollCtl(epoll, EpollCtlMod, shadow.End, &change);
    }

    private static void Notice(ICollection<ShadowSocket> shadows)
    {
        foreach (ShadowSocket shadow in shadows)
        {
            if (!shadow.HasHungUp)
                continue;
            shadow.NoticeEnd();
            shadow.Pump();
        }
    }

    private static int Checked(int result, string what) =>
        result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError(), $"cannot {what}");

    private void Register(int fd, uint events, uint generation)
    {
        HostEpollEvent change = new() { Events = events, Fd = fd, Generation = generation };
        Checked(EpollCtl(epoll, EpollCtlAdd, fd, &change), "watch a descriptor");
    }

    private void Wake()
    {
        if (Interlocked.Exchange(ref sleeping, 0) == 0)
            return;
        ulong one = 1;
        _ = Write(wakeUp, (byte*)&one, sizeof(ulong));
    }

    private void Run()
    {
        try
        {
            HostEpollEvent* events = stackalloc HostEpollEvent[EventsAtOnce];
            while (!stopped)
            {
                int timeout = PrepareToSleep();
                int count = EpollWait(epoll, events, EventsAtOnce, timeout);
                Volatile.Write(ref sleeping, 0);
                for (int i = 0; i < count; i++)
                    Notice(events[i]);
                PumpReady();
                Expire();
                Sweep();
            }
        }
        catch (Exception e)
        {
            Environment.FailFast("the supervisor failed", e);
        }
    }

    // How long to wait for events; who queues work from here on wakes the thread.
    private int PrepareToSleep()
    {
        Interlocked.Exchange(ref sleeping, 1);
        if (!ready.IsEmpty || stopped)
            return 0;
        long until;
        lock (gate)
        {
            until = sweepAt;
            foreach (PendingCall call in timed)
                until = Math.Min(until, call.Deadline);
        }

        return until == long.MaxValue ? -1 : (int)Math.Clamp(until - Environment.TickCount64, 0, int.MaxValue);
    }

    private void Notice(in HostEpollEvent happened)
    {
        if (happened.Fd == wakeUp)
        {
            ulong count;
            _ = Read(wakeUp, (byte*)&count, sizeof(ulong));
        }
        else if (byEnd.TryGetValue(happened.Fd, out ShadowSocket? shadow) && shadow.Generation == happened.Generation)
        {
            if ((happened.Events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
                shadow.NoticeEnd();
            shadow.NoticeWritten();
            Queue(shadow);
        }
        else if (happened.Generation == 0 && byPidfd.TryRemove(happened.Fd, out HostProcess? process))
        {
            End(process);
        }
    }

    private void End(HostProcess process)
    {
        lock (gate)
        {
            foreach ((int tid, HostProcess of) in byThread)
            {
                if (of == process)
                    byThread.TryRemove(tid, out _);
            }
        }

        HostEpollEvent unused;
        _ = EpollCtl(epoll, EpollCtlDel, process.Pidfd.Number, &unused);
        process.End();

        // What it alone had open is closed.
        lock (gate)
        {
            if (alone.Count > 0)
                sweepAt = 0;
        }
    }

    private void Expire()
    {
        long now = Environment.TickCount64;
        lock (gate)
        {
            timed.RemoveAll(call =>
            {
                if (call.Deadline > now)
                    return false;
                if (call.Shadow is { } shadow)
                    Queue(shadow);
                return true;
            });
        }
    }

    private void Sweep()
    {
        if (Environment.TickCount64 >= Volatile.Read(ref sweepAt))
            SweepAlone();
    }

    private void SweepAlone()
    {
        ShadowSocket[] candidates;
        lock (gate)
            candidates = [.. alone];
        foreach (ShadowSocket shadow in candidates)
            shadow.CloseIfAbandoned();
        lock (gate)
            sweepAt = alone.Count == 0 ? long.MaxValue : Environment.TickCount64 + SweepMilliseconds;
    }

    private int TakeEnd(HostProcess process, int fd, ShadowSocket shadow)
    {
        int theirs = process.Take(fd);
        if (theirs < 0 || Find(theirs) == shadow)
            return theirs;
        _ = Close(theirs);
        return -EBADF;
    }

    // Who inherited a socket and has made no call on it yet.
    private int TakeFromStrangers(ShadowSocket shadow)
    {
        foreach (int pid in programs.Keys.SelectMany(program => program.Followed))
        {
            if (byThread.ContainsKey(pid))
                continue;
            foreach (int number in HostProcess.Search(pid, shadow.Inode))
            {
                using PidFd? pidfd = PidFd.Open(HostProcess.ReadTgid(pid));
                int theirs = pidfd?.Take(number) ?? -1;
                if (theirs < 0 || Find(theirs) == shadow)
                    return theirs;
                _ = Close(theirs);
            }
        }

        return -EBADF;
    }
}

/// <summary>The Unix sockets that the host has.</summary>
internal static class UnixSockets
{
    private const int InodeColumn = 6;

    /// <summary>The lines of <c>/proc/net/unix</c>, with the inodes that they tell of.</summary>
    public static IEnumerable<(string Line, ulong? Inode)> ReadLines()
    {
        foreach (string line in File.ReadLines("/proc/net/unix"))
        {
            string[] columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            yield return (line, columns.Length > InodeColumn && ulong.TryParse(columns[InodeColumn], out ulong inode) ? inode : null);
        }
    }
}
