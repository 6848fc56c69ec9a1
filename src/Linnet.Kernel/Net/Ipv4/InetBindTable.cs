using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The ports in use: by port (<c>bhash</c>) and by address and port (<c>bhash2</c>). Order of locks: a port's chain, then an
/// address's chain, then the established table.
/// </summary>
public sealed class InetBindTable
{
    private const int Chains = 1024;
    private const int Stripes = 128;

    private readonly Chain[] chains = new Chain[Chains];
    private readonly Spinlock[] stripes = new Spinlock[Stripes];
    private InetBind2Bucket?[] heads2 = new InetBind2Bucket?[1024];
    private int count2;

    /// <summary>Locks a port's chain.</summary>
    public void Lock(NetNamespace net, ushort port) => chains[Index(net, port)].Guard.Lock();

    /// <summary>Unlocks a port's chain.</summary>
    public void Unlock(NetNamespace net, ushort port) => chains[Index(net, port)].Guard.Unlock();

    /// <summary>Finds the bucket of a port, whose chain the caller locked.</summary>
    public InetBindBucket? Find(NetNamespace net, ushort port)
    {
        InetBindBucket? tb = chains[Index(net, port)].First;
        while (tb != null && (tb.Port != port || tb.IbNet != net))
            tb = tb.Next;
        return tb;
    }

    /// <summary>Makes the bucket of a port, whose chain the caller locked (<c>inet_bind_bucket_create</c>).</summary>
    public InetBindBucket Create(NetNamespace net, ushort port)
    {
        ref InetBindBucket? first = ref chains[Index(net, port)].First;
        InetBindBucket tb = new(net, port) { Next = first };
        first = tb;
        return tb;
    }

    /// <summary>
    /// Drops a bucket that nobody uses; one that only connects use becomes free for other connects
    /// (<c>inet_bind_bucket_destroy</c>). The caller locked its chain.
    /// </summary>
    public void Destroy(InetBindBucket tb)
    {
        if (tb.Bhash2 == null)
        {
            ref InetBindBucket? link = ref chains[Index(tb.IbNet, tb.Port)].First;
            while (link != tb)
                link = ref link!.Next;
            link = tb.Next;
            return;
        }

        if (tb.Fastreuse == -1 && tb.Fastreuseport == -1)
            return;
        for (InetBind2Bucket? tb2 = tb.Bhash2; tb2 != null; tb2 = tb2.BhashNext)
        {
            if (tb2.Fastreuse != -1 || tb2.Fastreuseport != -1)
                return;
        }

        tb.Fastreuse = tb.Fastreuseport = -1;
    }

    /// <summary>All sockets of a namespace that have a port, in no particular order; a moment's copy for diagnostics.</summary>
    public List<SockCommon> Owners(NetNamespace net)
    {
        List<SockCommon> all = [];
        foreach (ref Chain chain in chains.AsSpan())
        {
            chain.Guard.Lock();
            for (InetBindBucket? tb = chain.First; tb != null; tb = tb.Next)
            {
                for (InetBind2Bucket? tb2 = tb.IbNet == net ? tb.Bhash2 : null; tb2 != null; tb2 = tb2.BhashNext)
                {
                    Lock2(tb2.Hash);
                    for (SockCommon? sk = tb2.Owners; sk != null; sk = sk.SkcBindNext)
                        all.Add(sk);
                    Unlock2(tb2.Hash);
                }
            }

            chain.Guard.Unlock();
        }

        return all;
    }

    /// <summary>Locks the chain of an address and port.</summary>
    public void Lock2(uint hash) => stripes[hash & (Stripes - 1)].Lock();

    /// <summary>Unlocks the chain of an address and port.</summary>
    public void Unlock2(uint hash) => stripes[hash & (Stripes - 1)].Unlock();

    /// <summary>Finds the bucket of an address and port, whose chain the caller locked.</summary>
    public InetBind2Bucket? Find2(uint hash, NetNamespace net, uint rcvSaddr, ushort port)
    {
        InetBind2Bucket? tb2 = heads2[hash & (uint)(heads2.Length - 1)];
        while (tb2 != null && (tb2.RcvSaddr != rcvSaddr || tb2.Tb.Port != port || tb2.Tb.IbNet != net))
            tb2 = tb2.Next;
        return tb2;
    }

    /// <summary>
    /// Makes the bucket of an address and port, whose chain the caller locked (<c>inet_bind2_bucket_create</c>).
    /// </summary>
    public InetBind2Bucket Create2(uint hash, InetBindBucket tb, uint rcvSaddr)
    {
        ref InetBind2Bucket? head = ref heads2[hash & (uint)(heads2.Length - 1)];
        InetBind2Bucket tb2 = new(tb, rcvSaddr) { Hash = hash, Next = head, BhashNext = tb.Bhash2 };
        head = tb2;
        tb.Bhash2 = tb2;
        Interlocked.Increment(ref count2);
        return tb2;
    }

    /// <summary>
    /// Drops a bucket that nobody uses (<c>inet_bind2_bucket_destroy</c>); the caller locked both chains.
    /// </summary>
    public void Destroy2(InetBind2Bucket tb2)
    {
        if (tb2.Owners == null)
        {
            ref InetBind2Bucket? link = ref heads2[tb2.Hash & (uint)(heads2.Length - 1)];
            while (link != tb2)
                link = ref link!.Next;
            link = tb2.Next;
            ref InetBind2Bucket? other = ref tb2.Tb.Bhash2;
            while (other != tb2)
                other = ref other!.BhashNext;
            other = tb2.BhashNext;
            Interlocked.Decrement(ref count2);
            return;
        }

        if (tb2.Fastreuse == -1 && tb2.Fastreuseport == -1)
            return;
        for (SockCommon? sk = tb2.Owners; sk != null; sk = sk.SkcBindNext)
        {
            if (!IsConnectBind(sk))
                return;
        }

        tb2.Fastreuse = tb2.Fastreuseport = -1;
    }

    /// <summary>Makes room when there are more buckets than chains; call with no chain locked.</summary>
    public void GrowIfNeeded()
    {
        if (Volatile.Read(ref count2) <= Volatile.Read(ref heads2).Length)
            return;
        for (int i = 0; i < Stripes; i++)
            stripes[i].Lock();
        if (count2 > heads2.Length)
            Grow2();
        for (int i = Stripes - 1; i >= 0; i--)
            stripes[i].Unlock();
    }

    private static int Index(NetNamespace net, ushort port) => (int)((port + net.HashMix) & (Chains - 1));

    private static bool IsConnectBind(SockCommon sk) =>
        sk is InetTimewaitSock tw ? tw.TwConnectBind : (((Sock)sk).SkUserlocks & SockUserLocks.ConnectBind) != 0;

    private void Grow2()
    {
        InetBind2Bucket?[] grown = new InetBind2Bucket?[heads2.Length * 4];
        foreach (InetBind2Bucket? head in heads2)
        {
            for (InetBind2Bucket? tb2 = head; tb2 != null;)
            {
                InetBind2Bucket? next = tb2.Next;
                ref InetBind2Bucket? to = ref grown[tb2.Hash & (uint)(grown.Length - 1)];
                tb2.Next = to;
                to = tb2;
                tb2 = next;
            }
        }

        Volatile.Write(ref heads2, grown);
    }

    private struct Chain
    {
        public Spinlock Guard;
        public InetBindBucket? First;
    }
}
