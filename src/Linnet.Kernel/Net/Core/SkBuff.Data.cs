using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Reading, trimming and moving a packet's data over head and fragments.</content>
public sealed partial class SkBuff
{
    /// <summary>
    /// Makes the first <paramref name="length"/> bytes of data lie in the head, moving them out of fragments where needed
    /// (<c>pskb_may_pull</c>).
    /// </summary>
    /// <returns>False when the packet is shorter than that.</returns>
    public bool PskbMayPull(int length)
    {
        if (length <= HeadLen)
            return true;
        if (length > Len)
            return false;
        PullTail(length - HeadLen);
        return true;
    }

    /// <summary>Takes bytes off the beginning of the data, wherever they lie (<c>pskb_pull</c>).</summary>
    /// <returns>False when the packet is shorter than that.</returns>
    public bool PskbPull(int bytes)
    {
        if (!PskbMayPull(bytes))
            return false;
        Pull(bytes);
        return true;
    }

    /// <summary>Cuts the data off behind <paramref name="length"/> bytes (<c>pskb_trim</c>); longer than the data is nothing to do.</summary>
    [Linux("___pskb_trim")]
    public void PskbTrim(int length)
    {
        if (length >= Len)
            return;
        int keepInFrags = Math.Max(0, length - HeadLen);
        int kept = 0;
        int count = 0;
        for (int i = 0; i < NrFrags; i++)
        {
            int size = Math.Min(frags[i].Size, keepInFrags - kept);
            if (size > 0)
            {
                frags[i].Size = size;
                kept += size;
                count++;
            }
            else
            {
                frags[i].Page.Put();
                frags[i] = default;
            }
        }

        NrFrags = count;
        if (length < HeadLen)
            tail = data + length;
        DataLen = kept;
        Len = length;
    }

    /// <summary>
    /// Takes bytes off the beginning of a packet whose head holds no data that matters beyond them, giving fragments back
    /// as they empty (<c>__pskb_trim_head</c>). Fragments that are shared are not written.
    /// </summary>
    public void TrimHead(int bytes)
    {
        Bug.On(bytes > Len);
        int fromHead = Math.Min(bytes, HeadLen);
        data += fromHead;
        Len -= bytes;
        TakeFromFrags(bytes - fromHead);
    }

    /// <summary>
    /// Moves the data from <paramref name="offset"/> on to the end of <paramref name="to"/>, which has no data behind its
    /// head yet (<c>skb_split</c>). What lies in fragments moves without being copied.
    /// </summary>
    public void Split(SkBuff to, int offset)
    {
        int headPart = HeadLen - offset;
        if (headPart > 0)
        {
            Data[offset..].CopyTo(to.Put(headPart));
            offset = HeadLen;
        }

        int position = HeadLen;
        int keep = 0;
        for (int i = 0; i < NrFrags; i++)
        {
            SkbFrag frag = frags[i];
            int end = position + frag.Size;
            if (end <= offset)
            {
                keep++;
            }
            else if (position >= offset)
            {
                to.AddFrag(frag.Page, frag.Offset, frag.Size);
                frags[i] = default;
            }
            else
            {
                int first = offset - position;
                frag.Page.Get();
                to.AddFrag(frag.Page, frag.Offset + first, frag.Size - first);
                frags[i].Size = first;
                keep++;
            }

            position = end;
        }

        NrFrags = keep;
        int newLength = headPart > 0 ? HeadLen - headPart : offset;
        if (headPart > 0)
            tail -= headPart;
        Len = newLength;
        DataLen = Len - (tail - data);
    }

    /// <summary>Shares the data from <paramref name="offset"/> on, <paramref name="length"/> bytes, with <paramref name="to"/>.</summary>
    /// <remarks>What lies in the head is copied; fragments are shared. Used to cut segments out of a large packet.</remarks>
    public void ShareRange(SkBuff to, int offset, int length)
    {
        int fromHead = Math.Min(length, HeadLen - offset);
        if (fromHead > 0)
        {
            Data.Slice(offset, fromHead).CopyTo(to.Put(fromHead));
            offset += fromHead;
            length -= fromHead;
        }

        int position = HeadLen;
        for (int i = 0; i < NrFrags && length > 0; i++)
        {
            ref SkbFrag frag = ref frags[i];
            int skip = offset - position;
            position += frag.Size;
            if (skip >= frag.Size)
                continue;
            int size = Math.Min(frag.Size - skip, length);
            frag.Page.Get();
            to.AddFrag(frag.Page, frag.Offset + skip, size);
            offset += size;
            length -= size;
        }

        Bug.On(length > 0);
    }

