using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>
/// An open file (<c>struct file</c>): what descriptors refer to. It lives until the last descriptor and the last running
/// call let go of it.
/// </summary>
[LinuxStruct("file")]
[LinuxFile("fs/file_table.c")]
public sealed class File : TaskWork
{
    private int count = 1;
    private int flags;

    /// <summary>Opens a file; the caller holds the only reference.</summary>
    /// <param name="machine">The machine that it is open on; its open files are counted against <c>fs.file-max</c>.</param>
    /// <param name="operations">What can be done with it.</param>
    /// <param name="privateData">What the operations work on.</param>
    /// <param name="flags">Open flags, <c>O_*</c>.</param>
    internal File(Machine machine, FileOperations operations, object? privateData, int flags)
    {
        Machine = machine;
        FOp = operations;
        PrivateData = privateData;
        this.flags = flags;
        Cred = Cpu.This.Task?.Cred;
        machine.FilesStat.Count(1);
    }

    /// <summary>The machine that the file is open on.</summary>
    public Machine Machine { get; }

    /// <summary>What can be done with the file.</summary>
    public FileOperations FOp { get; }

    /// <summary>What the operations work on; for a socket file the socket.</summary>
    public object? PrivateData { get; internal set; }

    /// <summary>Open flags, <c>O_*</c> (<c>f_flags</c>).</summary>
    public int FFlags
    {
        get => Volatile.Read(ref flags);
        internal set => Volatile.Write(ref flags, value);
    }

    /// <summary>Whether reading is allowed by how the file was opened.</summary>
    public bool CanRead => (FFlags & O_ACCMODE) is O_RDONLY or O_RDWR;

    /// <summary>Whether writing is allowed by how the file was opened.</summary>
    public bool CanWrite => (FFlags & O_ACCMODE) is O_WRONLY or O_RDWR;

    /// <summary>Credentials of the opener (<c>f_cred</c>); null for files of the kernel.</summary>
    public Cred? Cred { get; }

    /// <summary>Where the next read or write of a seekable file begins, in bytes (<c>f_pos</c>); guarded by the kind of file.</summary>
    public long FPos { get; internal set; }

    /// <summary>References held.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Takes a reference (<c>get_file</c>).</summary>
    public File Get()
    {
        Interlocked.Increment(ref count);
        return this;
    }

    /// <summary>Takes a reference unless the last one is gone already.</summary>
    public bool TryGet()
    {
        while (true)
        {
            int seen = Volatile.Read(ref count);
            if (seen == 0)
                return false;
            if (Interlocked.CompareExchange(ref count, seen + 1, seen) == seen)
                return true;
        }
    }

    /// <summary>Gives a reference back; the last one releases the file (<c>fput</c>).</summary>
    [Linux("fput")]
    public void Fput()
    {
        int left = Interlocked.Decrement(ref count);
        Bug.On(left < 0);
        if (left == 0)
            FileTable.FputCore(this);
    }

    /// <summary>
    /// Gives a reference back with locks held: if it was the last, the file is released when the thread leaves the kernel, as
    /// Linux does with every <c>fput</c>.
    /// </summary>
    public void FputLater()
    {
        int left = Interlocked.Decrement(ref count);
        Bug.On(left < 0);
        if (left == 0)
            Cpu.This.AddTaskWork(this);
    }

    /// <inheritdoc/>
    protected internal override void RunTaskWork() => FileTable.FputCore(this);

    // Who gets SIGIO (f_owner); null until somebody asked for it.
    internal FownStruct? FOwner;

    // The epoll items that watch the file (f_ep). Guarded by epLock, as the next is.
    internal Spinlock EpLock;
    internal Epitem? FEp;

    internal FownStruct Owner => FOwner ?? Interlocked.CompareExchange(ref FOwner, new FownStruct(), null) ?? FOwner;

    internal void SetFlag(int flag, bool on)
    {
        if (on)
            Interlocked.Or(ref flags, flag);
        else
            Interlocked.And(ref flags, ~flag);
    }

    // F_SETFL changes some flags and must not lose what FIOASYNC does to another at the same time.
    internal void ReplaceFlags(int mask, int value)
    {
        int seen;
        do
            seen = Volatile.Read(ref flags);
        while (Interlocked.CompareExchange(ref flags, (seen & ~mask) | (value & mask), seen) != seen);
    }
}

/// <summary>
/// The operations of one kind of file (<c>struct file_operations</c>). Reading and writing block as the file's
/// <c>O_NONBLOCK</c> says.
/// </summary>
[LinuxStruct("file_operations")]
public abstract class FileOperations
{
    /// <summary>Reads from the stream (<c>read_iter</c>).</summary>
    /// <returns>Bytes read, 0 at the end, or a negative errno.</returns>
    public virtual long ReadIter(File file, ref IovIter to) => -EINVAL;

    /// <summary>Writes to the stream (<c>write_iter</c>).</summary>
    /// <returns>Bytes written or a negative errno.</returns>
    public virtual long WriteIter(File file, ref IovIter from) => -EINVAL;

