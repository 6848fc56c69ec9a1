using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>
/// A table of descriptors (<c>struct files_struct</c>), shared by the tasks that were cloned with <c>CLONE_FILES</c>.
/// Looking up a descriptor takes no lock; changes are made under one.
/// </summary>
[LinuxStruct("files_struct")]
[LinuxFile("fs/file.c")]
public sealed partial class FilesStruct
{
    private const int BitsPerWord = 64;
    private const int InitialDescriptors = 64;

    private readonly Machine machine;

    // Guards everything below; readers of the table go by the volatile reference to it.
    private Spinlock fileLock;
    private volatile Fdtable fdt = new(InitialDescriptors);
    private int nextFd;
    private int sharers = 1;

    internal FilesStruct(Machine machine) => this.machine = machine;

    /// <summary>How many descriptors the table has room for before it grows; what <c>select</c> cuts its sets to.</summary>
    public int MaxFds => fdt.MaxFds;

    /// <summary>The open descriptors, lowest first; a snapshot (<c>/proc/PID/fd</c>).</summary>
    public IReadOnlyList<int> OpenDescriptors
    {
        get
        {
            List<int> open = [];
            Fdtable table = fdt;
            for (int fd = 0; fd < table.MaxFds; fd++)
            {
                if (Volatile.Read(ref table.Files[fd]) != null)
                    open.Add(fd);
            }

            return open;
        }
    }

    /// <summary>Reserves the lowest free descriptor for the current task, within its <c>RLIMIT_NOFILE</c>.</summary>
    /// <param name="flags"><c>O_CLOEXEC</c> or 0.</param>
    /// <returns>The descriptor, to be given to <see cref="FdInstall"/> or <see cref="PutUnusedFd"/>; or -EMFILE.</returns>
    [Linux("get_unused_fd_flags")]
    public int GetUnusedFdFlags(int flags) => AllocFd(0, TaskStruct.Current.Rlimits.Nofile, flags);

    /// <summary>Gives back a descriptor that was reserved and not installed.</summary>
    [Linux("put_unused_fd")]
    public void PutUnusedFd(int fd)
    {
        fileLock.Lock();
        PutUnusedFdLocked(fd);
        fileLock.Unlock();
    }

    /// <summary>Puts a file behind a reserved descriptor, which takes over the caller's reference.</summary>
    [Linux("fd_install")]
    public void FdInstall(int fd, File file)
    {
        fileLock.Lock();
        Fdtable table = fdt;
        bool free = table.Files[fd] == null && table.IsOpen(fd);
        if (free)
            Volatile.Write(ref table.Files[fd], file);
        fileLock.Unlock();
        Bug.On(!free);
    }

    /// <summary>The file behind a descriptor with a reference, which the caller gives back with <see cref="File.Fput"/>.</summary>
    /// <returns>The file, or null for a descriptor that is not open.</returns>
    public File? Fget(int fd)
    {
        while (true)
        {
            Fdtable table = fdt;
            if ((uint)fd >= (uint)table.MaxFds)
                return null;
            File? file = Volatile.Read(ref table.Files[fd]);
            if (file == null)
                return null;

            // A reference is only worth something if the descriptor still leads to the file after it was taken:
            // otherwise the file may have been closed, and the descriptor reused, in between.
            if (!file.TryGet())
                continue;
            if (fdt == table && Volatile.Read(ref table.Files[fd]) == file)
                return file;
            file.Fput();
        }
    }

    /// <summary>Whether the descriptor is open or reserved.</summary>
    internal bool IsOpen(int fd)
    {
        Fdtable table = fdt;
        return (uint)fd < (uint)table.MaxFds && table.IsOpen(fd);
    }

    /// <summary>Closes a descriptor (<c>close</c>). Calls that still run on the file keep it alive until they return.</summary>
    /// <returns>0, -EBADF, or what the file's flush returned.</returns>
    [Linux("close_fd")]
    public int CloseFd(int fd)
    {
        fileLock.Lock();
        File? file = FileCloseFdLocked(fd);
        fileLock.Unlock();
        return file == null ? -EBADF : FilpClose(file);
    }

    [Linux("filp_close", "fs/open.c")]
    private static int FilpClose(File file)
    {
        int ret = file.FOp.Flush(file);
        file.Fput();
        return ret;
    }

    /// <summary>Reserves the lowest free descriptor from <paramref name="start"/> on.</summary>
    /// <returns>The descriptor, or -EMFILE when it would have to be <paramref name="end"/> or more.</returns>
    [Linux("alloc_fd")]
    internal int AllocFd(int start, int end, int flags)
    {
        fileLock.Lock();
        Fdtable table = fdt;
        int fd = Math.Max(start, nextFd);
        if (fd < table.MaxFds)
            fd = table.FindNextFd(fd);
        if (fd >= end || (fd >= table.MaxFds && ExpandFiles(fd) < 0))
        {
            fileLock.Unlock();
            return -EMFILE;
        }

        table = fdt;
        if (start <= nextFd)
            nextFd = fd + 1;
        table.SetOpen(fd, (flags & O_CLOEXEC) != 0);
        Bug.On(table.Files[fd] != null);
        fileLock.Unlock();
        return fd;
    }

