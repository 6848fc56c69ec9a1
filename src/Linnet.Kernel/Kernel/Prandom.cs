using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// A fast generator of numbers that need not be secret (<c>struct rnd_state</c>): L'Ecuyer's combined Tausworthe generator
/// LFSR113. The same seed gives the numbers that it gives in Linux.
/// </summary>
[LinuxStruct("rnd_state")]
[LinuxFile("lib/random32.c")]
public struct Prandom
{
    private uint s1;
    private uint s2;
    private uint s3;
    private uint s4;

    /// <summary>Begins anew (<c>prandom_seed_state</c>).</summary>
    public void Seed(ulong seed)
    {
        uint i = (uint)((seed >> 32) ^ (seed << 10) ^ seed);
        s1 = AtLeast(i, 2);
        s2 = AtLeast(i, 8);
        s3 = AtLeast(i, 16);
        s4 = AtLeast(i, 128);
    }

    /// <summary>A uniform 32-bit number (<c>prandom_u32_state</c>).</summary>
    public uint NextU32()
    {
        s1 = Tausworthe(s1, 6, 13, 4294967294, 18);
        s2 = Tausworthe(s2, 2, 27, 4294967288, 2);
        s3 = Tausworthe(s3, 13, 21, 4294967280, 7);
        s4 = Tausworthe(s4, 3, 12, 4294967168, 13);
        return s1 ^ s2 ^ s3 ^ s4;
    }

    // The four parts need this many bits that are not all zero.
    private static uint AtLeast(uint value, uint least) => value < least ? value + least : value;

    private static uint Tausworthe(uint s, int a, int b, uint c, int d) => ((s & c) << d) ^ (((s << a) ^ s) >> b);
}
