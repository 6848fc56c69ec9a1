using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Moving data between files without a way through the program: <c>splice</c>, <c>tee</c>, <c>sendfile</c>.</summary>
[LinuxFile("fs/splice.c")]
public static class FsSplice
{
    // The pieces that one round of sendfile moves: what a pipe holds.
    private const int RoundBytes = Pipe.DefaultBuffers * Pipe.PageSize;

    /// <summary><c>splice(fd_in, off_in, fd_out, off_out, len, flags)</c></summary>
    /// <returns>Bytes moved, or a negative errno.</returns>
    [Linux("__x64_sys_splice")]
    public static long Splice(int fdIn, Sockptr offIn, int fdOut, Sockptr offOut, ulong len, uint flags)
    {
        if (len == 0)
            return 0;
        if ((flags & ~(uint)SPLICE_F_ALL) != 0)
            return -EINVAL;
        return WithFiles(fdIn, fdOut, (input, output) => DoSplice(input, offIn, output, offOut, (long)len, flags));
    }

    /// <summary><c>tee(fdin, fdout, len, flags)</c>: what is in one pipe appears in another too.</summary>
    [Linux("__x64_sys_tee")]
    public static long Tee(int fdin, int fdout, ulong len, uint flags)
    {
        if ((flags & ~(uint)SPLICE_F_ALL) != 0)
            return -EINVAL;
        if (len == 0)
            return 0;
        return WithFiles(fdin, fdout, (input, output) => DoTee(input, output, AnyLength((long)len), flags));
    }

    /// <summary><c>sendfile64(out_fd, in_fd, offset, count)</c></summary>
    /// <param name="outFd">Where to.</param>
    /// <param name="inFd">A file with positions.</param>
    /// <param name="offset">Where the position to begin at is, and the one after the last byte goes; null for the file's own.</param>
    /// <param name="count">Bytes.</param>
    [Linux("__x64_sys_sendfile64", "fs/read_write.c")]
    public static long Sendfile64(int outFd, int inFd, Sockptr offset, ulong count)
    {
        long pos = -1;
        if (!offset.IsNull && offset.Get(out pos) < 0)
            return -EFAULT;
        bool own = offset.IsNull;
        long ret = DoSendfile(outFd, inFd, own, ref pos, count);
        return !own && offset.Put(pos) < 0 ? -EFAULT : ret;
    }

    /// <summary>Moves bytes of a file with positions to another file.</summary>
    /// <param name="outFd">Where to.</param>
    /// <param name="inFd">Where from.</param>
    /// <param name="ownPosition">Whether to begin at the file's position, and move it.</param>
    /// <param name="pos">Otherwise where to begin; moved on.</param>
    /// <param name="count">Bytes.</param>
    /// <returns>Bytes, or a negative errno.</returns>
    [Linux("do_sendfile", "fs/read_write.c")]
    public static long DoSendfile(int outFd, int inFd, bool ownPosition, ref long pos, ulong count)
    {
        FilesStruct files = TaskStruct.Current.Files;
        File? input = files.Fget(inFd);
        if (input == null)
            return -EBADF;
        long ret = DoSendfile(files, input, outFd, ownPosition, ref pos, count);
        input.Fput();
        return ret;
    }

    private static long DoSendfile(FilesStruct files, File input, int outFd, bool ownPosition, ref long pos, ulong count)
    {
        if (!input.CanRead)
            return -EBADF;
        if (!ownPosition && !input.FOp.CanSeek)
            return -ESPIPE;
        long from = ownPosition ? input.FPos : pos;
        if (from < 0 || (long)count < 0)
            return -EINVAL;
        File? output = files.Fget(outFd);
        if (output == null)
            return -EBADF;
        long ret = -EBADF;
        bool possible = count == 0 ? input.FOp.CanLseek || Pipe.Of(output) != null : input.FOp.CanSeek;
        if (output.CanWrite)
            ret = possible ? SendRounds(input, output, ref from, Math.Min((long)count, Uaccess.MaxRwCount)) : -EINVAL;
        output.Fput();
        if (ret <= 0)
            return ret;
        if (ownPosition)
            input.FPos = from;
        else
            pos = from;
        return ret;
    }

    private static long SendRounds(File input, File output, ref long pos, long count)
    {
        Page page = input.Machine.Pages.Rent(RoundBytes);
        long sent = 0;
        long ret = 0;
        while (sent < count)
        {
            IovIter room = new(page.Pointer(0), Math.Min(RoundBytes, count - sent));
            long got = ret = input.FOp.ReadAt(input, ref room, pos);
            if (got <= 0)
            {
                if (sent > 0)
                    output.FOp.SpliceEof(output);
                break;
            }

            IovIter data = new(page.Pointer(0), got);
            ret = output.FOp.WriteSpliced(output, ref data, more: sent + got < count);
            if (ret <= 0)
                break;
            sent += ret;
            pos += ret;
            if (ret < got)
                break;
        }

        page.Put();
        return sent > 0 ? sent : ret;
    }

