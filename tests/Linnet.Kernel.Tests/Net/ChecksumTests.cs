using CsCheck;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Tests.Net;

public class ChecksumTests
{
    [Fact]
    public void Sum_of_the_example_of_rfc_1071_is_right()
    {
        byte[] data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        Assert.Equal(unchecked((ushort)~0xddf2), Checksum.CsumFold(Checksum.CsumPartial(data, 0)));
    }

    [Fact]
    public void Sum_equals_that_of_words_added_one_by_one() =>
        Gen.Byte.Array[0, 4000].Sample(data => Assert.Equal(Naive(data), Checksum.CsumFold(Checksum.CsumPartial(data, 0))));

    [Fact]
    public void Blocks_can_be_summed_apart_wherever_the_cut_is() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.Int[0, 300]).Sample((data, cut) =>
        {
            cut = Math.Min(cut, data.Length);
            uint first = Checksum.CsumPartial(data.AsSpan(0, cut), 0);
            uint second = Checksum.CsumPartial(data.AsSpan(cut), 0);
            Assert.Equal(Naive(data), Checksum.CsumFold(Checksum.CsumBlockAdd(first, second, cut)));
        });

    [Fact]
    public void All_ones_do_not_overflow_the_vector_sums()
    {
        byte[] data = new byte[1 << 20];
        Array.Fill(data, (byte)0xFF);
        Assert.Equal(Naive(data), Checksum.CsumFold(Checksum.CsumPartial(data, 0)));
    }

    private static ushort Naive(byte[] data)
    {
        ulong sum = 0;
        for (int i = 0; i < data.Length; i += 2)
            sum += (uint)(data[i] << 8 | (i + 1 < data.Length ? data[i + 1] : 0));
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~sum;
    }
}
