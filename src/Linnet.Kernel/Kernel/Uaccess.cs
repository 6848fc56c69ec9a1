using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>Checks and copies at the border to a task's memory that are not about one value (<c>uaccess.h</c>).</summary>
public static class Uaccess
{
    /// <summary>The end of the addresses that a program on x86-64 can have (<c>TASK_SIZE_MAX</c>).</summary>
    public const ulong TaskSizeMax = 0x7fff_ffff_f000;

    /// <summary>The largest transfer of one call (<c>MAX_RW_COUNT</c>): longer ones are cut to it.</summary>
    public const long MaxRwCount = int.MaxValue & ~4095L;

    /// <summary>Whether so many bytes could lie in a program's memory at all (<c>access_ok</c>).</summary>
    public static bool AccessOk(Sockptr pointer, ulong size) =>
        pointer.Mm == null || (size <= TaskSizeMax && pointer.Address <= TaskSizeMax - size);

    /// <summary>Where a pointer that the current task passed leads.</summary>
    public static Sockptr User(ulong address) => new(TaskStruct.Current.Mm, address);

    /// <summary>Makes an iterator over the pieces of memory of a vectored call.</summary>
    /// <param name="vector">Where the <c>iovec</c>s are.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="scratch">Reused room for them; grows when it is too small, and belongs to the iterator while that lives.</param>
    /// <param name="iter">The iterator, over at most <see cref="MaxRwCount"/> bytes.</param>
    /// <returns>Bytes, -EINVAL for more than 1024 pieces or a negative length, or -EFAULT.</returns>
    [Linux("import_iovec", "lib/iov_iter.c")]
    public static long ImportIovec(Sockptr vector, ulong count, ref Iovec[] scratch, out IovIter iter)
    {
        iter = default;
        if (count > UIO_MAXIOV)
            return -EINVAL;
        int segments = (int)count;
        if (scratch.Length < segments)
            scratch = new Iovec[Math.Max(segments, UIO_FASTIOV)];
        Span<Iovec> pieces = scratch.AsSpan(0, segments);
        if (vector.CopyFrom(MemoryMarshal.AsBytes(pieces)) < 0)
            return -EFAULT;
        foreach (ref Iovec piece in pieces)
        {
            if ((long)piece.IovLen < 0)
                return -EINVAL;
        }

        long total = 0;
        foreach (ref Iovec piece in pieces)
        {
            if (!AccessOk(new Sockptr(vector.Mm, piece.IovBase), piece.IovLen))
                return -EFAULT;
            piece.IovLen = Math.Min(piece.IovLen, (ulong)(MaxRwCount - total));
            total += (long)piece.IovLen;
        }

        iter = new IovIter(vector.Mm, scratch, segments);
        return total;
    }
}