    /// <summary>Says what is ready and, given a table, registers for what is not (<c>poll</c>).</summary>
    /// <returns>A mask of <c>EPOLL*</c>.</returns>
    public virtual uint Poll(File file, PollTable? wait) => EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;

    /// <summary>Device-specific request (<c>unlocked_ioctl</c>).</summary>
    /// <returns>0 or more, or a negative errno; -ENOTTY or -ENOIOCTLCMD for a request that the file does not know.</returns>
    public virtual int Ioctl(File file, uint cmd, Sockptr arg) => -ENOTTY;

    /// <summary>Whether the file can be read at all (<c>FMODE_CAN_READ</c>).</summary>
    public virtual bool CanReadIter => true;

    /// <summary>Whether the file can be written at all (<c>FMODE_CAN_WRITE</c>).</summary>
    public virtual bool CanWriteIter => true;

    /// <summary>Whether each piece of a vectored write is a write of its own: the file has only a <c>write</c>.</summary>
    public virtual bool WritesPieces => false;

    /// <summary>Whether the file has a <see cref="Poll"/> of its own: epoll refuses others (<c>file_can_poll</c>).</summary>
    public virtual bool CanPoll => true;

    /// <summary>Whether the file has positions (<c>FMODE_PREAD</c>, <c>FMODE_PWRITE</c>).</summary>
    public virtual bool CanSeek => false;

    /// <summary>Whether seeking is allowed (<c>FMODE_LSEEK</c>), even if it has no effect.</summary>
    public virtual bool CanLseek => CanSeek;

    /// <summary>Reads from a position (<c>read_iter</c> with <c>ki_pos</c>); only where <see cref="CanSeek"/>.</summary>
    public virtual long ReadAt(File file, ref IovIter to, long pos) => -ESPIPE;

    /// <summary>Writes to a position (<c>write_iter</c> with <c>ki_pos</c>); only where <see cref="CanSeek"/>.</summary>
    public virtual long WriteAt(File file, ref IovIter from, long pos) => -ESPIPE;

    /// <summary>Moves the position (<c>llseek</c>); only where <see cref="CanSeek"/>.</summary>
    public virtual long Llseek(File file, long offset, int whence) => -ESPIPE;

    /// <summary>Makes what was written durable (<c>fsync</c>).</summary>
    public virtual int Fsync(File file) => -EINVAL;

    /// <summary>Changes the length of a regular file (<c>setattr</c> with <c>ATTR_SIZE</c>).</summary>
    public virtual int Ftruncate(File file, long length) => -EINVAL;

    /// <summary>Fills in what <c>fstat</c> tells of this kind of file: mode, inode number, size.</summary>
    public virtual void Getattr(File file, ref Stat stat) => stat.StMode = S_IRUSR | S_IWUSR;

    /// <summary>Moves data into a pipe (<c>splice_read</c>).</summary>
    public virtual long SpliceRead(File file, Pipe pipe, long length, uint flags) => -EINVAL;

    /// <summary>Moves data out of a pipe (<c>splice_write</c>).</summary>
    public virtual long SpliceWrite(File file, Pipe pipe, long length, uint flags) => -EINVAL;

    /// <summary>Writes one piece of a splice or of <c>sendfile</c>.</summary>
    /// <param name="file">The file.</param>
    /// <param name="data">The piece.</param>
    /// <param name="more">Whether more follows at once, so that the file may wait for it.</param>
    /// <returns>Bytes written or a negative errno.</returns>
    public virtual long WriteSpliced(File file, ref IovIter data, bool more) => WriteIter(file, ref data);

    /// <summary>What was said to follow does not come (<c>splice_eof</c>).</summary>
    public virtual void SpliceEof(File file)
    {
    }

    /// <summary>Called at each close of a descriptor (<c>flush</c>).</summary>
    public virtual int Flush(File file) => 0;

    /// <summary>Called when the last reference is gone (<c>release</c>).</summary>
    public virtual void Release(File file)
    {
    }

    /// <summary>Turns SIGIO delivery on or off for the descriptor (<c>fasync</c>).</summary>
    /// <returns>0 or more, or a negative errno; -ENOTTY for a file that sends none.</returns>
    public virtual int Fasync(int fd, File file, bool on) => -ENOTTY;

    /// <summary>Writes the lines of <c>/proc/PID/fdinfo/FD</c> that are this kind's own (<c>show_fdinfo</c>).</summary>
    public virtual void ShowFdinfo(StringBuilder output, File file)
    {
    }
}

/// <summary>
/// Where a poll registers the queues that it would wait on (<c>struct poll_table_struct</c>); a kind of file calls
/// <see cref="PollWait"/> for each queue before it looks at its state.
/// </summary>
[LinuxStruct("poll_table_struct")]
public abstract class PollTable
{
    /// <summary>The events that the poller cares about; files may leave out the work for others.</summary>
    public uint Key { get; set; } = uint.MaxValue;

    /// <summary>Registers with <paramref name="queue"/> (<c>poll_wait</c>).</summary>
    public abstract void PollWait(File? file, WaitQueueHead queue);
}
