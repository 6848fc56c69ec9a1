using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Who waits on a socket (<c>struct socket_wq</c>): parked threads, pending ValueTasks, epoll items, SIGIO receivers.</summary>
[LinuxStruct("socket_wq")]
public sealed class SocketWq
{
    /// <summary>The queue.</summary>
    public WaitQueueHead Wait { get; } = new();

    /// <summary>Sends a signal to those who asked for it with <c>O_ASYNC</c>: given SIGIO or SIGURG and the band.</summary>
    public Action<int, int>? Fasync { get; set; }

    /// <summary>A writer was turned away; the next room is worth a SIGIO (<c>SOCKWQ_ASYNC_NOSPACE</c>).</summary>
    public volatile bool AsyncNospace;

    /// <summary>A reader is parked, so that arriving data needs no SIGIO (<c>SOCKWQ_ASYNC_WAITDATA</c>).</summary>
    public volatile bool AsyncWaitdata;

    /// <summary>Signals what happened to those who asked for it (<c>sock_wake_async</c>).</summary>
    /// <param name="how">What happened.</param>
    /// <param name="band"><c>POLL_IN</c> and so on.</param>
    public void WakeAsync(SockWake how, int band)
    {
        if (Fasync is not { } fasync)
            return;
        switch (how)
        {
            case SockWake.Waitd when AsyncWaitdata:
            case SockWake.Space when !AsyncNospace:
                return;
            case SockWake.Space:
                AsyncNospace = false;
                break;
        }

        fasync(how == SockWake.Urg ? SIGURG : SIGIO, band);
    }
}

/// <summary>Why a socket's owner is signalled (<c>SOCK_WAKE_*</c>).</summary>
public enum SockWake
{
    /// <summary>Something changed (<c>SOCK_WAKE_IO</c>).</summary>
    Io,

    /// <summary>There is data (<c>SOCK_WAKE_WAITD</c>).</summary>
    Waitd,

    /// <summary>There is room to write (<c>SOCK_WAKE_SPACE</c>).</summary>
    Space,

    /// <summary>There is urgent data (<c>SOCK_WAKE_URG</c>).</summary>
    Urg,
}
