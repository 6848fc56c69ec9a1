using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>Adding, changing and removing what is watched.</content>
public sealed partial class Eventpoll
{
    /// <summary><c>epoll_create1(flags)</c> for the calling task.</summary>
    /// <param name="flags"><c>EPOLL_CLOEXEC</c> or 0.</param>
    /// <returns>A descriptor or a negative errno.</returns>
    [Linux("do_epoll_create")]
    public static int DoEpollCreate(int flags)
    {
        if ((flags & ~EPOLL_CLOEXEC) != 0)
            return -EINVAL;
        TaskStruct task = TaskStruct.Current;
        int fd = task.Files.GetUnusedFdFlags(flags & O_CLOEXEC);
        if (fd < 0)
            return fd;
        Eventpoll ep = new(task.Machine);
        int err = FileTable.AllocFilePseudo(task.Machine, EventpollFops.Instance, ep, O_RDWR, out File? file);
        if (err < 0)
        {
            task.Files.PutUnusedFd(fd);
            return err;
        }

        ep.File = file!;
        task.Files.FdInstall(fd, file!);
        return fd;
    }

    /// <summary><c>epoll_ctl(epfd, op, fd, event)</c> for the calling task.</summary>
    /// <param name="epfd">The instance.</param>
    /// <param name="op"><c>EPOLL_CTL_ADD</c>, <c>EPOLL_CTL_MOD</c>, <c>EPOLL_CTL_DEL</c>.</param>
    /// <param name="fd">The file to watch.</param>
    /// <param name="epds">What is wanted; not looked at for <c>EPOLL_CTL_DEL</c>.</param>
    /// <returns>
    /// 0, -EBADF, -EPERM for a file that cannot be polled, -EINVAL, -EEXIST, -ENOENT, -ELOOP for instances that would watch
    /// each other or are nested too deep, or -ENOSPC.
    /// </returns>
    [Linux("do_epoll_ctl")]
    public static int DoEpollCtl(int epfd, int op, int fd, EpollEvent epds)
    {
        FilesStruct files = TaskStruct.Current.Files;
        File? file = files.Fget(epfd);
        if (file == null)
            return -EBADF;
        File? target = files.Fget(fd);
        int err = target == null ? -EBADF : EpollCtl(file, op, target, fd, epds);
        target?.Fput();
        file.Fput();
        return err;
    }

    /// <summary>Changes what an instance watches; both files are held by the caller.</summary>
    internal static int EpollCtl(File file, int op, File target, int fd, EpollEvent epds)
    {
        if (!target.FOp.CanPoll)
            return -EPERM;

        // Linnet never suspends: as a kernel without CONFIG_PM_SLEEP.
        epds.Events &= ~(uint)EPOLLWAKEUP;
        Eventpoll? ep = Of(file);
        if (file == target || ep == null)
            return -EINVAL;
        if (op != EPOLL_CTL_DEL && (epds.Events & EPOLLEXCLUSIVE) != 0)
        {
            if (op == EPOLL_CTL_MOD)
                return -EINVAL;
            if (op == EPOLL_CTL_ADD && (Of(target) != null || (epds.Events & ~ExclusiveOkBits) != 0))
                return -EINVAL;
        }

        return op == EPOLL_CTL_ADD ? ep.Add(target, fd, epds) : ep.Change(op, target, fd, epds);
    }

    private int Add(File target, int fd, EpollEvent epds)
    {
        // Only a file that is an instance itself, or that several watch, can make the graph of watchers grow too large.
        bool checks = Of(target) != null || Volatile.Read(ref target.FEp) != null;
        if (!checks)
        {
            lock (mtx)
                return items.ContainsKey((target, fd)) ? -EEXIST : Insert(epds, target, fd, fullCheck: false);
        }

        lock (EpollLimits.Of(machine))
        {
            if (Of(target) is { } inner && LoopCheck(inner) != 0)
                return -ELOOP;
            lock (mtx)
                return items.ContainsKey((target, fd)) ? -EEXIST : Insert(epds, target, fd, fullCheck: true);
        }
    }

