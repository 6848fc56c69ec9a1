using System.Runtime.CompilerServices;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Comparison of sequence numbers modulo 2^32 (RFC 9293 3.4).</summary>
public static class TcpSeq
{
    /// <summary>Whether <paramref name="seq1"/> comes before <paramref name="seq2"/> (<c>before</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Before(uint seq1, uint seq2) => (int)(seq1 - seq2) < 0;

    /// <summary>Whether <paramref name="seq2"/> comes after <paramref name="seq1"/> (<c>after</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool After(uint seq2, uint seq1) => Before(seq1, seq2);

    /// <summary>Whether <paramref name="seq2"/> ≤ <paramref name="seq1"/> ≤ <paramref name="seq3"/> (<c>between</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Between(uint seq1, uint seq2, uint seq3) => seq3 - seq2 >= seq1 - seq2;
}
