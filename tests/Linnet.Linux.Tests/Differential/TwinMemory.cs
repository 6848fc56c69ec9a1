using System.Runtime.InteropServices;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// The same memory twice: pages of this process for the host's kernel, and a copy that Linnet reaches under the same
/// addresses. What lies beyond its end faults on both sides.
/// </summary>
internal sealed unsafe partial class TwinMemory : MmStruct, IDisposable
{
    public const int Size = 256 * 1024;
    private const int Guard = 64 * 1024;

    private readonly byte* host;
    private readonly byte[] linnet = new byte[Size];

    public TwinMemory()
    {
        const int PROT_READ_WRITE = 3;
        const int MAP_PRIVATE_ANONYMOUS = 0x22;
        nint mapped = Mmap(0, Size + Guard, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        if (mapped == -1 || Mprotect(mapped + Size, Guard, 0) != 0)
            throw new InvalidOperationException("mmap failed");
        host = (byte*)mapped;
    }

    /// <summary>The first address.</summary>
    public ulong Base => (ulong)host;

    /// <summary>The first address that faults.</summary>
    public ulong End => Base + Size;

    public Span<byte> Host => new(host, Size);

    public Span<byte> Linnet => linnet;

    /// <summary>Makes both sides the same again, zero.</summary>
    public void Clear()
    {
        Host.Clear();
        linnet.AsSpan().Clear();
    }

    /// <summary>Writes to both sides.</summary>
    public void Write<T>(ulong address, T value)
        where T : unmanaged
    {
        MemoryMarshal.Write(Host[Offset(address)..], in value);
        MemoryMarshal.Write(Linnet[Offset(address)..], in value);
    }

    /// <summary>Writes to both sides.</summary>
    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Host[Offset(address)..]);
        bytes.CopyTo(Linnet[Offset(address)..]);
    }

    public T Read<T>(ulong address)
        where T : unmanaged => MemoryMarshal.Read<T>(Host[Offset(address)..]);

    /// <summary>Linnet's side becomes the host's.</summary>
    public void Agree() => Host.CopyTo(linnet);

    public override int CopyFromUser(Span<byte> destination, ulong address)
    {
        int n = Reachable(address, destination.Length);
        if (n > 0)
            linnet.AsSpan(Offset(address), n).CopyTo(destination);
        return destination.Length - n;
    }

    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        int n = Reachable(address, source.Length);
        if (n > 0)
            source[..n].CopyTo(linnet.AsSpan(Offset(address)));
        return source.Length - n;
    }

    public void Dispose() => Munmap((nint)host, Size + Guard);

    private int Offset(ulong address) => checked((int)(address - Base));

    private int Reachable(ulong address, int wanted) =>
        address < Base || address >= End ? 0 : (int)Math.Min((ulong)wanted, End - address);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Mmap(nint address, nint length, int prot, int flags, int fd, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Mprotect(nint address, nint length, int prot);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(nint address, nint length);
}
