using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// A pointer that a caller gave: into the memory of a task, or into this process's own (<c>sockptr_t</c>). Own memory has
/// to be pinned by the caller for as long as the pointer is used.
/// </summary>
/// <param name="mm">The address space, or null for this process's own memory, which is trusted.</param>
/// <param name="address">The address in it.</param>
[LinuxStruct("sockptr_t")]
public readonly unsafe struct Sockptr(MmStruct? mm, ulong address)
{
    /// <summary>The address space, or null for this process's own memory.</summary>
    public MmStruct? Mm { get; } = mm;

    /// <summary>The address.</summary>
    public ulong Address { get; } = address;

    /// <summary>Whether this is the null pointer.</summary>
    public bool IsNull => Address == 0;

    /// <summary>A pointer to pinned memory of this process (<c>KERNEL_SOCKPTR</c>).</summary>
    public static Sockptr Kernel(void* pinned) => new(null, (ulong)pinned);

    /// <summary>A pointer to the first byte of an array that was allocated pinned.</summary>
    public static Sockptr Pinned(byte[]? array) =>
        array is { Length: > 0 } ? Kernel(Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array))) : default;

    /// <summary>The pointer <paramref name="offset"/> bytes on.</summary>
    public Sockptr Add(int offset) => new(Mm, Address + (ulong)offset);

    /// <summary>Copies from where the pointer leads (<c>copy_from_sockptr</c>).</summary>
    /// <returns>0 or -EFAULT.</returns>
    public int CopyFrom(Span<byte> destination)
    {
        if (destination.IsEmpty)
            return 0;
        if (Mm != null)
            return Mm.CopyFromUser(destination, Address) == 0 ? 0 : -EFAULT;
        if (IsNull)
            return -EFAULT;
        new ReadOnlySpan<byte>((void*)Address, destination.Length).CopyTo(destination);
        return 0;
    }

    /// <summary>Copies a string, which may be longer than the room (<c>strncpy_from_sockptr</c>); what lies behind it need not be there.</summary>
    /// <returns>How many bytes of it were copied, without its end, or -EFAULT.</returns>
    public int CopyStringFrom(Span<byte> destination)
    {
        int missing = 0;
        if (Mm != null)
            missing = Mm.CopyFromUser(destination, Address);
        else if (CopyFrom(destination) < 0)
            return -EFAULT;
        int end = destination[..^missing].IndexOf((byte)0);
        return end >= 0 ? end : missing > 0 ? -EFAULT : destination.Length;
    }

    /// <summary>Copies to where the pointer leads (<c>copy_to_sockptr</c>).</summary>
    /// <returns>0 or -EFAULT.</returns>
    public int CopyTo(ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
            return 0;
        if (Mm != null)
            return Mm.CopyToUser(Address, source) == 0 ? 0 : -EFAULT;
        if (IsNull)
            return -EFAULT;
        source.CopyTo(new Span<byte>((void*)Address, source.Length));
        return 0;
    }

    /// <summary>Reads a value (<c>get_user</c>).</summary>
    /// <returns>0 or -EFAULT.</returns>
    public int Get<T>(out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);
        return CopyFrom(MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Writes a value (<c>put_user</c>).</summary>
    /// <returns>0 or -EFAULT.</returns>
    public int Put<T>(T value)
        where T : unmanaged => CopyTo(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}
