using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Reading and writing by descriptor.</summary>
[LinuxFile("fs/read_write.c")]
public static class ReadWrite
{
    /// <summary><c>read(fd, buf, count)</c></summary>
    /// <returns>Bytes, 0 at the end, or a negative errno.</returns>
    [Linux("ksys_read")]
    public static long KsysRead(int fd, Sockptr buf, ulong count)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = VfsRead(file, buf, count);
        file.Fput();
        return ret;
    }

    /// <summary><c>write(fd, buf, count)</c></summary>
    /// <returns>Bytes or a negative errno.</returns>
    [Linux("ksys_write")]
    public static long KsysWrite(int fd, Sockptr buf, ulong count)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = VfsWrite(file, buf, count);
        file.Fput();
        return ret;
    }

    /// <summary>Reads into one piece of memory.</summary>
    [Linux("vfs_read")]
    public static long VfsRead(File file, Sockptr buf, ulong count)
    {
        if (!file.CanRead)
            return -EBADF;
        if (!file.FOp.CanReadIter)
            return -EINVAL;
        int err = CheckArea(buf, count);
        if (err < 0)
            return err;
        IovIter iter = new(buf, Math.Min((long)count, Uaccess.MaxRwCount));
        return file.FOp.ReadIter(file, ref iter);
    }

    /// <summary>Writes from one piece of memory.</summary>
    [Linux("vfs_write")]
    public static long VfsWrite(File file, Sockptr buf, ulong count)
    {
        if (!file.CanWrite)
            return -EBADF;
        if (!file.FOp.CanWriteIter)
            return -EINVAL;
        int err = CheckArea(buf, count);
        if (err < 0)
            return err;
        IovIter iter = new(buf, Math.Min((long)count, Uaccess.MaxRwCount));
        return file.FOp.WriteIter(file, ref iter);
    }

    /// <summary><c>readv(fd, vec, vlen)</c></summary>
    [Linux("do_readv")]
    public static long DoReadv(int fd, Sockptr vec, ulong vlen) => Vectored(fd, vec, vlen, write: false, pos: -1);

    /// <summary><c>writev(fd, vec, vlen)</c></summary>
    [Linux("do_writev")]
    public static long DoWritev(int fd, Sockptr vec, ulong vlen) => Vectored(fd, vec, vlen, write: true, pos: -1);

    /// <summary><c>preadv(fd, vec, vlen, pos)</c></summary>
    [Linux("do_preadv")]
    public static long DoPreadv(int fd, Sockptr vec, ulong vlen, long pos) =>
        pos < 0 ? -EINVAL : Vectored(fd, vec, vlen, write: false, pos);

    /// <summary><c>pwritev(fd, vec, vlen, pos)</c></summary>
    [Linux("do_pwritev")]
    public static long DoPwritev(int fd, Sockptr vec, ulong vlen, long pos) =>
        pos < 0 ? -EINVAL : Vectored(fd, vec, vlen, write: true, pos);

    /// <summary><c>preadv2(fd, vec, vlen, pos, flags)</c>; no flag is supported.</summary>
    [Linux("__x64_sys_preadv2")]
    public static long Preadv2(int fd, Sockptr vec, ulong vlen, long pos, int flags) =>
        WithFlags(fd, vec, vlen, pos, flags, write: false);

    /// <summary><c>pwritev2(fd, vec, vlen, pos, flags)</c>; no flag is supported.</summary>
    [Linux("__x64_sys_pwritev2")]
    public static long Pwritev2(int fd, Sockptr vec, ulong vlen, long pos, int flags) =>
        WithFlags(fd, vec, vlen, pos, flags, write: true);

    /// <summary><c>pread64(fd, buf, count, pos)</c></summary>
    [Linux("ksys_pread64")]
    public static long KsysPread64(int fd, Sockptr buf, ulong count, long pos) => Positioned(fd, buf, count, pos, write: false);

    /// <summary><c>pwrite64(fd, buf, count, pos)</c></summary>
    [Linux("ksys_pwrite64")]
    public static long KsysPwrite64(int fd, Sockptr buf, ulong count, long pos) => Positioned(fd, buf, count, pos, write: true);

    /// <summary><c>lseek(fd, offset, whence)</c></summary>
    /// <returns>The new position, -ESPIPE for a file without positions, or another negative errno.</returns>
    [Linux("ksys_lseek")]
    public static long KsysLseek(int fd, long offset, uint whence)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = whence > SEEK_MAX ? -EINVAL : file.FOp.Llseek(file, offset, (int)whence);
        file.Fput();
        return ret;
    }

    /// <summary><c>fsync(fd)</c> and <c>fdatasync(fd)</c></summary>
    [Linux("do_fsync", "fs/sync.c")]
    public static int DoFsync(int fd)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        int ret = file.FOp.Fsync(file);
        file.Fput();
        return ret;
    }

    /// <summary><c>ftruncate(fd, length)</c></summary>
    [Linux("do_sys_ftruncate", "fs/open.c")]
    public static int DoSysFtruncate(int fd, long length)
    {
        if (length < 0)
            return -EINVAL;
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        int ret = file.CanWrite ? file.FOp.Ftruncate(file, length) : -EINVAL;
        file.Fput();
        return ret;
    }

    /// <summary><c>fstat(fd, statbuf)</c></summary>
    [Linux("__x64_sys_newfstat", "fs/stat.c")]
    public static int Newfstat(int fd, Sockptr statbuf)
    {
        int err = VfsFstat(fd, out Stat stat);
        return err < 0 ? err : statbuf.Put(stat);
    }

    /// <summary>What there is to know of an open file.</summary>
    [Linux("vfs_fstat", "fs/stat.c")]
    public static int VfsFstat(int fd, out Stat stat)
    {
        stat = new Stat { StNlink = 1, StBlksize = Pipe.PageSize };
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        stat.StUid = file.Cred?.Euid ?? 0;
        stat.StGid = file.Cred?.Egid ?? 0;
        file.FOp.Getattr(file, ref stat);
        file.Fput();
        return 0;
    }

    // Could the memory be the caller's at all, and is the length a possible one.
    private static int CheckArea(Sockptr buf, ulong count)
    {
        if (!Uaccess.AccessOk(buf, count))
            return -EFAULT;
        return (long)count < 0 ? -EINVAL : 0;
    }

    private static long Positioned(int fd, Sockptr buf, ulong count, long pos, bool write)
    {
        if (pos < 0)
            return -EINVAL;
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = -ESPIPE;
        if (file.FOp.CanSeek)
        {
            ret = (write ? file.CanWrite : file.CanRead) ? CheckArea(buf, count) : -EBADF;
            if (ret == 0)
            {
                IovIter iter = new(buf, Math.Min((long)count, Uaccess.MaxRwCount));
                ret = write ? file.FOp.WriteAt(file, ref iter, pos) : file.FOp.ReadAt(file, ref iter, pos);
            }
        }

        file.Fput();
        return ret;
    }

    private static long WithFlags(int fd, Sockptr vec, ulong vlen, long pos, int flags, bool write)
    {
        if (pos < -1)
            return -EINVAL;
        if (flags == 0)
            return Vectored(fd, vec, vlen, write, pos);
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        bool seekable = file.FOp.CanSeek;
        file.Fput();
        return pos >= 0 && !seekable ? -ESPIPE : -EOPNOTSUPP;
    }

    // With a position of -1 the file's own.
    private static long Vectored(int fd, Sockptr vec, ulong vlen, bool write, long pos)
    {
        TaskStruct task = TaskStruct.Current;
        File? file = task.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        long ret = VectoredOn(task, file, vec, vlen, write, pos);
        file.Fput();
        return ret;
    }

    private static long VectoredOn(TaskStruct task, File file, Sockptr vec, ulong vlen, bool write, long pos)
    {
        if (pos >= 0 && !file.FOp.CanSeek)
            return -ESPIPE;
        if (!(write ? file.CanWrite : file.CanRead))
            return -EBADF;
        if (!(write ? file.FOp.CanWriteIter : file.FOp.CanReadIter))
            return -EINVAL;
        FsThread thread = FsThread.Rent(task.Machine);
        long ret = VectoredOn(file, thread, vec, vlen, write, pos);
        thread.Return();
        return ret;
    }

    private static long VectoredOn(File file, FsThread thread, Sockptr vec, ulong vlen, bool write, long pos)
    {
        long total = Uaccess.ImportIovec(vec, vlen, ref thread.Iovecs, out IovIter iter);
        if (total <= 0)
            return total;
        if (pos >= 0)
            return write ? file.FOp.WriteAt(file, ref iter, pos) : file.FOp.ReadAt(file, ref iter, pos);
        if (write && file.FOp.WritesPieces)
            return DoLoopReadvWritev(file, vec.Mm, thread.Iovecs.AsSpan(0, (int)vlen));
        return write ? file.FOp.WriteIter(file, ref iter) : file.FOp.ReadIter(file, ref iter);
    }

    // Piece by piece, until one is not taken whole.
    [Linux("do_loop_readv_writev")]
    private static long DoLoopReadvWritev(File file, MmStruct? mm, ReadOnlySpan<Iovec> pieces)
    {
        long total = 0;
        foreach (Iovec piece in pieces)
        {
            if (piece.IovLen == 0)
                continue;
            IovIter one = new(new Sockptr(mm, piece.IovBase), (long)piece.IovLen);
            long ret = file.FOp.WriteIter(file, ref one);
            if (ret < 0)
                return total > 0 ? total : ret;
            total += ret;
            if (ret < (long)piece.IovLen)
                break;
        }

        return total;
    }
}