    /// <summary>
    /// A <see cref="FileOperations.SpliceRead"/> for files that can only be read: the data is copied once, into pages that
    /// then belong to the pipe.
    /// </summary>
    [Linux("copy_splice_read")]
    public static long CopySpliceRead(File file, Pipe pipe, long length, uint flags)
    {
        length = Math.Min(length, (long)pipe.FreeSlots * Pipe.PageSize);
        if (length == 0)
            return 0;
        Page page = file.Machine.Pages.Rent((int)Math.Min(length, RoundBytes));
        IovIter room = new(page.Pointer(0), Math.Min(length, page.Size));
        long got = file.FOp.ReadIter(file, ref room);
        if (got > 0)
        {
            int taken = pipe.Append(page.Span(0, (int)got));

            // Only room was read that the pipe had; somebody else may have filled it meanwhile, or left.
            got = taken;
        }

        page.Put();
        return got;
    }

    /// <summary>A <see cref="FileOperations.SpliceWrite"/> for files that can be written: piece by piece.</summary>
    [Linux("iter_file_splice_write")]
    public static long IterFileSpliceWrite(File file, Pipe pipe, long length, uint flags)
    {
        long moved = 0;
        while (moved < length)
        {
            long ret = SpliceFromPipeNext(pipe, moved > 0, flags);
            if (ret <= 0)
                return moved > 0 ? moved : ret;
            if (!pipe.TryTake((int)Math.Min(length - moved, int.MaxValue), out PipeBuffer piece))
                continue;
            IovIter data = new(piece.Page.Pointer(piece.Offset), piece.Len);
            bool more = (flags & SPLICE_F_MORE) != 0 || (moved + piece.Len < length && !pipe.IsEmpty);
            ret = file.FOp.WriteSpliced(file, ref data, more);
            int written = (int)Math.Max(ret, 0);
            moved += written;
            if (written == piece.Len)
            {
                piece.Page.Put();
                continue;
            }

            piece.Offset += written;
            piece.Len -= written;
            pipe.PutBack(piece);
            return moved > 0 ? moved : ret;
        }

        return moved;
    }

    /// <summary>Waits until there is something to take out of a pipe.</summary>
    /// <param name="pipe">The pipe.</param>
    /// <param name="movedSome">Whether the caller has something to return with, and so will not wait.</param>
    /// <param name="flags"><c>SPLICE_F_NONBLOCK</c>.</param>
    /// <returns>1, 0 at the end, or -EAGAIN or -EINTR.</returns>
    [Linux("splice_from_pipe_next")]
    public static int SpliceFromPipeNext(Pipe pipe, bool movedSome, uint flags)
    {
        while (pipe.IsEmpty)
        {
            if (!pipe.HasWriters || movedSome)
                return 0;
            if ((flags & SPLICE_F_NONBLOCK) != 0)
                return -EAGAIN;
            int err = pipe.WaitFor(pipe.RdWait, static p => !p.IsEmpty || !p.HasWriters);
            if (err < 0)
                return err;
        }

        return 1;
    }

    // The checks of __do_splice and do_splice, in their order.
    [Linux("__do_splice")]
    private static long DoSplice(File input, Sockptr offIn, File output, Sockptr offOut, long length, uint flags)
    {
        Pipe? ipipe = Pipe.Of(input);
        Pipe? opipe = Pipe.Of(output);
        if ((ipipe != null && !offIn.IsNull) || (opipe != null && !offOut.IsNull))
            return -ESPIPE;
        long outPos = -1, inPos = -1;
        if (!offOut.IsNull && offOut.Get(out outPos) < 0)
            return -EFAULT;
        if (!offIn.IsNull && offIn.Get(out inPos) < 0)
            return -EFAULT;
        if (!input.CanRead || !output.CanWrite)
            return -EBADF;
        if (ipipe != null && opipe != null)
            return SplicePipeToPipe(input, ipipe, output, opipe, AnyLength(length), flags);
        if (length < 0)
            return -EINVAL;
        if (ipipe != null)
            return PipeToFile(input, ipipe, output, offOut, outPos, length, flags);
        return opipe != null ? SpliceFileToPipe(input, offIn, inPos, output, opipe, length, flags) : -EINVAL;
    }

