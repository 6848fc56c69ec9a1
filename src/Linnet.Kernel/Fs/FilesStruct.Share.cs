using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>Duplicating descriptors, and what fork, exec and exit do with them.</content>
public sealed partial class FilesStruct
{
    /// <summary>How many tasks share the table.</summary>
    public int Sharers => Volatile.Read(ref sharers);

    /// <summary>Gives a new task the descriptors of its parent: shared with <c>CLONE_FILES</c>, otherwise a copy.</summary>
    [Linux("copy_files", "kernel/fork.c")]
    public static void CopyFiles(TaskStruct parent, TaskStruct child, bool share)
    {
        FilesStruct files = parent.Files;
        if (share)
            Interlocked.Increment(ref files.sharers);
        child.Files = share ? files : files.DupFd();
        child.Rlimits = new Rlimits(parent.Rlimits);
    }

    /// <summary>Gives a task a table of its own when it shares one (<c>unshare(CLONE_FILES)</c>).</summary>
    [Linux("unshare_fd", "kernel/fork.c")]
    public static void UnshareFd(TaskStruct task)
    {
        FilesStruct files = task.Files;
        if (files.Sharers == 1)
            return;
        task.Files = files.DupFd();
        files.PutFilesStruct();
    }

    /// <summary>The task ends: its descriptors are closed unless somebody shares them.</summary>
    [Linux("exit_files")]
    public static void ExitFiles(TaskStruct task)
    {
        FilesStruct? files = FsState.FindFiles(task);
        if (files == null)
            return;
        FsState.ForgetFiles(task);
        files.PutFilesStruct();
    }

    /// <summary>Closes every descriptor that has <c>FD_CLOEXEC</c>, as <c>exec</c> does.</summary>
    [Linux("do_close_on_exec")]
    public void DoCloseOnExec()
    {
        for (int word = 0; word < fdt.WordCount; word++)
        {
            for (ulong set = fdt.CloseOnExecWord(word); set != 0; set &= set - 1)
                CloseFd(word * BitsPerWord + BitOperations.TrailingZeroCount(set));
        }
    }

    /// <summary>Whether the descriptor is closed by <c>exec</c> (<c>F_GETFD</c>).</summary>
    internal bool GetCloseOnExec(int fd) => fdt.IsCloseOnExec(fd);

    [Linux("set_close_on_exec")]
    internal void SetCloseOnExec(int fd, bool on)
    {
        fileLock.Lock();
        Fdtable table = fdt;
        if (table.IsOpen(fd))
            table.SetCloseOnExec(fd, on);
        fileLock.Unlock();
    }

    /// <summary>Makes the lowest free descriptor refer to the same file (<c>dup</c>).</summary>
    /// <returns>The new descriptor, -EBADF or -EMFILE.</returns>
    [Linux("ksys_dup")]
    public int Dup(int oldfd)
    {
        File? file = Fget(oldfd);
        if (file == null)
            return -EBADF;
        int fd = GetUnusedFdFlags(0);
        if (fd >= 0)
            FdInstall(fd, file);
        else
            file.Fput();
        return fd;
    }

    /// <summary>As <see cref="Dup3"/>, but a descriptor onto itself is no error (<c>dup2</c>).</summary>
    [Linux("__x64_sys_dup2")]
    public int Dup2(int oldfd, int newfd)
    {
        if (oldfd != newfd)
            return Dup3(oldfd, newfd, 0);
        File? file = Fget(oldfd);
        if (file == null)
            return -EBADF;
        file.Fput();
        return oldfd;
    }

    /// <summary>Makes <paramref name="newfd"/> refer to the file of <paramref name="oldfd"/>, closing what it was before.</summary>
    /// <returns><paramref name="newfd"/>, -EINVAL, -EBADF, or -EBUSY while another thread is opening it.</returns>
    [Linux("ksys_dup3")]
    public int Dup3(int oldfd, int newfd, int flags)
    {
        if ((flags & ~O_CLOEXEC) != 0 || oldfd == newfd)
            return -EINVAL;
        if ((uint)newfd >= (uint)TaskStruct.Current.Rlimits.Nofile)
            return -EBADF;
        File? file = Fget(oldfd);
        if (file == null)
            return -EBADF;
        int ret = DoDup2(file, newfd, flags, out File? replaced);
        if (ret < 0)
            file.Fput();
        else if (replaced != null)
            FilpClose(replaced);
        return ret;
    }

