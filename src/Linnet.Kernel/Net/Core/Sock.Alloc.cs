using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Birth and death of socks.</content>
public partial class Sock
{
    /// <summary>Makes a sock of the protocol's kind in a namespace (<c>sk_alloc</c>); one reference, the caller's.</summary>
    [Linux("sk_alloc")]
    public static Sock SkAlloc(NetNamespace net, int family, Proto prot, bool kern)
    {
        Sock sk = prot.AllocSock();
        sk.SkcFamily = (ushort)family;
        sk.SkcProt = prot;
        sk.SkcNet = net;
        sk.SkKernSock = kern;
        sk.SkWmemAlloc = 1;
        return sk;
    }

    /// <summary>Gives the creator's reference back; packets in flight keep the sock (<c>sk_free</c>).</summary>
    [Linux("sk_free")]
    public static void SkFree(Sock sk)
    {
        if (Interlocked.Decrement(ref sk.SkWmemAlloc) == 0)
            SkFreeCore(sk);
    }

    [Linux("__sk_free")]
    private static void SkFreeCore(Sock sk) => sk.SkDestruct?.Invoke(sk);
}