    private File? FileCloseFdLocked(int fd)
    {
        Fdtable table = fdt;
        if ((uint)fd >= (uint)table.MaxFds)
            return null;
        File? file = table.Files[fd];
        if (file == null)
            return null;
        Volatile.Write(ref table.Files[fd], null);
        PutUnusedFdLocked(fd);
        return file;
    }

    private void PutUnusedFdLocked(int fd)
    {
        fdt.ClearOpen(fd);
        if (fd < nextFd)
            nextFd = fd;
    }

    // Makes room for a descriptor. Readers of the old table see that it was replaced and look again.
    [Linux("expand_files")]
    private int ExpandFiles(int fd)
    {
        Fdtable table = fdt;
        if (fd < table.MaxFds)
            return 0;
        if (fd >= machine.FilesStat.NrOpen)
            return -EMFILE;
        fdt = new Fdtable(table, (int)Math.Max(BitOperations.RoundUpToPowerOf2((uint)fd + 1), 256));
        return 0;
    }

    /// <summary>The arrays of a <see cref="FilesStruct"/> (<c>struct fdtable</c>); replaced by larger ones when it grows.</summary>
    [LinuxStruct("fdtable")]
    private sealed class Fdtable
    {
        public readonly int MaxFds;
        public readonly File?[] Files;
        private readonly ulong[] openFds;
        private readonly ulong[] closeOnExec;

        // A bit for each word of openFds that has no zero left, so that the search for a free one skips 4096 at a time.
        private readonly ulong[] fullFdsBits;

        public Fdtable(int maxFds)
        {
            MaxFds = maxFds;
            Files = new File?[maxFds];
            openFds = new ulong[maxFds / BitsPerWord];
            closeOnExec = new ulong[maxFds / BitsPerWord];
            fullFdsBits = new ulong[(openFds.Length + BitsPerWord - 1) / BitsPerWord];
        }

        public Fdtable(Fdtable old, int maxFds)
            : this(maxFds)
        {
            int copied = Math.Min(old.MaxFds, maxFds);
            Array.Copy(old.Files, Files, copied);
            Array.Copy(old.openFds, openFds, copied / BitsPerWord);
            Array.Copy(old.closeOnExec, closeOnExec, copied / BitsPerWord);
            for (int word = 0; word < openFds.Length; word++)
            {
                if (openFds[word] == ulong.MaxValue)
                    fullFdsBits[word / BitsPerWord] |= Bit(word);
            }
        }

        public bool IsOpen(int fd) => (openFds[fd / BitsPerWord] & Bit(fd)) != 0;

        public bool IsCloseOnExec(int fd) => (closeOnExec[fd / BitsPerWord] & Bit(fd)) != 0;

        public int WordCount => openFds.Length;

        public ulong OpenWord(int word) => openFds[word];

        public ulong CloseOnExecWord(int word) => closeOnExec[word] & openFds[word];

        public void SetOpen(int fd, bool cloexec)
        {
            int word = fd / BitsPerWord;
            openFds[word] |= Bit(fd);
            if (openFds[word] == ulong.MaxValue)
                fullFdsBits[word / BitsPerWord] |= Bit(word);
            SetCloseOnExec(fd, cloexec);
        }

        public void SetCloseOnExec(int fd, bool on)
        {
            if (on)
                closeOnExec[fd / BitsPerWord] |= Bit(fd);
            else
                closeOnExec[fd / BitsPerWord] &= ~Bit(fd);
        }

        public void ClearOpen(int fd)
        {
            int word = fd / BitsPerWord;
            openFds[word] &= ~Bit(fd);
            fullFdsBits[word / BitsPerWord] &= ~Bit(word);
        }

        /// <summary>The lowest descriptor from <paramref name="start"/> on that is free, or at least MaxFds.</summary>
        public int FindNextFd(int start)
        {
            int word = start / BitsPerWord;
            ulong free = ~openFds[word] & (ulong.MaxValue << (start % BitsPerWord));
            if (free != 0)
                return word * BitsPerWord + BitOperations.TrailingZeroCount(free);
            word = NextWordWithRoom(word + 1);
            return word >= openFds.Length
                ? MaxFds
                : word * BitsPerWord + BitOperations.TrailingZeroCount(~openFds[word]);
        }

        private int NextWordWithRoom(int word)
        {
            for (int group = word / BitsPerWord; group < fullFdsBits.Length; group++)
            {
                ulong room = ~fullFdsBits[group];
                if (group == word / BitsPerWord)
                    room &= ulong.MaxValue << (word % BitsPerWord);
                if (room != 0)
                    return group * BitsPerWord + BitOperations.TrailingZeroCount(room);
            }

            return openFds.Length;
        }

        private static ulong Bit(int index) => 1UL << (index % BitsPerWord);
    }
}
