using System.Text;

namespace Linnet.Kernel.Fs;

/// <summary>The system calls of this folder by number. Pointers lead into the memory of the current task.</summary>
public static class FsSyscalls
{
    private const int LongestName = 250;

    /// <summary>Makes a call.</summary>
    /// <param name="nr">The number, <c>__NR_*</c>.</param>
    /// <param name="a">Six arguments.</param>
    /// <param name="ret">What the call returned.</param>
    /// <returns>Whether the call is one of this folder's.</returns>
    public static bool TryInvoke(int nr, ReadOnlySpan<ulong> a, out long ret)
    {
        long? result = Descriptors(nr, a) ?? ReadsAndWrites(nr, a) ?? Waits(nr, a) ?? Makes(nr, a);
        ret = result ?? -ENOSYS;
        return result != null;
    }

    private static long? Descriptors(int nr, ReadOnlySpan<ulong> a)
    {
        TaskStruct task = TaskStruct.Current;
        return nr switch
        {
            __NR_close => task.Files.CloseFd((int)a[0]),
            __NR_close_range => FilesStruct.CloseRange(task, (uint)a[0], (uint)a[1], (uint)a[2]),
            __NR_dup => task.Files.Dup((int)a[0]),
            __NR_dup2 => task.Files.Dup2((int)a[0], (int)a[1]),
            __NR_dup3 => task.Files.Dup3((int)a[0], (int)a[1], (int)a[2]),
            __NR_fcntl => FsFcntl.Fcntl((int)a[0], (uint)a[1], a[2]),
            __NR_ioctl => FsIoctl.Ioctl((int)a[0], (uint)a[1], User(a[2])),
            __NR_fstat => ReadWrite.Newfstat((int)a[0], User(a[1])),
            __NR_getrlimit => Prlimit(task, (int)a[0], null, User(a[1]), mustWrite: true),
            __NR_setrlimit => Setrlimit(task, (int)a[0], User(a[1])),
            __NR_prlimit64 => Prlimit64(task, (int)a[0], (int)a[1], User(a[2]), User(a[3])),
            _ => null,
        };
    }

    private static long? ReadsAndWrites(int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_read => ReadWrite.KsysRead((int)a[0], User(a[1]), a[2]),
        __NR_write => ReadWrite.KsysWrite((int)a[0], User(a[1]), a[2]),
        __NR_readv => ReadWrite.DoReadv((int)a[0], User(a[1]), a[2]),
        __NR_writev => ReadWrite.DoWritev((int)a[0], User(a[1]), a[2]),
        __NR_pread64 => ReadWrite.KsysPread64((int)a[0], User(a[1]), a[2], (long)a[3]),
        __NR_pwrite64 => ReadWrite.KsysPwrite64((int)a[0], User(a[1]), a[2], (long)a[3]),
        __NR_preadv => ReadWrite.DoPreadv((int)a[0], User(a[1]), a[2], (long)a[3]),
        __NR_pwritev => ReadWrite.DoPwritev((int)a[0], User(a[1]), a[2], (long)a[3]),
        __NR_preadv2 => ReadWrite.Preadv2((int)a[0], User(a[1]), a[2], (long)a[3], (int)a[5]),
        __NR_pwritev2 => ReadWrite.Pwritev2((int)a[0], User(a[1]), a[2], (long)a[3], (int)a[5]),
        __NR_lseek => ReadWrite.KsysLseek((int)a[0], (long)a[1], (uint)a[2]),
        __NR_fsync or __NR_fdatasync => ReadWrite.DoFsync((int)a[0]),
        __NR_ftruncate => ReadWrite.DoSysFtruncate((int)a[0], (long)a[1]),
        __NR_sendfile => FsSplice.Sendfile64((int)a[0], (int)a[1], User(a[2]), a[3]),
        __NR_splice => FsSplice.Splice((int)a[0], User(a[1]), (int)a[2], User(a[3]), a[4], (uint)a[5]),
        __NR_tee => FsSplice.Tee((int)a[0], (int)a[1], a[2], (uint)a[3]),
        _ => null,
    };

