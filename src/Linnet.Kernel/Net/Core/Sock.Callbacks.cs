using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>What happens by default when a socket's state changes: its waiters are woken.</content>
public partial class Sock
{
    /// <summary>Bits of <see cref="SkShutdown"/>: receiving is shut.</summary>
    public const byte RCV_SHUTDOWN = 1;

    /// <summary>Bits of <see cref="SkShutdown"/>: sending is shut.</summary>
    public const byte SEND_SHUTDOWN = 2;

    /// <summary>Bits of <see cref="SkShutdown"/>: both are shut.</summary>
    public const byte SHUTDOWN_MASK = 3;

    [Linux("sock_def_wakeup")]
    private static void SockDefWakeup(Sock sk) => sk.SkWq?.Wait.WakeUpAll();

    [Linux("sock_def_error_report")]
    private static void SockDefErrorReport(Sock sk)
    {
        sk.SkWq?.Wait.WakeUp(EPOLLERR);
        sk.SkWakeAsync(SockWake.Io, POLL_ERR);
    }

    /// <summary>Wakes the readers (<c>sock_def_readable</c>).</summary>
    [Linux("sock_def_readable")]
    public static void SockDefReadable(Sock sk)
    {
        sk.SkWq?.Wait.WakeUp(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
        sk.SkWakeAsync(SockWake.Waitd, POLL_IN);
    }

    [Linux("sock_def_write_space")]
    private static void SockDefWriteSpace(Sock sk)
    {
        // A writer is told once half of the buffer is free, so that it does not wake for every packet.
        if (Volatile.Read(ref sk.SkWmemAlloc) << 1 > sk.SkSndbuf)
            return;
        sk.SkWq?.Wait.WakeUp(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
        if (sk.SockWriteable)
            sk.SkWakeAsync(SockWake.Space, POLL_OUT);
    }

    /// <summary>Signals those who asked for it with <c>O_ASYNC</c> (<c>sk_wake_async</c>).</summary>
    public void SkWakeAsync(SockWake how, int band) => SkWq?.WakeAsync(how, band);

    /// <summary>Signals urgent data to the socket's owner (<c>sk_send_sigurg</c>).</summary>
    [Linux("sk_send_sigurg")]
    public void SkSendSigurg()
    {
        if (SkSocket?.File is { } file && Fs.FasyncStruct.SendSigurg(file))
            SkWakeAsync(SockWake.Urg, POLL_PRI);
    }
}
