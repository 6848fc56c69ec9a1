using System.Diagnostics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Memory of queued datagrams: charged to the protocol in whole pages, of which a socket keeps what it does not use yet
/// (<see cref="Sock.SkForwardAlloc"/>). All under the lock of the socket's receive queue.
/// </summary>
[LinuxFile("net/ipv4/udp.c")]
internal static class UdpMemory
{
    private const int PageSize = 4096;

    /// <summary>Makes sure that <paramref name="size"/> bytes can be taken from what the socket has charged.</summary>
    /// <returns>0, or -ENOBUFS when UDP as a whole may hold no more.</returns>
    [Linux("udp_rmem_schedule")]
    public static int UdpRmemSchedule(UdpSock sk, int size)
    {
        Debug.Assert(sk.SkReceiveQueue.Guard.IsLocked);
        int missing = size - sk.SkForwardAlloc;
        if (missing <= 0)
            return 0;
        ProtoMemory memory = UdpTable.Of(sk.Machine).Memory;
        int pages = (missing + PageSize - 1) / PageSize;
        if (Interlocked.Add(ref memory.Allocated, pages) > memory.Limits[2])
        {
            Interlocked.Add(ref memory.Allocated, -pages);
            return -ENOBUFS;
        }

        sk.SkForwardAlloc += pages * PageSize;
        return 0;
    }

    /// <summary>Gives memory of datagrams back that left the queue.</summary>
    /// <param name="sk">The socket, with its queue locked.</param>
    /// <param name="size">Bytes of truesize.</param>
    /// <param name="partial">Keep a page, and give back only once a quarter of the buffer has gathered.</param>
    [Linux("udp_rmem_release")]
    public static void UdpRmemRelease(UdpSock sk, int size, bool partial)
    {
        Debug.Assert(sk.SkReceiveQueue.Guard.IsLocked);
        size += sk.ForwardDeficit;
        if (partial && size < sk.SkRcvbuf >> 2 && !sk.SkReceiveQueue.IsEmpty)
        {
            sk.ForwardDeficit = size;
            return;
        }

        sk.ForwardDeficit = 0;
        Interlocked.Add(ref sk.SkRmemAlloc, -size);
        sk.SkForwardAlloc += size;
        int pages = (sk.SkForwardAlloc - (partial ? 1 : 0)) / PageSize;
        if (pages <= 0)
            return;
        sk.SkForwardAlloc -= pages * PageSize;
        Interlocked.Add(ref UdpTable.Of(sk.Machine).Memory.Allocated, -pages);
    }
}
