using CsCheck;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Tests.Net;

/// <summary>A packet is compared with an array of bytes after each of a random run of operations.</summary>
public class SkBuffTests
{
    // The leak check counts what the pool has given out, so that samples cannot run side by side.
    private const int OneThread = 1;

    private readonly SkbPool pool = new();

    private static readonly Gen<int[]> Layouts = Gen.Int[1, 400].Array[1, 8];

    [Fact]
    public void Data_survives_any_run_of_operations() =>
        Gen.Select(Layouts, Gen.Select(Gen.Int[0, 6], Gen.Int[0, 3000]).Array[1, 30], Gen.Byte).Sample((layout, operations, fill) =>
        {
            (SkBuff skb, List<byte> model) = Build(layout, fill);
            foreach ((int operation, int argument) in operations)
            {
                Apply(ref skb, model, operation, argument);
                Assert.Equal(model, Content(skb));
            }

            skb.Free();
            AssertNothingLeaked();
        }, threads: OneThread);

    [Fact]
    public void Split_parts_hold_what_the_whole_held() =>
        Gen.Select(Layouts, Gen.Int[0, 3200]).Sample((layout, cut) =>
        {
            (SkBuff skb, List<byte> model) = Build(layout, 1);
            cut = Math.Min(cut, skb.Len);
            SkBuff rest = pool.Alloc(512 + skb.HeadLen);
            rest.Reserve(64);
            skb.Split(rest, cut);
            Assert.Equal(model.Take(cut), Content(skb));
            Assert.Equal(model.Skip(cut), Content(rest));
            skb.Free();
            rest.Free();
            AssertNothingLeaked();
        }, threads: OneThread);

    [Fact]
    public void Clone_keeps_its_data_when_the_original_is_trimmed()
    {
        (SkBuff skb, List<byte> model) = Build([100, 300, 200], 7);
        SkBuff clone = skb.Clone();
        skb.TrimHead(350);
        skb.Free();
        Assert.Equal(model, Content(clone));
        clone.Free();
        AssertNothingLeaked();
    }

    [Fact]
    public void Writing_to_a_clone_made_writable_leaves_the_original_alone()
    {
        (SkBuff skb, List<byte> model) = Build([100], 7);
        SkBuff clone = skb.Clone();
        clone.EnsureWritableHead(16);
        clone.Data.Fill(0xEE);
        Assert.Equal(model, Content(skb));
        clone.Free();
        skb.Free();
        AssertNothingLeaked();
    }

    [Fact]
    public void Coalescing_joins_the_data_and_empties_the_other() =>
        Gen.Select(Layouts, Layouts).Sample((first, second) =>
        {
            (SkBuff to, List<byte> model) = Build(first, 1);
            (SkBuff from, List<byte> more) = Build(second, 2);
            List<byte> expected = to.TryCoalesce(from, out int delta) ? [.. model, .. more] : model;
            Assert.Equal(expected, Content(to));
            Assert.True(delta >= 0);
            to.Free();
            from.Free();
            AssertNothingLeaked();
        }, threads: OneThread);

    [Fact]
    public void Checksum_over_head_and_fragments_equals_that_of_the_bytes() =>
        Layouts.Sample(layout =>
        {
            (SkBuff skb, List<byte> model) = Build(layout, 3);
            uint expected = Checksum.CsumPartial(model.ToArray(), 0);
            Assert.Equal(Checksum.CsumFold(expected), Checksum.CsumFold(skb.Checksum(0, skb.Len, 0)));
            skb.Free();
        }, threads: OneThread);

    [Fact]
    public void Pushing_beyond_the_headroom_is_a_bug_that_is_reported()
    {
        SkBuff skb = pool.Alloc(64);
        Assert.Throws<BugException>(() => skb.Push(1).Length);
        skb.Free();
    }

    private (SkBuff Skb, List<byte> Model) Build(int[] layout, byte fill)
    {
        SkBuff skb = pool.Alloc(64 + layout[0]);
        skb.Reserve(64);
        List<byte> model = [];
        Append(skb.Put(layout[0]), model, ref fill);
        foreach (int size in layout.Skip(1))
        {
            Page page = pool.Pages.Rent(size + 10);
            Append(page.Span(10, size), model, ref fill);
            skb.AddFrag(page, 10, size);
        }

        return (skb, model);
    }

    private static void Append(Span<byte> to, List<byte> model, ref byte fill)
    {
        for (int i = 0; i < to.Length; i++)
            to[i] = fill++;
        model.AddRange(to);
    }

    private static void Apply(ref SkBuff skb, List<byte> model, int operation, int argument)
    {
        switch (operation)
        {
            case 0:
                int kept = Math.Min(argument, skb.Len);
                skb.PskbTrim(kept);
                model.RemoveRange(kept, model.Count - kept);
                break;
            case 1:
                int pulled = Math.Min(argument, skb.Len);
                Assert.True(skb.PskbPull(pulled));
                model.RemoveRange(0, pulled);
                break;
            case 2:
                Assert.Equal(argument <= skb.Len, skb.PskbMayPull(argument));
                break;
            case 3:
                int trimmed = Math.Min(argument, skb.Len);
                skb.TrimHead(trimmed);
                model.RemoveRange(0, trimmed);
                break;
            case 4:
                SkBuff copy = skb.CopyHead(argument % 200);
                skb.Free();
                skb = copy;
                break;
            case 5:
                SkBuff clone = skb.Clone();
                skb.Free();
                skb = clone;
                break;
            default:
                skb.EnsureWritableHead(argument % 300, argument % 77);
                break;
        }
    }

    private static byte[] Content(SkBuff skb)
    {
        byte[] bytes = new byte[skb.Len];
        skb.CopyBits(0, bytes);
        return bytes;
    }

    private void AssertNothingLeaked()
    {
        Assert.Equal(0, pool.Outstanding);
        Assert.Equal(0, pool.Pages.Outstanding);
    }
}
