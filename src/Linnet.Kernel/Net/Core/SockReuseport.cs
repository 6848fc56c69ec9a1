using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Sockets that share one address and port with <c>SO_REUSEPORT</c> (<c>struct sock_reuseport</c>). Read without a
/// lock; changed under the group's.
/// </summary>
[LinuxStruct("sock_reuseport")]
[LinuxFile("net/core/sock_reuseport.c")]
public sealed class SockReuseport
{
    // Order matters: the hash picks by index, and a socket that leaves is replaced by the last one.
    private Sock[] socks;

    private SockReuseport(Sock first, bool bindInany)
    {
        socks = [first];
        BindInany = bindInany;
    }

    /// <summary>Whether the group is bound to every address, so that its members see all packets to the port.</summary>
    public bool BindInany { get; private set; }

    /// <summary>
    /// Whether a member was connected, so that lookups have to compare it with the packet's addresses.
    /// </summary>
    public bool HasConns { get; set; }

    /// <summary>How many sockets are in the group.</summary>
    public int NumSocks => Volatile.Read(ref socks).Length;

    /// <summary>Makes a group of one socket; a socket that is in one already stays in it.</summary>
    [Linux("reuseport_alloc")]
    public static int ReuseportAlloc(Sock sk, bool bindInany)
    {
        if (sk.SkReuseportCb is { } group)
            group.BindInany |= bindInany;
        else
            sk.SkReuseportCb = new SockReuseport(sk, bindInany);
        return 0;
    }

    /// <summary>Adds a socket to the group of another one, which gets a group if it has none.</summary>
    /// <returns>0, or -EBUSY when the socket is in a group with others.</returns>
    [Linux("reuseport_add_sock")]
    public static int ReuseportAddSock(Sock sk, Sock sk2, bool bindInany)
    {
        if (sk2.SkReuseportCb == null)
            ReuseportAlloc(sk2, bindInany);
        SockReuseport group = sk2.SkReuseportCb!;
        if (sk.SkReuseportCb is { NumSocks: > 1 })
            return -EBUSY;
        lock (group)
            Volatile.Write(ref group.socks, [.. group.socks, sk]);
        sk.SkReuseportCb = group;
        return 0;
    }

    /// <summary>Takes a socket out of its group.</summary>
    [Linux("reuseport_detach_sock")]
    public static void ReuseportDetachSock(Sock sk)
    {
        if (sk.SkReuseportCb is not { } group)
            return;
        lock (group)
        {
            Sock[] left = group.socks;
            int index = Array.IndexOf(left, sk);
            if (index >= 0)
            {
                Sock last = left[^1];
                left = left[..^1];
                if (index < left.Length)
                    left[index] = last;
                Volatile.Write(ref group.socks, left);
            }
        }

        sk.SkReuseportCb = null;
    }

    /// <summary>Picks the socket of the group that packets of a flow go to.</summary>
    /// <param name="hash">Hash of the flow, uniform over 32 bits.</param>
    /// <param name="wants">Whether a socket may have the packet; connected ones may not.</param>
    /// <returns>A socket, or null when none may have it.</returns>
    [Linux("reuseport_select_sock")]
    public Sock? ReuseportSelectSock(uint hash, Func<Sock, bool>? wants = null)
    {
        Sock[] candidates = Volatile.Read(ref socks);
        if (candidates.Length == 0)
            return null;
        int start = (int)(((ulong)hash * (uint)candidates.Length) >> 32);
        for (int i = 0; i < candidates.Length; i++)
        {
            Sock sk = candidates[(start + i) % candidates.Length];
            if (wants == null || wants(sk))
                return sk;
        }

        return null;
    }
}