    /// <summary>
    /// Appends the data of <paramref name="from"/> without copying what lies in its fragments (<c>skb_try_coalesce</c>). Its
    /// fragments are gone then; its lengths stay, and nothing is left to do with it but to free it.
    /// </summary>
    /// <returns>False, with nothing changed, when there is no room or the data cannot be moved.</returns>
    public bool TryCoalesce(SkBuff from, out int deltaTruesize)
    {
        deltaTruesize = 0;
        int fromHead = from.HeadLen;
        if (from.Len <= Tailroom && !IsCloned)
        {
            from.CopyBits(0, Put(from.Len));
            return true;
        }

        if (fromHead != 0 && (NrFrags + from.NrFrags + 1 > MaxFrags))
            return false;
        if (NrFrags + from.NrFrags > MaxFrags)
            return false;
        if (fromHead != 0)
        {
            from.head!.Get();
            AddFrag(from.head, from.data, fromHead);
            deltaTruesize = from.Truesize - TruesizeOverhead;
        }
        else
        {
            deltaTruesize = Math.Max(0, from.Truesize - TruesizeOf(0));
        }

        for (int i = 0; i < from.NrFrags; i++)
        {
            SkbFrag frag = from.frags[i];
            if (NrFrags > 0 && Joins(frags[NrFrags - 1], frag))
            {
                GrowLastFrag(frag.Size);
                frag.Page.Put();
            }
            else
            {
                AddFrag(frag.Page, frag.Offset, frag.Size);
            }

            from.frags[i] = default;
        }

        from.NrFrags = 0;
        return true;
    }

    /// <summary>
    /// Moves the first <paramref name="length"/> bytes, which have to lie in fragments, to the end of <paramref name="to"/>
    /// (<c>skb_shift</c>). The memory that they stand for moves with them.
    /// </summary>
    /// <returns>False, with nothing changed, when there is no room or the data lies in the head.</returns>
    public bool ShiftTo(SkBuff to, int length)
    {
        if (IsZerocopy || to.IsZerocopy)
            return false;
        Bug.On(length > Len);
        if (HeadLen != 0 || NrFrags == 0)
            return false;
        int touched = 0;
        for (int bytes = 0; bytes < length; touched++)
            bytes += frags[touched].Size;
        bool joins = to.NrFrags > 0 && Joins(to.frags[to.NrFrags - 1], frags[0]);
        if (to.NrFrags + touched - (joins ? 1 : 0) > MaxFrags)
            return false;
        for (int i = 0, left = length; i < touched; i++)
        {
            int size = Math.Min(left, frags[i].Size);
            left -= size;
            if (i == 0 && joins)
            {
                to.GrowLastFrag(size);
                continue;
            }

            frags[i].Page.Get();
            to.AddFrag(frags[i].Page, frags[i].Offset, size);
        }

        Len -= length;
        TakeFromFrags(length);
        to.Truesize += length;
        Truesize -= length;
        return true;
    }

    /// <summary>Copies data out of the packet (<c>skb_copy_bits</c>); the range has to lie inside of it.</summary>
    public void CopyBits(int offset, Span<byte> destination)
    {
        int fromHead = Math.Min(destination.Length, HeadLen - offset);
        if (fromHead > 0)
        {
            Data.Slice(offset, fromHead).CopyTo(destination);
            offset += fromHead;
            destination = destination[fromHead..];
        }

        int position = HeadLen;
        for (int i = 0; i < NrFrags && !destination.IsEmpty; i++)
        {
            Span<byte> source = frags[i].Span;
            int skip = offset - position;
            position += source.Length;
            if (skip >= source.Length)
                continue;
            int size = Math.Min(source.Length - skip, destination.Length);
            source.Slice(skip, size).CopyTo(destination);
            offset += size;
            destination = destination[size..];
        }

        Bug.On(!destination.IsEmpty);
    }

    /// <summary>Copies data to the caller's memory (<c>skb_copy_datagram_iter</c>); the range has to lie inside of the packet.</summary>
    /// <returns>0, or -EFAULT when the memory ends or cannot be written.</returns>
    public int CopyDatagramIter(int offset, ref IovIter to, int length)
    {
        int fromHead = Math.Min(length, HeadLen - offset);
        if (fromHead > 0)
        {
            if (to.CopyTo(Data.Slice(offset, fromHead)) != fromHead)
                return -EFAULT;
            offset += fromHead;
            length -= fromHead;
        }

        int position = HeadLen;
        for (int i = 0; i < NrFrags && length > 0; i++)
        {
            Span<byte> source = frags[i].Span;
            int skip = offset - position;
            position += source.Length;
            if (skip >= source.Length)
                continue;
            int size = Math.Min(source.Length - skip, length);
            if (to.CopyTo(source.Slice(skip, size)) != size)
                return -EFAULT;
            offset += size;
            length -= size;
        }

        Bug.On(length > 0);
        return 0;
    }

