using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Received data into a pipe.</content>
public static partial class Tcp
{
    /// <summary>Moves received data into a pipe; what lies in fragments is not copied.</summary>
    /// <returns>Bytes moved; 0 at the end of the stream; -EAGAIN when there is nothing, or another negative errno.</returns>
    [Linux("tcp_splice_read")]
    public static long TcpSpliceRead(Socket sock, Pipe pipe, long length, uint flags)
    {
        TcpSock tp = TcpSock.Of(sock.Sk!);
        if (length == 0)
            return 0;
        tp.LockSock();
        long result = tp.SkState == TCP_LISTEN ? -ENOTCONN : SpliceLocked(tp, pipe, length, flags);
        tp.ReleaseSock();
        return result;
    }

    private static long SpliceLocked(TcpSock tp, Pipe pipe, long length, uint flags)
    {
        uint seq = tp.CopiedSeq;
        int spliced = 0;
        int err = 0;
        while (spliced < length && TcpRecvSkb(tp, seq, out int offset) is { } skb)
        {
            if (offset < skb.Len)
            {
                int want = (int)Math.Min(skb.Len - offset, length - spliced);
                if (tp.UrgData != 0)
                    want = (int)Math.Min((uint)want, tp.UrgSeq - seq);
                if (want == 0)
                    break;
                int moved = SplicePiece(skb, offset, want, pipe);
                if (moved <= 0)
                {
                    err = moved < 0 ? moved : -EAGAIN;
                    break;
                }

                seq += (uint)moved;
                spliced += moved;
                if (offset + moved < skb.Len)
                    continue;
            }

            bool fin = (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0;
            TcpEatRecvSkb(tp, skb);
            if (fin)
            {
                seq++;
                break;
            }
        }

        FinishRead(tp, seq, spliced);
        if (spliced > 0)
            return spliced;
        if (err != 0)
            return err;
        if (tp.SkReceiveQueue.IsEmpty)
            return NothingToRead(tp);

        // What is there cannot be taken: the urgent byte is next. A caller that waits would wait for nothing.
        return (flags & SPLICE_F_NONBLOCK) != 0 ? -EAGAIN : 0;
    }

    // What lies in one piece: the page itself goes to the pipe when it is a fragment's.
    private static int SplicePiece(SkBuff skb, int offset, int want, Pipe pipe)
    {
        if (offset < skb.HeadLen)
            return pipe.Append(skb.Data.Slice(offset, Math.Min(want, skb.HeadLen - offset)));
        int position = skb.HeadLen;
        int index = 0;
        while (offset >= position + skb.Frag(index).Size)
            position += skb.Frag(index++).Size;
        ref SkbFrag frag = ref skb.Frag(index);
        int skip = offset - position;
        int length = Math.Min(Math.Min(want, frag.Size - skip), Pipe.PageSize);
        frag.Page.Get();
        int err = pipe.AppendPage(frag.Page, frag.Offset + skip, length);
        if (err == 0)
            return length;
        frag.Page.Put();
        return err == -EAGAIN ? 0 : err;
    }
}
