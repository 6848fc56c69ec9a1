using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What stream protocols share (<c>net/core/stream.c</c>).</summary>
[LinuxFile("net/core/stream.c")]
public static class SkStream
{
    /// <summary>Free bytes of the send buffer; negative when it is overdrawn (<c>sk_stream_wspace</c>).</summary>
    public static int SkStreamWspace(Sock sk) => sk.SkSndbuf - sk.SkWmemQueued;

    /// <summary>What has to be free before a writer is woken: half of what is queued (<c>sk_stream_min_wspace</c>).</summary>
    public static int SkStreamMinWspace(Sock sk) => sk.SkWmemQueued >> 1;

    /// <summary>Whether a writer may queue more (<c>sk_stream_memory_free</c>).</summary>
    public static bool SkStreamMemoryFree(Sock sk, int wake = 0) =>
        sk.SkWmemQueued < sk.SkSndbuf && sk.SkProt.StreamMemoryFree(sk, wake);

    /// <summary>Whether poll says that the stream is writable (<c>sk_stream_is_writeable</c>).</summary>
    public static bool SkStreamIsWriteable(Sock sk, int wake = 0) =>
        SkStreamWspace(sk) >= SkStreamMinWspace(sk) && SkStreamMemoryFree(sk, wake);

    /// <summary>Tells writers that there is room again (<c>sk_stream_write_space</c>).</summary>
    [Linux("sk_stream_write_space")]
    public static void SkStreamWriteSpace(Sock sk)
    {
        if (sk.SkSocket == null || !SkStreamIsWriteable(sk, wake: 1))
            return;
        sk.SockResetFlag(SockFlags.Nospace);
        if (sk.SkWq is not { } wq)
            return;
        wq.Wait.WakeUp(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
        if ((sk.SkShutdown & Sock.SEND_SHUTDOWN) == 0)
            wq.WakeAsync(SockWake.Space, POLL_OUT);
    }

    /// <summary>
    /// Turns an error of a stream's send into the errno that the caller sees (<c>sk_stream_error</c>). The SIGPIPE that
    /// goes with -EPIPE is sent by the call that ends with it, once it is known that nothing was sent.
    /// </summary>
    [Linux("sk_stream_error")]
    public static int SkStreamError(Sock sk, int err)
    {
        if (err != -EPIPE)
            return err;
        int pending = sk.SockError();
        return pending != 0 ? pending : -EPIPE;
    }

    /// <summary>Frees the queues of a stream that is destroyed (<c>sk_stream_kill_queues</c>).</summary>
    [Linux("sk_stream_kill_queues")]
    public static void SkStreamKillQueues(Sock sk)
    {
        sk.SkReceiveQueue.Purge();
        Bug.On(!sk.SkWriteQueue.IsEmpty);
        sk.SkMemReclaimFinal();
        Bug.On(sk.SkWmemQueued != 0);
        Bug.On(sk.SkForwardAlloc is < 0 or >= 1 << 12 && sk.SkHasAccount);
    }
}
