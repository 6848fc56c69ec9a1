using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// The memory of the program that a script stands for: what the pointers of its calls lead to. Addresses that were not given out
/// cannot be read, so that <c>NULL</c> and the like answer EFAULT.
/// </summary>
internal sealed class ScriptMemory : MmStruct
{
    private const ulong Start = 0x10000;
    private const ulong Gap = 0x1000;

    private readonly SortedList<ulong, byte[]> areas = [];
    private ulong next = Start;

    /// <summary>Room for <paramref name="length"/> zero bytes, and for one where that is none: there is something at every address.</summary>
    public ulong Alloc(int length)
    {
        ulong address = next;
        areas.Add(address, new byte[Math.Max(length, 1)]);
        next += ((ulong)length + Gap) & ~(Gap - 1);
        next += Gap;
        return address;
    }

    /// <summary>A copy of <paramref name="content"/>.</summary>
    public ulong Store(ReadOnlySpan<byte> content)
    {
        ulong address = Alloc(content.Length);
        content.CopyTo(At(address));
        return address;
    }

    /// <summary>A copy of a structure.</summary>
    public ulong Store<T>(in T value)
        where T : unmanaged => Store(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>What was allocated at <paramref name="address"/>, from there to its end.</summary>
    public Span<byte> At(ulong address) =>
        Find(address) is { } area ? area.Bytes.AsSpan((int)(address - area.Start)) : throw new ArgumentOutOfRangeException(nameof(address));

    /// <summary>Reads a structure that was stored.</summary>
    public T Load<T>(ulong address)
        where T : unmanaged => Unsafe.ReadUnaligned<T>(in MemoryMarshal.GetReference(At(address)[..Unsafe.SizeOf<T>()]));

    /// <summary>Gives an area back.</summary>
    public void Free(ulong address) => areas.Remove(address);

    /// <inheritdoc/>
    public override int CopyFromUser(Span<byte> destination, ulong address)
    {
        if (Find(address) is not { } area)
            return destination.Length;
        ReadOnlySpan<byte> source = area.Bytes.AsSpan((int)(address - area.Start));
        int length = Math.Min(source.Length, destination.Length);
        source[..length].CopyTo(destination);
        return destination.Length - length;
    }

    /// <inheritdoc/>
    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        if (Find(address) is not { } area)
            return source.Length;
        Span<byte> destination = area.Bytes.AsSpan((int)(address - area.Start));
        int length = Math.Min(source.Length, destination.Length);
        source[..length].CopyTo(destination);
        return source.Length - length;
    }

    // The area in which an address lies, by halving: the last that begins at or before it.
    private (ulong Start, byte[] Bytes)? Find(ulong address)
    {
        int low = 0;
        int high = areas.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            ulong start = areas.GetKeyAtIndex(middle);
            byte[] bytes = areas.GetValueAtIndex(middle);
            if (address < start)
                high = middle - 1;
            else if (address >= start + (ulong)bytes.Length)
                low = middle + 1;
            else
                return (start, bytes);
        }

        return null;
    }
}