    private static long? Waits(int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_poll => PollSelect.Poll(User(a[0]), (uint)a[1], (int)a[2]),
        __NR_ppoll => PollSelect.Ppoll(User(a[0]), (uint)a[1], User(a[2]), User(a[3]), a[4]),
        __NR_select => PollSelect.Select((int)a[0], User(a[1]), User(a[2]), User(a[3]), User(a[4])),
        __NR_pselect6 => PollSelect.Pselect6((int)a[0], User(a[1]), User(a[2]), User(a[3]), User(a[4]), User(a[5])),
        __NR_epoll_wait => Eventpoll.EpollWait((int)a[0], User(a[1]), (int)a[2], (int)a[3]),
        __NR_epoll_pwait => Eventpoll.EpollPwait((int)a[0], User(a[1]), (int)a[2], (int)a[3], User(a[4]), a[5]),
        __NR_epoll_pwait2 => Eventpoll.EpollPwait2((int)a[0], User(a[1]), (int)a[2], User(a[3]), User(a[4]), a[5]),
        __NR_epoll_ctl => Eventpoll.EpollCtl((int)a[0], (int)a[1], (int)a[2], User(a[3])),
        _ => null,
    };

    private static long? Makes(int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_pipe => Pipe.Pipe2(User(a[0]), 0),
        __NR_pipe2 => Pipe.Pipe2(User(a[0]), (int)a[1]),
        __NR_epoll_create => Eventpoll.EpollCreate((int)a[0]),
        __NR_epoll_create1 => Eventpoll.DoEpollCreate((int)a[0]),
        __NR_eventfd => EventFd.DoEventfd((uint)a[0], 0),
        __NR_eventfd2 => EventFd.DoEventfd((uint)a[0], (int)a[1]),
        __NR_memfd_create => MemfdCreate(User(a[0]), (uint)a[1]),
        _ => null,
    };

    private static Sockptr User(ulong address) => Uaccess.User(address);

    private static long Prlimit(TaskStruct task, int resource, Rlimit? wanted, Sockptr oldLimit, bool mustWrite)
    {
        int err = task.Rlimits.DoPrlimit(TaskStruct.Current, resource, wanted, out Rlimit old);
        if (err < 0 || (oldLimit.IsNull && !mustWrite))
            return err;
        return oldLimit.Put(old);
    }

    private static long Setrlimit(TaskStruct task, int resource, Sockptr limit) =>
        limit.Get(out Rlimit wanted) < 0 ? -EFAULT : Prlimit(task, resource, wanted, default, mustWrite: false);

    private static long Prlimit64(TaskStruct caller, int pid, int resource, Sockptr newLimit, Sockptr oldLimit)
    {
        Rlimit? wanted = null;
        if (!newLimit.IsNull)
        {
            if (newLimit.Get(out Rlimit given) < 0)
                return -EFAULT;
            wanted = given;
        }

        TaskStruct? task = pid == 0 ? caller : caller.Nsproxy.PidNsForChildren.FindTask(pid);
        if (task == null)
            return -ESRCH;
        bool sameUser = caller.Cred.Uid == task.Cred.Uid && caller.Cred.Uid == task.Cred.Euid;
        if (task != caller && !sameUser && !caller.Capable(CAP_SYS_RESOURCE))
            return -EPERM;
        return Prlimit(task, resource, wanted, oldLimit, mustWrite: false);
    }

    private static long MemfdCreate(Sockptr name, uint flags)
    {
        StringBuilder text = new();
        while (text.Length < LongestName)
        {
            if (name.Add(text.Length).Get(out byte character) < 0)
                return -EFAULT;
            if (character == 0)
                break;
            text.Append((char)character);
        }

        return MemFile.MemfdCreate(text.ToString(), flags);
    }
}
