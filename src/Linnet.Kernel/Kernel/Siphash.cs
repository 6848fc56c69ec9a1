using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>The secret of a keyed hash (<c>siphash_key_t</c>).</summary>
/// <param name="Key0">First half.</param>
/// <param name="Key1">Second half.</param>
[LinuxStruct("siphash_key_t")]
public readonly record struct SiphashKey(ulong Key0, ulong Key1)
{
    /// <summary>A random secret.</summary>
    public static SiphashKey New(RandomSource random) => new(random.NextU64(), random.NextU64());
}

/// <summary>
/// SipHash (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): SipHash-2-4 where peers see values that they must not
/// predict, SipHash-1-3 where they must only not choose hash buckets.
/// </summary>
[LinuxFile("lib/siphash.c")]
public static class Siphash
{
    /// <summary>SipHash-2-4 of bytes.</summary>
    public static ulong Hash(ReadOnlySpan<byte> data, in SiphashKey key)
    {
        State s = new(key);
        int length = data.Length;
        while (data.Length >= 8)
        {
            s.Absorb2(BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[8..];
        }

        ulong last = (ulong)length << 56;
        for (int i = 0; i < data.Length; i++)
            last |= (ulong)data[i] << (8 * i);
        s.Absorb2(last);
        return s.Finish4();
    }

    /// <summary>SipHash-2-4 of 16 bytes, given as two little-endian words.</summary>
    public static ulong Hash2(ulong first, ulong second, in SiphashKey key)
    {
        State s = new(key);
        s.Absorb2(first);
        s.Absorb2(second);
        s.Absorb2(16UL << 56);
        return s.Finish4();
    }

    /// <summary>SipHash-1-3 of 16 bytes, given as two little-endian words; for hash tables.</summary>
    public static uint Hsiphash2(ulong first, ulong second, in SiphashKey key)
    {
        State s = new(key);
        s.Absorb1(first);
        s.Absorb1(second);
        s.Absorb1(16UL << 56);
        ulong hash = s.Finish3();
        return (uint)(hash ^ (hash >> 32));
    }

    private struct State
    {
        private ulong v0;
        private ulong v1;
        private ulong v2;
        private ulong v3;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public State(in SiphashKey key)
        {
            v0 = key.Key0 ^ 0x736f6d6570736575;
            v1 = key.Key1 ^ 0x646f72616e646f6d;
            v2 = key.Key0 ^ 0x6c7967656e657261;
            v3 = key.Key1 ^ 0x7465646279746573;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb2(ulong word)
        {
            v3 ^= word;
            Round();
            Round();
            v0 ^= word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Absorb1(ulong word)
        {
            v3 ^= word;
            Round();
            v0 ^= word;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Finish4()
        {
            v2 ^= 0xff;
            Round();
            Round();
            Round();
            Round();
            return v0 ^ v1 ^ v2 ^ v3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public ulong Finish3()
        {
            v2 ^= 0xff;
            Round();
            Round();
            Round();
            return v0 ^ v1 ^ v2 ^ v3;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Round()
        {
            v0 += v1;
            v2 += v3;
            v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
            v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
            v0 = BitOperations.RotateLeft(v0, 32);
            v2 += v1;
            v0 += v3;
            v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
            v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
            v2 = BitOperations.RotateLeft(v2, 32);
        }
    }
}
