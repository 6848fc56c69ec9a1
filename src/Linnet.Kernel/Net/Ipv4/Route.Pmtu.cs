using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What was learned of the path to one destination over a next hop (<c>struct fib_nh_exception</c>).</summary>
[LinuxStruct("fib_nh_exception")]
internal sealed class FibNhException(uint daddr)
{
    private volatile Rtable? rthOutput;
    private volatile Rtable? rthInput;

    public readonly uint Daddr = daddr;
    public volatile FibNhException? Next;

    // Changed under the namespace's FnheLock.
    public int Pmtu;
    public uint Gw;
    public bool MtuLocked;
    public long Expires;
    public long Stamp;

    public Rtable? RthOutput
    {
        get => rthOutput;
        set => rthOutput = value;
    }

    public Rtable? RthInput
    {
        get => rthInput;
        set => rthInput = value;
    }

    /// <summary>Gives a route entry what was learned (<c>rt_bind_exception</c>).</summary>
    public void Bind(Rtable rt, uint daddr)
    {
        if (daddr != Daddr)
            return;
        rt.SetPmtu(Pmtu, MtuLocked, Expires);
        if (Gw == 0)
            return;
        rt.RtGw4 = Gw;
        rt.RtUsesGateway = true;
    }
}

/// <summary>
/// The exceptions of one next hop: hashed by destination with a secret, five deep at most, so that forged ICMP messages
/// can neither choose a bucket nor fill memory.
/// </summary>
internal sealed class FnheTable
{
    private const int Buckets = 2048;
    private const int ReclaimDepth = 5;

    private FibNhException?[]? buckets;

    /// <summary>The exception for a destination that is not too old, or null (<c>find_exception</c>).</summary>
    public FibNhException? Find(NetNamespace net, uint daddr)
    {
        FibNhException?[]? current = Volatile.Read(ref buckets);
        if (current == null)
            return null;
        for (FibNhException? fnhe = Volatile.Read(ref current[Hash(net, daddr)]); fnhe != null; fnhe = fnhe.Next)
        {
            if (fnhe.Daddr != daddr)
                continue;
            return fnhe.Expires != 0 && net.Machine.Clock.Jiffies >= fnhe.Expires ? null : fnhe;
        }

        return null;
    }

    /// <summary>Remembers a path MTU; the caller holds the namespace's FnheLock (<c>update_or_create_fnhe</c>).</summary>
    /// <returns>Whether the destination is a new one, so that shared entries do not fit it any more.</returns>
    public bool Learn(NetNamespace net, uint daddr, uint gw, int pmtu, bool locked, long expires)
    {
        if (buckets == null)
            Volatile.Write(ref buckets, new FibNhException?[Buckets]);
        ref FibNhException? head = ref buckets[Hash(net, daddr)];
        int depth = 0;
        for (FibNhException? fnhe = head; fnhe != null; fnhe = fnhe.Next, depth++)
        {
            if (fnhe.Daddr != daddr)
                continue;
            Fill(fnhe, gw, pmtu, locked, expires, net.Machine.Clock.Jiffies);
            Refresh(fnhe, fnhe.RthOutput);
            Refresh(fnhe, fnhe.RthInput);
            return false;
        }

        if (depth >= ReclaimDepth)
            RemoveOldest(ref head);
        FibNhException made = new(daddr) { Next = head };
        Fill(made, gw, pmtu, locked, expires, net.Machine.Clock.Jiffies);
        Volatile.Write(ref head, made);
        return true;
    }

    public void Clear()
    {
        foreach (FibNhException? head in Volatile.Read(ref buckets) ?? [])
        {
            for (FibNhException? fnhe = head; fnhe != null; fnhe = fnhe.Next)
            {
                fnhe.RthInput?.Kill();
                fnhe.RthOutput?.Kill();
            }
        }

        Volatile.Write(ref buckets, null);
    }

    private static void Refresh(FibNhException fnhe, Rtable? rt)
    {
        if (rt != null)
            fnhe.Bind(rt, fnhe.Daddr);
    }

    // A redirect and a path MTU for the same destination are kept side by side.
    private static void Fill(FibNhException fnhe, uint gw, int pmtu, bool locked, long expires, long now)
    {
        if (gw != 0)
            fnhe.Gw = gw;
        if (pmtu != 0)
        {
            fnhe.Pmtu = pmtu;
            fnhe.MtuLocked = locked;
        }

        fnhe.Expires = Math.Max(1, expires);
        fnhe.Stamp = now;
    }

    private static void RemoveOldest(ref FibNhException? head)
    {
        FibNhException oldest = head!;
        for (FibNhException? fnhe = head; fnhe != null; fnhe = fnhe.Next)
        {
            if (fnhe.Stamp < oldest.Stamp)
                oldest = fnhe;
        }

        oldest.RthInput?.Kill();
        oldest.RthOutput?.Kill();
        if (oldest == head)
        {
            Volatile.Write(ref head, oldest.Next);
            return;
        }

        FibNhException before = head!;
        while (before.Next != oldest)
            before = before.Next!;
        before.Next = oldest.Next;
    }

    private static int Hash(NetNamespace net, uint daddr) =>
        (int)(Siphash.Hsiphash2(daddr, net.HashMix, net.Ipv4.HashKey) & (Buckets - 1));
}

