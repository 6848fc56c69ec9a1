using Linnet.Kernel;

namespace Linnet.Cli.Programs;

/// <summary>The memory of the program: what the pointers of its calls lead to. A call's memory is free after it.</summary>
internal sealed class ProgramMemory : MmStruct
{
    private const ulong Start = 0x10000;
    private readonly byte[] bytes = new byte[4 << 20];
    private int used;

    /// <summary>Frees everything.</summary>
    public void Reset() => used = 0;

    /// <summary>Room for <paramref name="length"/> zero bytes.</summary>
    public ulong Alloc(int length)
    {
        if (length > bytes.Length - used - 8)
            throw new UsageException($"the program's memory has no room for {length} bytes");
        ulong address = Start + (ulong)used;
        bytes.AsSpan(used, length).Clear();
        used = (used + length + 8) & ~7;
        return address;
    }

    /// <summary>A copy of <paramref name="content"/>.</summary>
    public ulong Store(ReadOnlySpan<byte> content)
    {
        ulong address = Alloc(content.Length);
        content.CopyTo(At(address, content.Length));
        return address;
    }

    /// <summary>Memory that was allocated.</summary>
    public Span<byte> At(ulong address, int length) => bytes.AsSpan((int)(address - Start), length);

    /// <inheritdoc/>
    public override int CopyFromUser(Span<byte> destination, ulong address)
    {
        int length = Readable(address, destination.Length);
        if (length > 0)
            At(address, length).CopyTo(destination);
        return destination.Length - length;
    }

    /// <inheritdoc/>
    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        int length = Readable(address, source.Length);
        if (length > 0)
            source[..length].CopyTo(At(address, length));
        return source.Length - length;
    }

    private int Readable(ulong address, int length) =>
        address < Start || address >= Start + (ulong)bytes.Length ? 0 : (int)Math.Min((ulong)length, Start + (ulong)bytes.Length - address);
}
