using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>A file in the machine's memory, without a name (<c>memfd_create</c>): what <c>sendfile</c> sends from.</summary>
public sealed class MemFile
{
    private const int ChunkSize = 64 * 1024;
    private const int MaxNameLength = 249;
    private const uint MFD_CLOEXEC = 1;

    private readonly Lock mutex = new();
    private readonly Dictionary<long, byte[]> chunks = [];
    private readonly long ino;
    private long length;

    private MemFile(long ino) => this.ino = ino;

    /// <summary><c>memfd_create(name, flags)</c> for the calling task.</summary>
    /// <param name="name">What the file is called in <c>/proc</c>; at most 249 bytes.</param>
    /// <param name="flags"><c>MFD_CLOEXEC</c>; seals and huge pages are not there.</param>
    /// <returns>A descriptor or a negative errno.</returns>
    [Linux("__x64_sys_memfd_create", "mm/memfd.c")]
    public static int MemfdCreate(string name, uint flags)
    {
        if ((flags & ~MFD_CLOEXEC) != 0 || name.Length > MaxNameLength)
            return -EINVAL;
        TaskStruct task = TaskStruct.Current;
        int fd = task.Files.GetUnusedFdFlags((flags & MFD_CLOEXEC) != 0 ? O_CLOEXEC : 0);
        if (fd < 0)
            return fd;
        int err = FileTable.AllocFilePseudo(
            task.Machine, Operations.Instance, new MemFile(PipeLimits.Of(task.Machine).NextIno()), O_RDWR | O_LARGEFILE, out File? file);
        if (err < 0)
        {
            task.Files.PutUnusedFd(fd);
            return err;
        }

        task.Files.FdInstall(fd, file!);
        return fd;
    }

    private long Read(ref IovIter to, long pos)
    {
        lock (mutex)
        {
            long done = 0;
            while (to.Count > 0 && pos < length)
            {
                int within = (int)(pos % ChunkSize);
                int wanted = (int)Math.Min(Math.Min(ChunkSize - within, length - pos), to.Count);
                ReadOnlySpan<byte> data = chunks.TryGetValue(pos / ChunkSize, out byte[]? chunk) ? chunk : Zeros;
                int copied = to.CopyTo(data.Slice(within, wanted));
                done += copied;
                pos += copied;
                if (copied < wanted)
                    return done > 0 ? done : -EFAULT;
            }

            return done;
        }
    }

    private long Write(ref IovIter from, long pos)
    {
        lock (mutex)
        {
            if (from.Count > long.MaxValue - pos)
                return -EFBIG;
            long done = 0;
            while (from.Count > 0)
            {
                int within = (int)(pos % ChunkSize);
                int wanted = (int)Math.Min(ChunkSize - within, from.Count);
                if (!chunks.TryGetValue(pos / ChunkSize, out byte[]? chunk))
                    chunks.Add(pos / ChunkSize, chunk = new byte[ChunkSize]);
                int copied = from.CopyFrom(chunk.AsSpan(within, wanted));
                done += copied;
                pos += copied;
                length = Math.Max(length, pos);
                if (copied < wanted)
                    return done > 0 ? done : -EFAULT;
            }

            return done;
        }
    }

    private void Truncate(long newLength)
    {
        lock (mutex)
        {
            if (newLength < length)
            {
                foreach (long index in chunks.Keys.Where(index => index * ChunkSize >= newLength).ToArray())
                    chunks.Remove(index);
                if (chunks.TryGetValue(newLength / ChunkSize, out byte[]? last))
                    last.AsSpan((int)(newLength % ChunkSize)).Clear();
            }

            length = newLength;
        }
    }

    private static readonly byte[] Zeros = new byte[ChunkSize];

    private sealed class Operations : FileOperations
    {
        public static readonly Operations Instance = new();

        public override bool CanPoll => false;

        public override bool CanSeek => true;

        public override long ReadIter(File file, ref IovIter to) => Move(file, ReadAt(file, ref to, file.FPos));

        public override long WriteIter(File file, ref IovIter from)
        {
            if ((file.FFlags & O_APPEND) != 0)
                file.FPos = Of(file).length;
            return Move(file, WriteAt(file, ref from, file.FPos));
        }

        public override long ReadAt(File file, ref IovIter to, long pos) => Of(file).Read(ref to, pos);

        public override long WriteAt(File file, ref IovIter from, long pos) => Of(file).Write(ref from, pos);

        [Linux("shmem_file_llseek", "mm/shmem.c")]
        public override long Llseek(File file, long offset, int whence)
        {
            MemFile mem = Of(file);
            long pos;
            switch (whence)
            {
                case SEEK_SET:
                    pos = offset;
                    break;
                case SEEK_CUR:
                    pos = file.FPos + offset;
                    break;
                case SEEK_END:
                    pos = mem.length + offset;
                    break;
                default:
                    // Holes are not told apart: the file is data up to its end, where the one hole begins.
                    if (offset < 0 || offset >= mem.length)
                        return -ENXIO;
                    pos = whence == SEEK_DATA ? offset : mem.length;
                    break;
            }

            return pos < 0 ? -EINVAL : file.FPos = pos;
        }

        public override int Fsync(File file) => 0;

        // What file_ioctl knows of every regular file.
        public override int Ioctl(File file, uint cmd, Sockptr arg) =>
            cmd == FIONREAD ? arg.Put((int)(Of(file).length - file.FPos)) : -ENOIOCTLCMD;

        public override int Ftruncate(File file, long length)
        {
            Of(file).Truncate(length);
            return 0;
        }

        public override void Getattr(File file, ref Stat stat)
        {
            MemFile mem = Of(file);
            stat.StMode = S_IFREG | S_IRWXU | S_IRWXG | S_IRWXO;
            stat.StNlink = 0;
            stat.StIno = (ulong)mem.ino;
            stat.StSize = mem.length;
            stat.StBlocks = mem.chunks.Count * (ChunkSize / 512);
        }

        private static MemFile Of(File file) => (MemFile)file.PrivateData!;

        private static long Move(File file, long moved)
        {
            if (moved > 0)
                file.FPos += moved;
            return moved;
        }
    }
}