    private int Change(int op, File target, int fd, EpollEvent epds)
    {
        lock (mtx)
        {
            bool found = items.TryGetValue((target, fd), out Epitem? item);
            switch (op)
            {
                case EPOLL_CTL_DEL when found:
                    Remove(item!);
                    return 0;
                case EPOLL_CTL_MOD when found && (item!.Event.Events & EPOLLEXCLUSIVE) == 0:
                    Modify(item, epds);
                    return 0;
                case EPOLL_CTL_DEL or EPOLL_CTL_MOD:
                    return found ? -EINVAL : -ENOENT;
                default:
                    return -EINVAL;
            }
        }
    }

    [Linux("ep_insert")]
    private int Insert(EpollEvent epds, File target, int fd, bool fullCheck)
    {
        if (Interlocked.Increment(ref user.EpollWatches) > EpollLimits.Of(machine).MaxUserWatches)
        {
            Interlocked.Decrement(ref user.EpollWatches);
            return -ENOSPC;
        }

        Epitem item = RentItem();
        item.File = target;
        item.Fd = fd;
        item.Event = epds;
        item.Event.Events |= EPOLLERR | EPOLLHUP;
        AttachEpitem(target, item);
        items.Add((target, fd), item);
        if (fullCheck && ReversePathCheck(target) != 0)
        {
            Remove(item);
            return -EINVAL;
        }

        ItemPollTable table = pollTable ??= new ItemPollTable();
        table.Item = item;
        table.Next = item.Pwqlist;
        uint revents = EpItemPoll(item, table);
        AddReady(item, revents);
        return 0;
    }

    [Linux("ep_modify")]
    private void Modify(Epitem item, EpollEvent epds)
    {
        guard.Lock();
        item.Event.Events = epds.Events | EPOLLERR | EPOLLHUP;
        item.Event.Data = epds.Data;
        guard.Unlock();

        // A wake-up before this line went by the old events; what it said is still to be seen now.
        AddReady(item, EpItemPoll(item, null));
    }

    private void AddReady(Epitem item, uint revents)
    {
        if (revents == 0)
            return;
        bool wakePollers = false;
        guard.Lock();
        if (!item.IsLinked)
        {
            rdllist.AddTail(item);
            Wq.WakeUp();
            wakePollers = pollWait.Active;
        }

        guard.Unlock();
        if (wakePollers)
            pollWait.WakeUp(EPOLLIN);
    }

    [Linux("ep_remove")]
    private void Remove(Epitem item)
    {
        for (EppollEntry? entry = item.Pwqlist; entry != null; entry = entry.NextEntry)
            entry.Queue?.Remove(entry);
        DetachEpitem(item.File, item);
        items.Remove((item.File, item.Fd));
        guard.Lock();
        if (item.IsLinked)
            rdllist.Remove(item);
        guard.Unlock();
        Interlocked.Decrement(ref user.EpollWatches);

        // It is in no queue any more, so no wake-up can reach it, and it may serve again.
        item.File = null!;
        item.FreeNext = freeItems;
        freeItems = item;
    }

    private Epitem RentItem()
    {
        Epitem? item = freeItems;
        if (item == null)
            return new Epitem(this);
        freeItems = item.FreeNext;
        item.FreeNext = null;
        return item;
    }

    [Linux("attach_epitem")]
    private static void AttachEpitem(File target, Epitem item)
    {
        target.EpLock.Lock();
        item.FileNext = target.FEp;
        target.FEp = item;
        target.EpLock.Unlock();
    }

    private static void DetachEpitem(File target, Epitem item)
    {
        target.EpLock.Lock();
        if (target.FEp == item)
        {
            target.FEp = item.FileNext;
        }
        else
        {
            Epitem before = target.FEp!;
            while (before.FileNext != item)
                before = before.FileNext!;
            before.FileNext = item.FileNext;
        }

        item.FileNext = null;
        target.EpLock.Unlock();
    }

    /// <summary>The last reference to a file is gone: whoever watched it does so no more.</summary>
    [Linux("eventpoll_release")]
    internal static void EventpollRelease(File file)
    {
        while (Volatile.Read(ref file.FEp) is { } item)
        {
            // The instance may remove the item at the same time because it is closed itself: it is looked up again.
            Eventpoll ep = item.Ep;
            lock (ep.mtx)
            {
                if (item.File == file)
                    ep.Remove(item);
            }
        }
    }

    [Linux("ep_clear_and_put")]
    private void ClearAndPut()
    {
        pollWait.WakeUp(EPOLLIN);
        lock (mtx)
        {
            foreach (Epitem item in items.Values.ToArray())
                Remove(item);
        }
    }
}
