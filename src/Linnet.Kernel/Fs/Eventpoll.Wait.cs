using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>Waiting for events, and the system calls.</content>
public sealed partial class Eventpoll
{
    private const int MaxEvents = int.MaxValue / 12;

    /// <summary>Waits for events of the instance behind a descriptor.</summary>
    /// <param name="epfd">The descriptor.</param>
    /// <param name="events">Room for at least one event.</param>
    /// <param name="deadline">When to give up, in ns since boot; <see cref="long.MaxValue"/> never, <see cref="long.MinValue"/> at once.</param>
    /// <returns>How many events were taken, 0 at the deadline, -EBADF, -EINVAL or -EINTR.</returns>
    public static unsafe int DoEpollWait(int epfd, Span<EpollEvent> events, long deadline)
    {
        fixed (EpollEvent* pinned = events)
            return DoEpollWait(epfd, Sockptr.Kernel(pinned), events.Length, deadline);
    }

    /// <summary><c>epoll_create(size)</c>; the size has to be positive and says nothing.</summary>
    [Linux("__x64_sys_epoll_create")]
    public static int EpollCreate(int size) => size <= 0 ? -EINVAL : DoEpollCreate(0);

    /// <summary><c>epoll_ctl(epfd, op, fd, event)</c></summary>
    [Linux("__x64_sys_epoll_ctl")]
    public static int EpollCtl(int epfd, int op, int fd, Sockptr @event)
    {
        EpollEvent epds = default;
        if (op != EPOLL_CTL_DEL && @event.Get(out epds) < 0)
            return -EFAULT;
        return DoEpollCtl(epfd, op, fd, epds);
    }

    /// <summary><c>epoll_wait(epfd, events, maxevents, timeout)</c>, the timeout in milliseconds.</summary>
    [Linux("__x64_sys_epoll_wait")]
    public static int EpollWait(int epfd, Sockptr events, int maxevents, int timeout) =>
        DoEpollWait(epfd, events, maxevents, Deadline.AfterMsec(TaskStruct.Current.Machine, timeout));

    /// <summary><c>epoll_pwait(epfd, events, maxevents, timeout, sigmask, sigsetsize)</c></summary>
    [Linux("__x64_sys_epoll_pwait")]
    public static int EpollPwait(int epfd, Sockptr events, int maxevents, int timeout, Sockptr sigmask, ulong sigsetsize) =>
        DoEpollPwait(
            epfd, events, maxevents, Deadline.AfterMsec(TaskStruct.Current.Machine, timeout), sigmask, sigsetsize);

    /// <summary><c>epoll_pwait2(epfd, events, maxevents, timespec, sigmask, sigsetsize)</c></summary>
    [Linux("__x64_sys_epoll_pwait2")]
    public static int EpollPwait2(
        int epfd, Sockptr events, int maxevents, Sockptr timeout, Sockptr sigmask, ulong sigsetsize)
    {
        long deadline = Deadline.Never;
        if (!timeout.IsNull)
        {
            if (timeout.Get(out Timespec ts) < 0)
                return -EFAULT;
            if (!Deadline.IsValid(ts))
                return -EINVAL;
            deadline = Deadline.After(TaskStruct.Current.Machine, ts);
        }

        return DoEpollPwait(epfd, events, maxevents, deadline, sigmask, sigsetsize);
    }

    [Linux("do_epoll_pwait")]
    private static int DoEpollPwait(
        int epfd, Sockptr events, int maxevents, long deadline, Sockptr sigmask, ulong sigsetsize)
    {
        int err = Signal.SetUserSigmask(sigmask, sigsetsize);
        if (err < 0)
            return err;
        int ret = DoEpollWait(epfd, events, maxevents, deadline);
        Signal.RestoreSavedSigmaskUnless(ret == -EINTR);
        return ret;
    }

    [Linux("do_epoll_wait")]
    private static int DoEpollWait(int epfd, Sockptr events, int maxevents, long deadline)
    {
        File? file = TaskStruct.Current.Files.Fget(epfd);
        if (file == null)
            return -EBADF;
        int ret = EpCheckParams(file, events, maxevents);
        if (ret == 0)
            ret = ((Eventpoll)file.PrivateData!).Poll(events, maxevents, deadline);
        file.Fput();
        return ret;
    }

    [Linux("ep_check_params")]
    private static int EpCheckParams(File file, Sockptr events, int maxevents)
    {
        if (maxevents is <= 0 or > MaxEvents)
            return -EINVAL;
        if (!Uaccess.AccessOk(events, (ulong)maxevents * 12))
            return -EFAULT;
        return Of(file) == null ? -EINVAL : 0;
    }

    [Linux("ep_poll")]
    private int Poll(Sockptr events, int maxevents, long deadline)
    {
        TaskStruct task = TaskStruct.Current;
        bool timedOut = deadline == Deadline.Immediately;
        bool available = EventsAvailable;
        while (true)
        {
            int res = available ? SendEvents(events, maxevents) : 0;
            if (res != 0 || timedOut)
                return res;
            if (task.SignalPending)
                return -EINTR;

            // Files that were closed while they were looked at are not to wait with this thread.
            Cpu.This.RunTaskWork();
            available = WaitOnce(task, deadline, out timedOut);
        }
    }

    // Parks until an event may be there. A wake-up takes the thread out of the queue, so that the next goes to another.
    private bool WaitOnce(TaskStruct task, long deadline, out bool timedOut)
    {
        FsThread thread = FsThread.Rent(machine);
        ExclusiveWait wait = thread.Wait;
        thread.Waiter.Reset();
        task.BeginWait();
        wait.Prepare();
        Wq.Add(wait);
        timedOut = false;
        if (!EventsAvailable && !task.SignalPending)
            timedOut = !thread.ScheduleUntil(deadline);
        Wq.Remove(wait);
        task.EndWait();

        // One last look, in case an event and the deadline came together.
        bool woken = wait.Woken;
        thread.Return();
        return !timedOut || woken;
    }
}
