using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Requests about descriptors and open files (<c>fcntl</c>).</summary>
[LinuxFile("fs/fcntl.c")]
public static class FsFcntl
{
    private const int SetflMask = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME;
    private const int HighestSignal = 64;

    /// <summary><c>fcntl(fd, cmd, arg)</c> for the calling task.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="cmd"><c>F_*</c>.</param>
    /// <param name="arg">A number, or an address in the task's memory.</param>
    /// <returns>0 or more, or a negative errno; -EINVAL for a command that Linnet does not know.</returns>
    [Linux("__x64_sys_fcntl")]
    public static long Fcntl(int fd, uint cmd, ulong arg)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = DoFcntl(fd, cmd, arg, file);
        file.Fput();
        return ret;
    }

    [Linux("do_fcntl")]
    private static long DoFcntl(int fd, uint cmd, ulong arg, File filp)
    {
        FilesStruct files = TaskStruct.Current.Files;
        switch ((int)cmd)
        {
            case F_CREATED_QUERY:
                return 0;
            case F_DUPFD:
                return files.FDupfd((int)arg, filp, 0);
            case F_DUPFD_CLOEXEC:
                return files.FDupfd((int)arg, filp, O_CLOEXEC);
            case F_DUPFD_QUERY:
                return FDupfdQuery((int)arg, filp);
            case F_GETFD:
                return files.GetCloseOnExec(fd) ? FD_CLOEXEC : 0;
            case F_SETFD:
                files.SetCloseOnExec(fd, (arg & FD_CLOEXEC) != 0);
                return 0;
            case F_GETFL:
                return filp.FFlags;
            case F_SETFL:
                return Setfl(fd, filp, (int)arg);
            case F_SETPIPE_SZ:
            case F_GETPIPE_SZ:
                return PipeFcntl(filp, (int)cmd, (uint)arg);
            default:
                return OwnerFcntl(filp, (int)cmd, arg);
        }
    }

    private static long OwnerFcntl(File filp, int cmd, ulong arg)
    {
        switch (cmd)
        {
            case F_GETOWN:
                return FGetown(filp);
            case F_SETOWN:
                return FSetown(filp, (int)arg);
            case F_GETOWN_EX:
                return FGetownEx(filp, Uaccess.User(arg));
            case F_SETOWN_EX:
                return FSetownEx(filp, Uaccess.User(arg));
            case F_GETSIG:
                return filp.FOwner?.Signum ?? 0;
            case F_SETSIG when arg > HighestSignal:
                return -EINVAL;
            case F_SETSIG:
                filp.Owner.Signum = (int)arg;
                return 0;
            case F_NOTIFY:
                // Nothing here is a directory; to want no events of one is no error.
                return (arg & ~(ulong)DN_MULTISHOT) == 0 ? 0 : -ENOTDIR;
            default:
                return -EINVAL;
        }
    }

    /// <summary>Changes the flags of an open file (<c>F_SETFL</c>): append, non-blocking, direct, signals.</summary>
    [Linux("setfl")]
    internal static int Setfl(int fd, File filp, int arg)
    {
        // On a pipe O_DIRECT makes packets; other files here do no direct transfers.
        if ((arg & O_DIRECT) != 0 && Pipe.Of(filp) == null)
            return -EINVAL;
        if (((arg ^ filp.FFlags) & FileTable.FASYNC) != 0)
        {
            int err = filp.FOp.Fasync(fd, filp, (arg & FileTable.FASYNC) != 0);
            if (err < 0 && err != -ENOTTY)
                return err;
        }

        filp.ReplaceFlags(SetflMask, arg);
        return 0;
    }

    [Linux("f_dupfd_query")]
    private static int FDupfdQuery(int fd, File filp)
    {
        File? other = TaskStruct.Current.Files.Fget(fd);
        if (other == null)
            return -EBADF;
        other.Fput();
        return other == filp ? 1 : 0;
    }

    [Linux("pipe_fcntl", "fs/pipe.c")]
    private static long PipeFcntl(File filp, int cmd, uint arg)
    {
        Pipe? pipe = Pipe.Of(filp);
        if (pipe == null)
            return -EBADF;
        return cmd == F_SETPIPE_SZ ? pipe.SetSize(arg) : pipe.Size;
    }

    /// <summary>Who gets the file's signals: a process, or as a negative number a group.</summary>
    [Linux("f_getown")]
    public static int FGetown(File filp)
    {
        FownStruct? fown = filp.FOwner;
        int pid = fown?.Owner?.Pid ?? 0;
        return fown?.PidType == F_OWNER_PGRP ? -pid : pid;
    }

    /// <summary>Says who gets the file's signals (<c>F_SETOWN</c>, <c>SIOCSPGRP</c>).</summary>
    /// <param name="filp">The file.</param>
    /// <param name="who">A process, as a negative number a group, or 0 for nobody.</param>
    /// <returns>0, -EINVAL, or -ESRCH when there is no such process.</returns>
    [Linux("f_setown")]
    public static int FSetown(File filp, int who)
    {
        if (who == int.MinValue)
            return -EINVAL;
        TaskStruct? owner = null;
        if (who != 0 && !TryFindTask(Math.Abs(who), out owner))
            return -ESRCH;
        FModown(filp, owner, who < 0 ? F_OWNER_PGRP : F_OWNER_PID);
        return 0;
    }

    [Linux("f_getown_ex")]
    private static int FGetownEx(File filp, Sockptr arg)
    {
        FownStruct? fown = filp.FOwner;
        return arg.Put(new FOwnerEx { Type = fown?.PidType ?? F_OWNER_PID, Pid = fown?.Owner?.Pid ?? 0 });
    }

    [Linux("f_setown_ex")]
    private static int FSetownEx(File filp, Sockptr arg)
    {
        if (arg.Get(out FOwnerEx owner) < 0)
            return -EFAULT;
        if (owner.Type is not (F_OWNER_TID or F_OWNER_PID or F_OWNER_PGRP))
            return -EINVAL;
        TaskStruct? task = null;
        if (owner.Pid != 0 && !TryFindTask(owner.Pid, out task))
            return -ESRCH;
        FModown(filp, task, owner.Type);
        return 0;
    }

    [Linux("f_modown")]
    private static void FModown(File filp, TaskStruct? owner, int type)
    {
        FownStruct fown = filp.Owner;
        Cred cred = TaskStruct.Current.Cred;
        fown.Owner = owner;
        fown.PidType = type;
        fown.Uid = cred.Uid;
        fown.Euid = cred.Euid;
    }

    private static bool TryFindTask(int pid, out TaskStruct? task)
    {
        task = TaskStruct.Current.Nsproxy.PidNsForChildren.FindTask(pid);
        return task != null;
    }
}