    private static long PipeToFile(
        File input, Pipe ipipe, File output, Sockptr offOut, long outPos, long length, uint flags)
    {
        if (!offOut.IsNull && !output.FOp.CanSeek)
            return -EINVAL;
        if ((output.FFlags & O_APPEND) != 0)
            return -EINVAL;
        if ((input.FFlags & O_NONBLOCK) != 0)
            flags |= SPLICE_F_NONBLOCK;
        if (!output.FOp.CanSeek)
            return output.FOp.SpliceWrite(output, ipipe, Math.Min(length, Uaccess.MaxRwCount), flags);
        if (offOut.IsNull)
            return IterFileSpliceWrite(output, ipipe, length, flags);
        long saved = output.FPos;
        output.FPos = outPos;
        long ret = IterFileSpliceWrite(output, ipipe, length, flags);
        long end = output.FPos;
        output.FPos = saved;
        return offOut.Put(end) < 0 ? -EFAULT : ret;
    }

    [Linux("splice_file_to_pipe")]
    private static long SpliceFileToPipe(
        File input, Sockptr offIn, long inPos, File output, Pipe opipe, long length, uint flags)
    {
        if (!offIn.IsNull && !input.FOp.CanSeek)
            return -EINVAL;
        if ((output.FFlags & O_NONBLOCK) != 0)
            flags |= SPLICE_F_NONBLOCK;
        int err = WaitForSpace(opipe, flags);
        if (err < 0)
            return err;
        length = Math.Min(length, Uaccess.MaxRwCount);
        if (!input.FOp.CanSeek)
            return input.FOp.SpliceRead(input, opipe, length, flags);
        if (offIn.IsNull)
            return CopySpliceRead(input, opipe, length, flags);
        long saved = input.FPos;
        input.FPos = inPos;
        long ret = CopySpliceRead(input, opipe, length, flags);
        long end = input.FPos;
        input.FPos = saved;
        return offIn.Put(end) < 0 ? -EFAULT : ret;
    }

    [Linux("splice_pipe_to_pipe")]
    private static long SplicePipeToPipe(File input, Pipe ipipe, File output, Pipe opipe, long length, uint flags)
    {
        if (ipipe == opipe)
            return -EINVAL;
        if (((input.FFlags | output.FFlags) & O_NONBLOCK) != 0)
            flags |= SPLICE_F_NONBLOCK;
        int ready = SpliceFromPipeNext(ipipe, movedSome: false, flags);
        if (ready < 0)
            return ready;
        int err = WaitForSpace(opipe, flags);
        if (err < 0 || ready == 0)
            return err;
        long moved = 0;
        while (moved < length && ipipe.TryTake((int)Math.Min(length - moved, int.MaxValue), out PipeBuffer piece))
        {
            err = opipe.AppendPage(piece.Page, piece.Offset, piece.Len);
            if (err == 0)
            {
                moved += piece.Len;
                continue;
            }

            ipipe.PutBack(piece);
            break;
        }

        return moved > 0 ? moved : err;
    }

    [Linux("do_tee")]
    private static long DoTee(File input, File output, long length, uint flags)
    {
        Pipe? ipipe = Pipe.Of(input);
        Pipe? opipe = Pipe.Of(output);
        if (!input.CanRead || !output.CanWrite)
            return -EBADF;
        if (ipipe == null || opipe == null || ipipe == opipe)
            return -EINVAL;
        if (((input.FFlags | output.FFlags) & O_NONBLOCK) != 0)
            flags |= SPLICE_F_NONBLOCK;
        int ready = SpliceFromPipeNext(ipipe, movedSome: false, flags);
        if (ready < 0)
            return ready;
        int err = WaitForSpace(opipe, flags);
        return err < 0 || ready == 0 ? err : ipipe.LinkPipe(opipe, length);
    }

    [Linux("wait_for_space")]
    private static int WaitForSpace(Pipe pipe, uint flags)
    {
        while (true)
        {
            if (!pipe.HasReaders)
            {
                TaskStruct.Current.SendSignal(SIGPIPE);
                return -EPIPE;
            }

            if (!pipe.IsFull)
                return 0;
            if ((flags & SPLICE_F_NONBLOCK) != 0)
                return -EAGAIN;
            int err = pipe.WaitFor(pipe.WrWait, static p => !p.IsFull || !p.HasReaders);
            if (err < 0)
                return err;
        }
    }

    // Between pipes the length is unsigned, and nobody looks whether it is too long.
    private static long AnyLength(long length) => length < 0 ? long.MaxValue : length;

    private static long WithFiles(int fdIn, int fdOut, Func<File, File, long> call)
    {
        FilesStruct files = TaskStruct.Current.Files;
        File? input = files.Fget(fdIn);
        if (input == null)
            return -EBADF;
        File? output = files.Fget(fdOut);
        if (output == null)
        {
            input.Fput();
            return -EBADF;
        }

        long ret = call(input, output);
        output.Fput();
        input.Fput();
        return ret;
    }
}