/// <content>Path MTU discovery (RFC 1191).</content>
public static partial class Route
{
    /// <summary>A packet met a smaller MTU on the way (<c>ipv4_update_pmtu</c>); for protocols without a socket at hand.</summary>
    /// <param name="skb">The ICMP message, with its data at the IP header that it quotes.</param>
    /// <param name="net">The namespace.</param>
    /// <param name="mtu">MTU of the next hop, in bytes.</param>
    /// <param name="oif">Index of the device; 0 for any.</param>
    /// <param name="protocol">Transport protocol of the quoted packet.</param>
    [Linux("ipv4_update_pmtu")]
    public static void Ipv4UpdatePmtu(SkBuff skb, NetNamespace net, uint mtu, int oif, byte protocol)
    {
        Iphdr iph = new(skb.Data);
        Flowi4 fl4 = Flowi4.InitOutput(
            oif, skb.Mark, (byte)(iph.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, protocol, 0, iph.Daddr, iph.Saddr, 0, 0, 0);
        if (IpRouteOutputKey(net, ref fl4, out Rtable? rt) == 0)
            IpRtUpdatePmtuCore(rt!, ref fl4, (int)mtu);
    }

    /// <summary>The same for a socket that sent the packet; its cached route is brought up to date (<c>ipv4_sk_update_pmtu</c>).</summary>
    [Linux("ipv4_sk_update_pmtu")]
    public static void Ipv4SkUpdatePmtu(SkBuff skb, Sock sk, uint mtu)
    {
        Iphdr iph = new(skb.Data);
        Flowi4 fl4 = Flowi4.InitOutput(
            sk.SkcBoundDevIf, sk.SkMark, (byte)(iph.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, (byte)sk.SkProtocol, 0,
            iph.Daddr, iph.Saddr, 0, 0, sk.SkUid);
        if (IpRouteOutputKey(sk.SkNet, ref fl4, out Rtable? rt) != 0)
            return;
        IpRtUpdatePmtuCore(rt!, ref fl4, (int)mtu);
        if (sk.SkDstCache is Rtable cached && !cached.Check())
            sk.SkDstCache = null;
    }

    [Linux("ip_rt_update_pmtu")]
    internal static void IpRtUpdatePmtu(Rtable rt, Sock? sk, SkBuff? skb, int mtu)
    {
        Flowi4 fl4 = default;
        if (skb != null)
        {
            Iphdr iph = skb.IpHdr;
            fl4.Daddr = iph.Daddr;
            fl4.Saddr = iph.Saddr;
            fl4.Flowi4Tos = (byte)(iph.Tos & Flowi4.INET_DSCP_MASK);
            fl4.Flowi4Mark = skb.Mark;
        }
        else if (sk != null)
        {
            fl4.Daddr = sk.SkcDaddr;
            fl4.Saddr = ((InetSock)sk).InetSaddr;
            fl4.Flowi4Tos = IpSockRtTos((InetSock)sk);
            fl4.Flowi4Oif = sk.SkcBoundDevIf;
        }

        IpRtUpdatePmtuCore(rt, ref fl4, mtu);
    }

    [Linux("__ip_rt_update_pmtu")]
    private static void IpRtUpdatePmtuCore(Rtable rt, ref Flowi4 fl4, int mtu)
    {
        NetNamespace net = rt.Dev.Net;
        NetnsIpv4 ipv4 = net.Ipv4;
        if (rt.MtuLocked)
            return;
        int old = rt.Mtu;
        if (old < mtu)
            return;
        bool locked = false;
        if (mtu < ipv4.SysctlIpRtMinPmtu)
        {
            // A claim below the least MTU that is believed: packets are sent without DF instead.
            locked = true;
            mtu = Math.Min(old, ipv4.SysctlIpRtMinPmtu);
        }

        fl4.Flowi4Oif = 0;
        if (IpFib.FibLookup(net, in fl4, out FibResult res) != 0 || res.Nhc == null)
            return;
        FibSemantics.FibSelectPath(net, ref res, ref fl4, skb: null);
        long expires = net.Machine.Clock.Jiffies + ipv4.SysctlIpRtMtuExpires;
        // Which of several next hops the packet took cannot be told.
        foreach (FibNh nh in res.Fi!.Nhs.Length > 1 ? res.Fi.Nhs : [res.Nhc!])
        {
            lock (ipv4.FnheLock)
            {
                if (!nh.Exceptions.Learn(net, fl4.Daddr, 0, mtu, locked, expires))
                    continue;
            }

            // The entry that all flows over this next hop share is not right for this destination any more.
            nh.RthOutput?.Kill();
            nh.RthInput?.Kill();
        }
    }

    /// <summary>The next hop does not answer: the sender is told (<c>ipv4_link_failure</c>). The packet stays the caller's.</summary>
    [Linux("ipv4_link_failure")]
    internal static void Ipv4LinkFailure(Rtable rt, SkBuff skb)
    {
        if (skb.NetworkHeader != SkBuff.NoHeader && skb.NetworkHeaderSpan.Length >= Iphdr.Size)
            Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
        // Flows look for another way from now on.
        rt.Kill();
    }
}
