using CsCheck;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Net;

public unsafe class IovIterTests
{
    [Fact]
    public void Copies_and_reverts_move_over_scattered_memory_as_over_one_piece() =>
        Gen.Select(Gen.Int[0, 50].Array[1, 6], Gen.Int[1, 60].Array[1, 10], Gen.Int[0, 60]).Sample((sizes, reads, back) =>
        {
            byte[] memory = new byte[sizes.Sum() + 1];
            for (int i = 0; i < memory.Length; i++)
                memory[i] = (byte)i;
            fixed (byte* start = memory)
            {
                Iovec[] segments = Segments(start, sizes);
                IovIter iter = new(null, segments, segments.Length);
                int position = 0;
                foreach (int want in reads)
                {
                    byte[] buffer = new byte[want];
                    int n = iter.CopyFrom(buffer);
                    Assert.Equal(Math.Min(want, sizes.Sum() - position), n);
                    Assert.Equal(memory.AsSpan(position, n), buffer.AsSpan(0, n));
                    position += n;
                    int revert = Math.Min(back, position);
                    iter.Revert(revert);
                    iter.Advance(revert);
                }

                Assert.Equal(sizes.Sum() - position, iter.Count);
            }
        });

    private static Iovec[] Segments(byte* start, int[] sizes)
    {
        Iovec[] segments = new Iovec[sizes.Length];
        for (int i = 0; i < sizes.Length; i++)
        {
            segments[i] = new Iovec { IovBase = (ulong)start, IovLen = (ulong)sizes[i] };
            start += sizes[i];
        }

        return segments;
    }
}
