using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Who waits on a socket (<c>struct socket_wq</c>): parked threads, pending ValueTasks, epoll items, SIGIO receivers.</summary>
[LinuxStruct("socket_wq")]
public sealed class SocketWq
{
    /// <summary>The queue.</summary>
    public WaitQueueHead Wait { get; } = new();

    /// <summary>Sends SIGIO and SIGURG to the owner (<c>sk_wake_async</c>): given the band, <c>POLL_IN</c> and so on.</summary>
    public Action<int>? Fasync { get; set; }
}
