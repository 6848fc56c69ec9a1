using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>A counter behind a descriptor (<c>eventfd</c>): writes add to it, a read takes it.</summary>
[LinuxStruct("eventfd_ctx")]
[LinuxFile("fs/eventfd.c")]
public sealed class EventFd
{
    private readonly WaitQueueHead wqh = new();
    private readonly Lock mutex = new();
    private readonly bool semaphore;
    private ulong count;

    private EventFd(ulong count, bool semaphore)
    {
        this.count = count;
        this.semaphore = semaphore;
    }

    /// <summary><c>eventfd2(count, flags)</c> for the calling task.</summary>
    /// <param name="count">The counter's first value.</param>
    /// <param name="flags"><c>EFD_SEMAPHORE</c>, <c>EFD_CLOEXEC</c>, <c>EFD_NONBLOCK</c>.</param>
    /// <returns>A descriptor or a negative errno.</returns>
    [Linux("do_eventfd")]
    public static int DoEventfd(uint count, int flags)
    {
        if ((flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK)) != 0)
            return -EINVAL;
        TaskStruct task = TaskStruct.Current;
        int fd = task.Files.GetUnusedFdFlags(flags & O_CLOEXEC);
        if (fd < 0)
            return fd;
        EventFd context = new(count, (flags & EFD_SEMAPHORE) != 0);
        int err = FileTable.AllocFilePseudo(
            task.Machine, EventfdFops.Instance, context, O_RDWR | (flags & O_NONBLOCK), out File? file);
        if (err < 0)
        {
            task.Files.PutUnusedFd(fd);
            return err;
        }

        task.Files.FdInstall(fd, file!);
        return fd;
    }

    private bool TryTake(out ulong taken)
    {
        lock (mutex)
        {
            taken = semaphore && count > 0 ? 1 : count;
            count -= taken;
        }

        if (taken > 0)
            wqh.WakeUp(EPOLLOUT);
        return taken > 0;
    }

    private bool TryAdd(ulong added)
    {
        lock (mutex)
        {
            if (ulong.MaxValue - count <= added)
                return false;
            count += added;
        }

        wqh.WakeUp(EPOLLIN);
        return true;
    }

    private bool HasRoomFor(ulong added) => ulong.MaxValue - Volatile.Read(ref count) > added;

    private int Wait(ulong? room)
    {
        TaskStruct task = TaskStruct.Current;
        FsThread thread = FsThread.Rent(task.Machine);
        thread.Waiter.Reset();
        task.BeginWait();
        thread.Wait.Prepare();
        wqh.Add(thread.Wait);
        int err = 0;
        while (room is { } wanted ? !HasRoomFor(wanted) : Volatile.Read(ref count) == 0)
        {
            if (task.SignalPending)
            {
                err = -EINTR;
                break;
            }

            thread.Waiter.Schedule();
            thread.Wait.Prepare();
        }

        wqh.Remove(thread.Wait);
        task.EndWait();
        thread.Return();
        return err;
    }

    private sealed class EventfdFops : FileOperations
    {
        public static readonly EventfdFops Instance = new();

        public override bool WritesPieces => true;

        // noop_llseek: seeking is allowed and does nothing.
        public override bool CanLseek => true;

        public override long Llseek(File file, long offset, int whence) => file.FPos;

        public override long ReadIter(File file, ref IovIter to) => EventfdRead(file, ref to);

        [Linux("eventfd_read")]
        private static long EventfdRead(File file, ref IovIter to)
        {
            EventFd context = (EventFd)file.PrivateData!;
            if (to.Count < sizeof(ulong))
                return -EINVAL;
            ulong taken;
            while (!context.TryTake(out taken))
            {
                if ((file.FFlags & O_NONBLOCK) != 0)
                    return -EAGAIN;
                int err = context.Wait(room: null);
                if (err < 0)
                    return err;
            }

            return to.CopyTo(BitConverter.GetBytes(taken)) == sizeof(ulong) ? sizeof(ulong) : -EFAULT;
        }

        public override long WriteIter(File file, ref IovIter from) => EventfdWrite(file, ref from);

        [Linux("eventfd_write")]
        private static long EventfdWrite(File file, ref IovIter from)
        {
            EventFd context = (EventFd)file.PrivateData!;
            Span<byte> bytes = stackalloc byte[sizeof(ulong)];
            if (from.Count != sizeof(ulong))
                return -EINVAL;
            if (from.CopyFrom(bytes) < sizeof(ulong))
                return -EFAULT;
            ulong added = BitConverter.ToUInt64(bytes);
            if (added == ulong.MaxValue)
                return -EINVAL;
            while (!context.TryAdd(added))
            {
                if ((file.FFlags & O_NONBLOCK) != 0)
                    return -EAGAIN;
                int err = context.Wait(added);
                if (err < 0)
                    return err;
            }

            return sizeof(ulong);
        }

        [Linux("eventfd_poll")]
        public override uint Poll(File file, PollTable? wait)
        {
            EventFd context = (EventFd)file.PrivateData!;
            wait?.PollWait(file, context.wqh);
            ulong count = Volatile.Read(ref context.count);
            uint mask = count > 0 ? EPOLLIN : 0U;
            if (count == ulong.MaxValue)
                mask |= EPOLLERR;
            if (ulong.MaxValue - 1 > count)
                mask |= EPOLLOUT;
            return mask;
        }

        [Linux("eventfd_release")]
        public override void Release(File file) => ((EventFd)file.PrivateData!).wqh.WakeUpAll(EPOLLHUP);

        [Linux("eventfd_show_fdinfo")]
        public override void ShowFdinfo(StringBuilder output, File file) =>
            output.Append($"eventfd-count: {Volatile.Read(ref ((EventFd)file.PrivateData!).count),16:x}\n");
    }
}