    /// <summary>The part of the data at <paramref name="offset"/> that lies in one piece; empty at the end.</summary>
    public ReadOnlySpan<byte> SpanAt(int offset)
    {
        if (offset < HeadLen)
            return Data[offset..];
        int position = HeadLen;
        for (int i = 0; i < NrFrags; i++)
        {
            int size = frags[i].Size;
            if (offset < position + size)
                return frags[i].Span[(offset - position)..];
            position += size;
        }

        return default;
    }

    /// <summary>
    /// Appends <paramref name="length"/> bytes of the caller's memory, in the head's tailroom or in new fragments
    /// (<c>skb_copy_datagram_from_iter</c> on a packet that grows).
    /// </summary>
    /// <returns>0, or -EFAULT with the packet as it was.</returns>
    public int AppendFromIter(ref IovIter from, int length)
    {
        int before = Len;
        int fits = Math.Min(length, Tailroom);
        if (fits > 0 && from.CopyFrom(Put(fits)) != fits)
        {
            PskbTrim(before);
            return -EFAULT;
        }

        length -= fits;
        while (length > 0)
        {
            int size = Math.Min(length, PagePool.LargestSize);
            Page page = pool.Pages.Rent(size);
            if (from.CopyFrom(page.Span(0, size)) != size)
            {
                page.Put();
                PskbTrim(before);
                return -EFAULT;
            }

            AddFrag(page, 0, size);
            length -= size;
        }

        return 0;
    }

    /// <summary>Adds a range of the data to a partial checksum (<c>skb_checksum</c>).</summary>
    public uint Checksum(int offset, int length, uint sum)
    {
        int done = 0;
        while (done < length)
        {
            ReadOnlySpan<byte> piece = SpanAt(offset + done);
            Bug.On(piece.IsEmpty);
            if (piece.Length > length - done)
                piece = piece[..(length - done)];
            uint partial = Core.Checksum.CsumPartial(piece, 0);
            sum = Core.Checksum.CsumBlockAdd(sum, partial, done);
            done += piece.Length;
        }

        return sum;
    }

    /// <summary>Fills in a checksum that was left to the device (<c>skb_checksum_help</c>).</summary>
    [Linux("skb_checksum_help", "net/core/dev.c")]
    public void ChecksumHelp()
    {
        if (IpSummed != ChecksumState.Partial)
            return;
        EnsureWritableHead(0);
        int start = CsumStart - data;
        ushort folded = Core.Checksum.CsumFold(Checksum(start, Len - start, 0));
        folded = Core.Checksum.CsumMangle(folded, CsumOffset);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(Data[(start + CsumOffset)..], folded);
        IpSummed = ChecksumState.None;
    }

    private static bool Joins(in SkbFrag a, in SkbFrag b) => a.Page == b.Page && a.Offset + a.Size == b.Offset;

    // Moves bytes from the fragments to the head's end, reallocating the head where it lacks room.
    private void PullTail(int bytes)
    {
        if (IsCloned || head!.Size - tail < bytes)
            EnsureWritableHead(data, bytes);
        int length = HeadLen;
        CopyBits(length, head!.Span(tail, bytes));
        tail += bytes;
        TakeFromFrags(bytes);
    }

    // Fragments that are used up are given back; what is left of a fragment that is shared is not written.
    private void TakeFromFrags(int bytes)
    {
        DataLen -= bytes;
        int first = 0;
        while (bytes > 0 && frags[first].Size <= bytes)
        {
            bytes -= frags[first].Size;
            frags[first++].Page.Put();
        }

        if (bytes > 0)
        {
            frags[first].Offset += bytes;
            frags[first].Size -= bytes;
        }

        ShiftFrags(first);
    }

    private void ShiftFrags(int gone)
    {
        if (gone == 0)
            return;
        for (int i = gone; i < NrFrags; i++)
            frags[i - gone] = frags[i];
        for (int i = NrFrags - gone; i < NrFrags; i++)
            frags[i] = default;
        NrFrags -= gone;
    }
}
