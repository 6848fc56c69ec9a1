using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Linnet.Kernel;

/// <summary>
/// The machine's random numbers (<c>get_random_bytes</c>). The host gives the bytes when the machine boots: a seeded
/// generator where a run must repeat, the operating system's where peers must not predict.
/// </summary>
/// <param name="fill">Fills a span with random bytes; called with the source's lock held.</param>
public sealed class RandomSource(RandomSource.Fill fill)
{
    /// <summary>Fills <paramref name="destination"/> with random bytes.</summary>
    public delegate void Fill(Span<byte> destination);

    private Spinlock guard;

    /// <summary>Fills <paramref name="destination"/> with random bytes.</summary>
    public void GetBytes(Span<byte> destination)
    {
        guard.Lock();
        try
        {
            fill(destination);
        }
        finally
        {
            guard.Unlock();
        }
    }

    /// <summary>A uniform 32-bit number (<c>get_random_u32</c>).</summary>
    public uint NextU32()
    {
        Span<byte> bytes = stackalloc byte[4];
        GetBytes(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    /// <summary>A uniform 64-bit number (<c>get_random_u64</c>).</summary>
    public ulong NextU64()
    {
        Span<byte> bytes = stackalloc byte[8];
        GetBytes(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A number from 0 up to but excluding <paramref name="ceil"/> (<c>get_random_u32_below</c>).</summary>
    public uint NextBelow(uint ceil) => (uint)(((ulong)NextU32() * ceil) >> 32);
}
