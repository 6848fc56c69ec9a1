using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// An address space (<c>struct mm_struct</c>): where the pointers that a system call was given lead. It may be memory of
/// this process, of another one, or a model of one in a test.
/// </summary>
[LinuxStruct("mm_struct")]
public abstract class MmStruct
{
    /// <summary>Copies from the address space (<c>copy_from_user</c>).</summary>
    /// <returns>How many bytes could <em>not</em> be copied; the rest of <paramref name="destination"/> is untouched.</returns>
    public abstract int CopyFromUser(Span<byte> destination, ulong address);

    /// <summary>Copies into the address space (<c>copy_to_user</c>).</summary>
    /// <returns>How many bytes could <em>not</em> be copied.</returns>
    public abstract int CopyToUser(ulong address, ReadOnlySpan<byte> source);
}
