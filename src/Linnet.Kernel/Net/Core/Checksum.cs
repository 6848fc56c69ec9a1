using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The Internet checksum (RFC 1071). Partial sums are 32-bit ones' complement sums of big-endian 16-bit words, so that
/// they can be added in any order; folded sums are what stands in a header, read big-endian.
/// </summary>
public static class Checksum
{
    private const int UdpChecksumOffset = 6;

    /// <summary>Adds <paramref name="data"/>, which has to begin at an even offset of what is summed, to <paramref name="sum"/>.</summary>
    public static uint CsumPartial(ReadOnlySpan<byte> data, uint sum)
    {
        // Words are added in the machine's order: the sum of swapped words is the swapped sum (RFC 1071 section 2 (B)).
        ulong total = 0;
        ref byte at = ref MemoryMarshal.GetReference(data);
        int length = data.Length;
        int i = 0;
        if (Vector256.IsHardwareAccelerated && length >= 64)
            total = SumVectors(ref at, length, ref i);

        for (; i + 8 <= length; i += 8)
        {
            ulong word = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref at, i));
            total += (word & 0xFFFFFFFF) + (word >> 32);
        }

        for (; i + 2 <= length; i += 2)
            total += Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref at, i));
        if (i < length)
            total += BitConverter.IsLittleEndian ? Unsafe.Add(ref at, i) : (uint)Unsafe.Add(ref at, i) << 8;
        uint folded = FoldTo16(total);
        if (BitConverter.IsLittleEndian)
            folded = BinaryPrimitives.ReverseEndianness((ushort)folded);
        return CsumAdd(sum, folded);
    }

    /// <summary>The ones' complement sum of two partial sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint CsumAdd(uint a, uint b)
    {
        uint sum = a + b;
        return sum + (sum < b ? 1u : 0u);
    }

    /// <summary><paramref name="a"/> without <paramref name="b"/> that was added to it before.</summary>
    public static uint CsumSub(uint a, uint b) => CsumAdd(a, ~b);

    /// <summary>Adds the partial sum of a block that begins at <paramref name="offset"/> of the whole.</summary>
    public static uint CsumBlockAdd(uint sum, uint block, int offset) =>
        CsumAdd(sum, (offset & 1) != 0 ? BitOperations.RotateRight(block, 8) : block);

    /// <summary>The checksum that belongs into the header: the complement of the sum, folded to 16 bits.</summary>
    public static ushort CsumFold(uint sum) => (ushort)~FoldTo16(sum);

    /// <summary>
    /// The checksum as it is sent: UDP's zero would mean "none", so that its equal in ones' complement stands for it (RFC 768).
    /// TCP's stays, as readers of captures take 0xFFFF there for an error (RFC 1624).
    /// </summary>
    /// <param name="folded">The checksum.</param>
    /// <param name="csumOffset">Where in the transport header it stands, by which UDP is known.</param>
    public static ushort CsumMangle(ushort folded, int csumOffset) =>
        folded == 0 && csumOffset == UdpChecksumOffset ? (ushort)0xFFFF : folded;

    /// <summary>Adds the pseudo header of TCP or UDP over IPv4 to a partial sum.</summary>
    /// <param name="saddr">Source address, host order.</param>
    /// <param name="daddr">Destination address, host order.</param>
    /// <param name="length">Bytes of transport header and data.</param>
    /// <param name="protocol"><c>IPPROTO_*</c></param>
    /// <param name="sum">Sum so far.</param>
    public static uint CsumTcpudpNofold(uint saddr, uint daddr, int length, int protocol, uint sum)
    {
        ulong total = (ulong)sum + saddr + daddr + (uint)length + (uint)protocol;
        total = (total & 0xFFFFFFFF) + (total >> 32);
        return (uint)((total & 0xFFFFFFFF) + (total >> 32));
    }

    /// <summary>The folded checksum over the pseudo header and <paramref name="sum"/>; see <see cref="CsumTcpudpNofold"/>.</summary>
    public static ushort CsumTcpudpMagic(uint saddr, uint daddr, int length, int protocol, uint sum) =>
        CsumFold(CsumTcpudpNofold(saddr, daddr, length, protocol, sum));

    private static uint FoldTo16(ulong sum)
    {
        sum = (sum & 0xFFFFFFFF) + (sum >> 32);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (uint)sum;
    }

    // 32-bit words widened to 64-bit lanes, in four chains so that the additions overlap.
    private static ulong SumVectors(ref byte at, int length, ref int i)
    {
        Vector256<ulong> a = default, b = default, c = default, d = default;
        for (; i + 64 <= length; i += 64)
        {
            Vector256<uint> first = Vector256.LoadUnsafe(ref Unsafe.Add(ref at, i)).AsUInt32();
            Vector256<uint> second = Vector256.LoadUnsafe(ref Unsafe.Add(ref at, i + 32)).AsUInt32();
            (Vector256<ulong> low, Vector256<ulong> high) = Vector256.Widen(first);
            a += low;
            b += high;
            (low, high) = Vector256.Widen(second);
            c += low;
            d += high;
        }

        // Lanes hold sums of at most 2^32 words of 32 bits, which cannot overflow 64 bits here.
        Vector256<ulong> all = (a + b) + (c + d);
        return FoldTo16(all[0]) + (ulong)FoldTo16(all[1]) + FoldTo16(all[2]) + FoldTo16(all[3]);
    }
}
