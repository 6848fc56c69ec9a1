using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>The part of <c>ioctl</c> that is the same for all files.</summary>
[LinuxFile("fs/ioctl.c")]
public static class FsIoctl
{
    private const uint FIGETBSZ = 2;
    private const int BlockSize = 4096;

    /// <summary><c>ioctl(fd, cmd, arg)</c> for the calling task.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="cmd">The request.</param>
    /// <param name="arg">Where its argument is; the address itself for requests that take a number.</param>
    [Linux("__x64_sys_ioctl")]
    public static int Ioctl(int fd, uint cmd, Sockptr arg)
    {
        TaskStruct task = TaskStruct.Current;
        File? file = task.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        int ret = DoVfsIoctl(task.Files, file, fd, cmd, arg);
        if (ret == -ENOIOCTLCMD)
            ret = VfsIoctl(file, cmd, arg);
        file.Fput();
        return ret;
    }

    /// <summary>Has the kind of file answer.</summary>
    [Linux("vfs_ioctl")]
    private static int VfsIoctl(File file, uint cmd, Sockptr arg)
    {
        int ret = file.FOp.Ioctl(file, cmd, arg);
        return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
    }

    [Linux("do_vfs_ioctl")]
    private static int DoVfsIoctl(FilesStruct files, File file, int fd, uint cmd, Sockptr arg)
    {
        switch (cmd)
        {
            case FIOCLEX:
                files.SetCloseOnExec(fd, on: true);
                return 0;
            case FIONCLEX:
                files.SetCloseOnExec(fd, on: false);
                return 0;
            case FIONBIO:
                if (arg.Get(out int nonblocking) < 0)
                    return -EFAULT;
                file.SetFlag(O_NONBLOCK, nonblocking != 0);
                return 0;
            case FIOASYNC:
                return IoctlFioasync(fd, file, arg);
            case FIGETBSZ:
                return arg.Put(BlockSize);
            default:
                return -ENOIOCTLCMD;
        }
    }

    [Linux("ioctl_fioasync")]
    private static int IoctlFioasync(int fd, File file, Sockptr arg)
    {
        if (arg.Get(out int on) < 0)
            return -EFAULT;
        bool wanted = on != 0;
        if (wanted == ((file.FFlags & FileTable.FASYNC) != 0))
            return 0;
        int err = file.FOp.Fasync(fd, file, wanted);
        return Math.Min(err, 0);
    }
}
