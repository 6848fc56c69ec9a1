using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>An address that this host answers for on behalf of another (<c>struct pneigh_entry</c>).</summary>
/// <param name="Key">The address.</param>
/// <param name="Dev">The device that requests come in by; null for any.</param>
[LinuxStruct("pneigh_entry")]
public sealed record PneighEntry(UInt128 Key, NetDevice? Dev);

/// <content>Addresses that are answered for on behalf of others, and the requests that wait for such an answer.</content>
public abstract partial class NeighTable
{
    private readonly Lock proxyLock = new();
    private readonly List<(long Due, SkBuff Skb, NeighParms Parms)> proxyQueue = [];
    private readonly TimerList proxyTimer;
    private PneighEntry[] proxies = [];

    /// <summary>The addresses; replaced whole.</summary>
    public IReadOnlyList<PneighEntry> Proxies => Volatile.Read(ref proxies);

    /// <summary>
    /// Asked for the link address of a neighbour, where <c>app_solicit</c> says so (<c>neigh_app_ns</c>); it answers with
    /// <see cref="Neighbour.Update"/>, now or later. Null for nobody.
    /// </summary>
    public Action<Neighbour>? AppNs { get; set; }

    /// <summary>The entry that says that an address is answered for on a device, or null.</summary>
    [Linux("pneigh_lookup")]
    public PneighEntry? PneighLookup(UInt128 key, NetDevice? dev) =>
        Array.Find(proxies, entry => entry.Key == key && (entry.Dev == dev || entry.Dev == null));

    /// <summary>Has an address answered for; a second time changes nothing.</summary>
    [Linux("pneigh_create")]
    public void PneighCreate(UInt128 key, NetDevice? dev)
    {
        lock (proxyLock)
        {
            if (PneighLookup(key, dev) == null)
                proxies = [.. proxies, new PneighEntry(key, dev)];
        }
    }

    /// <summary>Ends that.</summary>
    /// <returns>0 or -ENOENT.</returns>
    [Linux("pneigh_delete")]
    public int PneighDelete(UInt128 key, NetDevice? dev)
    {
        lock (proxyLock)
        {
            int at = Array.FindIndex(proxies, entry => entry.Key == key && entry.Dev == dev);
            if (at < 0)
                return -ENOENT;
            proxies = [.. proxies.Where((_, i) => i != at)];
            return 0;
        }
    }

    /// <summary>
    /// Has a request answered after a random delay, so that the host itself, if it is there, comes first. Takes over the
    /// packet.
    /// </summary>
    [Linux("pneigh_enqueue")]
    protected internal void PneighEnqueue(NeighParms parms, SkBuff skb)
    {
        long due = Machine.Clock.Jiffies + Machine.Random.NextBelow((uint)Math.Max(parms.ProxyDelay, 1));
        lock (proxyLock)
        {
            if (parms.ProxyQueued <= parms.ProxyQlen)
            {
                parms.ProxyQueued++;
                proxyQueue.Add((due, skb, parms));
                long first = proxyQueue.Min(entry => entry.Due);
                proxyTimer.Mod(first * Clock.NsecPerMsec);
                return;
            }
        }

        skb.Free();
    }

    /// <summary>Frees the requests that wait; those of one device, or all.</summary>
    [Linux("pneigh_queue_purge")]
    internal void PneighQueuePurge(NetDevice? dev)
    {
        foreach (SkBuff skb in TakeFromProxyQueue(entry => dev == null || entry.Skb.Dev == dev))
            skb.Free();
    }

    /// <summary>A request that waited is processed again (<c>proxy_redo</c>). Takes over the packet.</summary>
    protected abstract void ProxyRedo(SkBuff skb);

    private void PneighIfdown(NetDevice dev)
    {
        lock (proxyLock)
            proxies = [.. proxies.Where(entry => entry.Dev != dev)];
        PneighQueuePurge(dev);
    }

    [Linux("neigh_proxy_process")]
    private void NeighProxyProcess()
    {
        long now = Machine.Clock.Jiffies;
        foreach (SkBuff skb in TakeFromProxyQueue(entry => entry.Due <= now))
        {
            if (skb.Dev!.IsUp)
                ProxyRedo(skb);
            else
                skb.Free();
        }
    }

    private List<SkBuff> TakeFromProxyQueue(Predicate<(long Due, SkBuff Skb, NeighParms Parms)> which)
    {
        List<SkBuff> taken = [];
        lock (proxyLock)
        {
            foreach ((long _, SkBuff skb, NeighParms parms) in proxyQueue.FindAll(which))
            {
                parms.ProxyQueued--;
                taken.Add(skb);
            }

            proxyQueue.RemoveAll(which);
            if (proxyQueue.Count > 0)
                proxyTimer.Mod(proxyQueue.Min(entry => entry.Due) * Clock.NsecPerMsec);
        }

        return taken;
    }
}
