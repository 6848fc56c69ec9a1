using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>The route that a socket remembers, and what is derived from it; and where peeks begin.</content>
public partial class Sock
{
    /// <summary>
    /// The remembered route if it may still be used; otherwise it is forgotten (<c>__sk_dst_check</c>).
    /// </summary>
    /// <returns>The route, or null: the caller looks for a new one.</returns>
    [Linux("__sk_dst_check")]
    public DstEntry? SkDstCheck()
    {
        DstEntry? dst = Volatile.Read(ref SkDstCache);
        if (dst == null || dst.Check())
            return dst;
        // Somebody may have put a new one in its place meanwhile, which stays.
        Interlocked.CompareExchange(ref SkDstCache, null, dst);
        return null;
    }

    /// <summary>Remembers a route (<c>sk_dst_set</c>).</summary>
    public void SkDstSet(DstEntry? dst) => Volatile.Write(ref SkDstCache, dst);

    /// <summary>Forgets the route (<c>sk_dst_reset</c>).</summary>
    public void SkDstReset() => SkDstSet(null);

    /// <summary>
    /// Remembers a route and how large packets for it may be. TCP makes packets of several segments for every device: where it
    /// cannot cut them, they are cut on the way to it, and have passed everything before that as one.
    /// </summary>
    [Linux("sk_setup_caps")]
    public void SkSetupCaps(DstEntry dst)
    {
        SkDstSet(dst);
        SkGsoMaxSize = dst.Dev.GsoMaxSize;
    }

    /// <summary>Gives the flow a new hash, never 0 (<c>sk_set_txhash</c>).</summary>
    public void SkSetTxhash()
    {
        uint hash = Machine.Random.NextU32();
        SkTxhash = hash != 0 ? hash : 1;
    }

    /// <summary>Sets <c>SO_PEEK_OFF</c>; a negative value turns it off (<c>sk_set_peek_off</c>).</summary>
    /// <returns>0.</returns>
    [Linux("sk_set_peek_off")]
    public int SkSetPeekOff(int value)
    {
        Volatile.Write(ref SkPeekOff, value);
        return 0;
    }

    /// <summary>
    /// Moves the peek offset back by what was read, or on by what was peeked at (<c>sk_peek_offset_bwd</c>).
    /// </summary>
    /// <param name="bytes">Bytes read; negative for bytes peeked at.</param>
    public void SkPeekOffsetBwd(int bytes)
    {
        int off = Volatile.Read(ref SkPeekOff);
        if (off >= 0)
            Volatile.Write(ref SkPeekOff, Math.Max(off - bytes, 0));
    }
}
