using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

public sealed partial class Pipe
{
    /// <summary>Makes a pipe and its two files (<c>pipe2</c> without descriptors).</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="flags"><c>O_NONBLOCK</c> and <c>O_DIRECT</c> for the files.</param>
    /// <param name="read">The end to read from.</param>
    /// <param name="write">The end to write to.</param>
    /// <returns>0, -ENFILE or -ENOPKG.</returns>
    [Linux("create_pipe_files")]
    public static int CreatePipeFiles(Machine machine, int flags, out File? read, out File? write)
    {
        read = write = null;

        // O_NOTIFICATION_PIPE: as a kernel without watch queues.
        if ((flags & O_EXCL) != 0)
            return -ENOPKG;
        Pipe? pipe = AllocPipeInfo(machine);
        if (pipe == null)
            return -ENFILE;
        int err = FileTable.AllocFilePseudo(
            machine, PipeOperations.Instance, pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), out File? writer);
        if (err < 0)
        {
            pipe.Release();
            return err;
        }

        err = FileTable.AllocFilePseudo(machine, PipeOperations.Instance, pipe, O_RDONLY | (flags & O_NONBLOCK), out read);
        if (err < 0)
        {
            pipe.readers = 0;
            writer!.Fput();
            return err;
        }

        write = writer;
        return 0;
    }

    /// <summary><c>pipe2(fildes, flags)</c> for the calling task.</summary>
    /// <param name="flags"><c>O_CLOEXEC</c>, <c>O_NONBLOCK</c>, <c>O_DIRECT</c>.</param>
    /// <param name="readFd">The descriptor to read from.</param>
    /// <param name="writeFd">The descriptor to write to.</param>
    [Linux("__do_pipe_flags")]
    public static int DoPipeFlags(int flags, out int readFd, out int writeFd)
    {
        int err = ReservePipe(flags, out readFd, out writeFd, out File? read, out File? write);
        if (err < 0)
            return err;
        FilesStruct files = TaskStruct.Current.Files;
        files.FdInstall(readFd, read!);
        files.FdInstall(writeFd, write!);
        return 0;
    }

    /// <summary><c>pipe2</c> with the two descriptors written to the caller's memory.</summary>
    [Linux("__x64_sys_pipe2")]
    public static long Pipe2(Sockptr fildes, int flags)
    {
        int err = ReservePipe(flags, out int readFd, out int writeFd, out File? read, out File? write);
        if (err < 0)
            return err;
        FilesStruct files = TaskStruct.Current.Files;
        if (fildes.Put(readFd) < 0 || fildes.Add(sizeof(int)).Put(writeFd) < 0)
        {
            read!.Fput();
            write!.Fput();
            files.PutUnusedFd(readFd);
            files.PutUnusedFd(writeFd);
            return -EFAULT;
        }

        files.FdInstall(readFd, read!);
        files.FdInstall(writeFd, write!);
        return 0;
    }

    private static int ReservePipe(int flags, out int readFd, out int writeFd, out File? read, out File? write)
    {
        readFd = writeFd = -1;
        read = write = null;
        if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL)) != 0)
            return -EINVAL;
        TaskStruct task = TaskStruct.Current;
        int err = CreatePipeFiles(task.Machine, flags, out read, out write);
        if (err < 0)
            return err;
        readFd = task.Files.GetUnusedFdFlags(flags);
        writeFd = readFd < 0 ? readFd : task.Files.GetUnusedFdFlags(flags);
        if (writeFd >= 0)
            return 0;
        if (readFd >= 0)
            task.Files.PutUnusedFd(readFd);
        read!.Fput();
        write!.Fput();
        return writeFd;
    }

    /// <summary>The pipe of a file, or null for a file that is none (<c>get_pipe_info</c>).</summary>
    internal static Pipe? Of(File file) => file.PrivateData as Pipe;

    /// <summary>Waits until <paramref name="ready"/>, in one of the pipe's queues, as one of those who are woken one at a time.</summary>
    /// <returns>0 or -EINTR.</returns>
    internal int WaitFor(WaitQueueHead queue, Func<Pipe, bool> ready)
    {
        TaskStruct task = TaskStruct.Current;
        FsThread thread = FsThread.Rent(machine);
        ExclusiveWait wait = thread.Wait;
        thread.Waiter.Reset();
        task.BeginWait();
        wait.Prepare();
        queue.Add(wait);
        int err = 0;
        while (!ready(this))
        {
            if (task.SignalPending)
            {
                err = -EINTR;
                break;
            }

            thread.Waiter.Schedule();
            wait.Prepare();
        }

        queue.Remove(wait);
        task.EndWait();

        // A wake-up that this thread took and does not use belongs to the next.
        if (err < 0 && wait.Woken)
            queue.WakeUp();
        thread.Return();
        return err;
    }

    private sealed class PipeOperations : FileOperations
    {
        public static readonly PipeOperations Instance = new();

        public override bool CanPoll => true;

        public override long ReadIter(File file, ref IovIter to) => AnonPipeRead(file, ref to);

        [Linux("anon_pipe_read")]
        private static long AnonPipeRead(File file, ref IovIter to)
        {
            if (to.Count == 0)
                return 0;
            Pipe pipe = (Pipe)file.PrivateData!;
            bool waited = false;
            long ret;
            while (true)
            {
                ret = pipe.ReadSome(ref to);
                if (ret != -EAGAIN || (file.FFlags & O_NONBLOCK) != 0)
                    break;
                ret = pipe.WaitFor(pipe.RdWait, static p => !p.IsEmpty || !p.HasWriters);
                if (ret < 0)
                    break;
                waited = true;
            }

            // Only the first into an empty pipe wakes a reader: who has left something wakes the next.
            if (waited && !pipe.IsEmpty)
                pipe.RdWait.WakeUp(EPOLLIN | EPOLLRDNORM);
            return ret;
        }

        public override long WriteIter(File file, ref IovIter from) => AnonPipeWrite(file, ref from);

        [Linux("anon_pipe_write")]
        private static long AnonPipeWrite(File file, ref IovIter from)
        {
            if (from.Count == 0)
                return 0;
            Pipe pipe = (Pipe)file.PrivateData!;
            bool packet = (file.FFlags & O_DIRECT) != 0;
            bool waited = false;
            long written = 0;
            long ret;
            while (true)
            {
                ret = pipe.WriteSome(ref from, packet);
                if (ret > 0)
                    written += ret;

                // What stopped it in the middle, a full pipe or bad memory, the next pass tells.
                if (ret > 0 && from.Count > 0)
                    continue;
                if (ret == -EPIPE)
                    TaskStruct.Current.SendSignal(SIGPIPE);
                if (ret != -EAGAIN || (file.FFlags & O_NONBLOCK) != 0)
                    break;
                ret = pipe.WaitFor(pipe.WrWait, static p => !p.IsFull || !p.HasReaders);
                if (ret < 0)
                    break;
                waited = true;
            }

            if (waited && !pipe.IsFull)
                pipe.WrWait.WakeUp(EPOLLOUT | EPOLLWRNORM);
            return written > 0 ? written : ret;
        }

        [Linux("pipe_poll")]
        public override uint Poll(File file, PollTable? wait)
        {
            Pipe pipe = (Pipe)file.PrivateData!;
            if (file.CanRead)
                wait?.PollWait(file, pipe.RdWait);
            if (file.CanWrite)
                wait?.PollWait(file, pipe.WrWait);
            uint mask = 0;
            lock (pipe.mutex)
            {
                pipe.pollUsage = true;
                if (file.CanRead)
                {
                    mask |= pipe.IsEmptyLocked ? 0 : (uint)(EPOLLIN | EPOLLRDNORM);
                    mask |= pipe.writers == 0 ? EPOLLHUP : 0U;
                }

                if (file.CanWrite)
                {
                    mask |= pipe.IsFullLocked ? 0 : (uint)(EPOLLOUT | EPOLLWRNORM);

                    // As Linux: a writer learns of the missing reader by an error.
                    mask |= pipe.readers == 0 ? EPOLLERR : 0U;
                }
            }

            return mask;
        }

        [Linux("pipe_ioctl")]
        public override int Ioctl(File file, uint cmd, Sockptr arg) =>
            cmd == FIONREAD ? arg.Put(((Pipe)file.PrivateData!).Readable) : -ENOIOCTLCMD;

        [Linux("pipe_release")]
        public override void Release(File file)
        {
            Pipe pipe = (Pipe)file.PrivateData!;
            bool oneSided, gone;
            lock (pipe.mutex)
            {
                if (file.CanRead)
                    pipe.readers--;
                else
                    pipe.writers--;
                oneSided = (pipe.readers == 0) != (pipe.writers == 0);
                gone = pipe.readers == 0 && pipe.writers == 0;
            }

            if (gone)
                pipe.Release();
            if (!oneSided)
                return;
            pipe.RdWait.WakeUpAll(EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP);
            pipe.WrWait.WakeUpAll(EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
            pipe.FasyncReaders.KillFasync(SIGIO, POLL_IN);
            pipe.FasyncWriters.KillFasync(SIGIO, POLL_OUT);
        }

        [Linux("pipe_fasync")]
        public override int Fasync(int fd, File file, bool on)
        {
            Pipe pipe = (Pipe)file.PrivateData!;
            return (file.CanRead ? pipe.FasyncReaders : pipe.FasyncWriters).FasyncHelper(fd, file, on);
        }

        public override void Getattr(File file, ref Stat stat)
        {
            stat.StMode = S_IFIFO | S_IRUSR | S_IWUSR;
            stat.StIno = (ulong)((Pipe)file.PrivateData!).Ino;
        }
    }
}
