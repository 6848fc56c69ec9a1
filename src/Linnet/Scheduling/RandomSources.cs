using System.Buffers.Binary;
using System.Security.Cryptography;
using Linnet.Kernel;

namespace Linnet;

/// <summary>Random numbers for machines.</summary>
public static class RandomSources
{
    /// <summary>Numbers that repeat with the seed: SplitMix64. Whoever sees some of them can predict the others.</summary>
    public static RandomSource Seeded(ulong seed)
    {
        ulong state = seed;
        return new RandomSource(destination =>
        {
            Span<byte> word = stackalloc byte[sizeof(ulong)];
            while (!destination.IsEmpty)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(word, Next(ref state));
                int length = Math.Min(destination.Length, word.Length);
                word[..length].CopyTo(destination);
                destination = destination[length..];
            }
        });
    }

    /// <summary>The operating system's numbers, which nobody can predict.</summary>
    public static RandomSource System() => new(RandomNumberGenerator.Fill);

    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E37_79B9_7F4A_7C15;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }
}