    /// <summary>The lowest free descriptor from <paramref name="from"/> on (<c>F_DUPFD</c>); takes a reference on success.</summary>
    [Linux("f_dupfd")]
    internal int FDupfd(int from, File file, int flags)
    {
        int nofile = TaskStruct.Current.Rlimits.Nofile;
        if ((uint)from >= (uint)nofile)
            return -EINVAL;
        int fd = AllocFd(from, nofile, flags);
        if (fd >= 0)
            FdInstall(fd, file.Get());
        return fd;
    }

    [Linux("do_dup2")]
    private int DoDup2(File file, int fd, int flags, out File? replaced)
    {
        replaced = null;
        fileLock.Lock();
        if (ExpandFiles(fd) < 0)
        {
            fileLock.Unlock();
            return -EBADF;
        }

        Fdtable table = fdt;
        replaced = table.Files[fd];

        // Reserved by an open that runs on another thread: taking it would leave that thread with nothing to install into.
        if (replaced == null && table.IsOpen(fd))
        {
            fileLock.Unlock();
            return -EBUSY;
        }

        table.SetOpen(fd, (flags & O_CLOEXEC) != 0);
        Volatile.Write(ref table.Files[fd], file);
        fileLock.Unlock();
        return fd;
    }

    /// <summary>Closes the descriptors from <paramref name="fd"/> to <paramref name="maxFd"/>, or marks them (<c>close_range</c>).</summary>
    /// <param name="task">The caller; its table is unshared first with <c>CLOSE_RANGE_UNSHARE</c>.</param>
    /// <param name="fd">The first.</param>
    /// <param name="maxFd">The last.</param>
    /// <param name="flags"><c>CLOSE_RANGE_UNSHARE</c> (2), <c>CLOSE_RANGE_CLOEXEC</c> (4).</param>
    [Linux("__x64_sys_close_range")]
    public static int CloseRange(TaskStruct task, uint fd, uint maxFd, uint flags)
    {
        const uint Unshare = 2;
        const uint Cloexec = 4;
        if ((flags & ~(Unshare | Cloexec)) != 0 || fd > maxFd)
            return -EINVAL;
        if ((flags & Unshare) != 0)
            UnshareFd(task);
        FilesStruct files = task.Files;
        int last = (int)Math.Min(maxFd, (uint)files.MaxFds - 1);
        for (uint current = fd; current <= last && last >= 0; current++)
        {
            if ((flags & Cloexec) != 0)
                files.SetCloseOnExec((int)current, on: true);
            else
                files.CloseFd((int)current);
        }

        return 0;
    }

    // A copy for a new task. A descriptor that another thread has reserved but not installed yet stays free in the copy.
    [Linux("dup_fd")]
    private FilesStruct DupFd()
    {
        FilesStruct copy = new(machine);
        fileLock.Lock();
        Fdtable old = fdt;
        int room = Math.Max(old.MaxFds, InitialDescriptors);
        Fdtable table = new(old, room);
        for (int fd = 0; fd < old.MaxFds; fd++)
        {
            if (table.Files[fd] is { } file)
                file.Get();
            else if (table.IsOpen(fd))
                table.ClearOpen(fd);
        }

        copy.nextFd = 0;
        copy.fdt = table;
        fileLock.Unlock();
        return copy;
    }

    private void PutFilesStruct()
    {
        if (Interlocked.Decrement(ref sharers) != 0)
            return;
        for (int word = 0; word < fdt.WordCount; word++)
        {
            for (ulong set = fdt.OpenWord(word); set != 0; set &= set - 1)
                CloseFd(word * BitsPerWord + BitOperations.TrailingZeroCount(set));
        }
    }
}
