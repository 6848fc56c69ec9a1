using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What a route does with packets that came in (<c>dst.input</c>).</summary>
public enum RtInput : byte
{
    /// <summary>Only for output (<c>dst_discard</c>).</summary>
    Discard,

    /// <summary>For this host (<c>ip_local_deliver</c>).</summary>
    LocalDeliver,

    /// <summary>For somebody else (<c>ip_forward</c>).</summary>
    Forward,

    /// <summary>Nowhere (<c>ip_error</c>).</summary>
    Error,
}

/// <summary>What a route does with packets that go out (<c>dst.output</c>).</summary>
public enum RtOutput : byte
{
    /// <summary>Nowhere (<c>dst_discard</c>).</summary>
    Discard,

    /// <summary>To the device (<c>ip_output</c>).</summary>
    IpOutput,

    /// <summary>To the device, and to this host where it asked for a copy (<c>ip_mc_output</c>).</summary>
    IpMcOutput,

    /// <summary>A packet that came in for this host must not go out by the same entry (<c>ip_rt_bug</c>).</summary>
    RtBug,
}

/// <summary>
/// A route entry of IPv4 (<c>struct rtable</c>): shared by the flows over one next hop, until routes change or a path MTU
/// is learned.
/// </summary>
[LinuxStruct("rtable")]
[LinuxFile("net/ipv4/route.c")]
public sealed class Rtable : DstEntry
{
    /// <summary>The destination is a broadcast address.</summary>
    public const uint RTCF_BROADCAST = 0x10000000;

    /// <summary>The destination is a multicast group.</summary>
    public const uint RTCF_MULTICAST = 0x20000000;

    /// <summary>The packet is for this host.</summary>
    public const uint RTCF_LOCAL = 0x80000000;

    /// <summary>The sender should be told of a better way.</summary>
    public const uint RTCF_DOREDIRECT = 0x01000000;

    private const int IpMaxMtu = 0xFFFF;

    private readonly NetnsIpv4 ipv4;
    private readonly int genid;
    private volatile bool killed;
    private int pmtu;
    private bool mtuLocked;
    private long expires;

    internal Rtable(NetDevice dev, uint flags, byte type)
        : base(dev)
    {
        ipv4 = dev.Net.Ipv4;
        genid = ipv4.RtGenid;
        RtFlags = flags;
        RtType = type;
        OutputKind = RtOutput.IpOutput;
        InputKind = (flags & RTCF_LOCAL) != 0 ? RtInput.LocalDeliver : RtInput.Discard;
    }

    /// <summary><c>RTCF_*</c></summary>
    public uint RtFlags { get; internal set; }

    /// <summary>Type of the route, <c>RTN_*</c>.</summary>
    public byte RtType { get; }

    /// <summary>Whether the entry is for packets that came in.</summary>
    public bool RtIsInput { get; init; }

    /// <summary>Whether there is a gateway.</summary>
    public bool RtUsesGateway { get; internal set; }

    /// <summary>The gateway; 0 for none.</summary>
    public uint RtGw4 { get; internal set; }

    /// <summary>Index of the device that the flow is bound to or came in by; 0 for none.</summary>
    public int RtIif { get; init; }

    /// <summary>Metrics of the route.</summary>
    public RouteMetrics Metrics { get; internal set; } = RouteMetrics.None;

    /// <summary>What <see cref="Input"/> does.</summary>
    public RtInput InputKind { get; init; }

    /// <summary>What <see cref="Output"/> does.</summary>
    public RtOutput OutputKind { get; init; }

    /// <summary>Whether path MTU discovery must not change the MTU.</summary>
    public bool MtuLocked => mtuLocked || Metrics.MtuLocked;

    /// <summary>For how long that is still believed, in ms; 0 when nothing was learned.</summary>
    internal long PmtuLeft => expires != 0 && pmtu != 0 ? Math.Max(0, expires - ipv4.Net.Machine.Clock.Jiffies) : 0;

    /// <summary>The path MTU that was learned; 0 for none, also once it is too old.</summary>
    public int RtPmtu => expires != 0 && ipv4.Net.Machine.Clock.Jiffies >= expires ? 0 : pmtu;

    /// <inheritdoc/>
    public override int Mtu
    {
        [Linux("ipv4_mtu")]
        get
        {
            int mtu = RtPmtu;
            if (mtu == 0)
                mtu = (int)Metrics[RTAX_MTU];
            if (mtu == 0)
            {
                mtu = Dev.Mtu;
                if (MtuLocked && RtUsesGateway && mtu > 576)
                    mtu = 576;
            }

            return Math.Min(mtu, IpMaxMtu);
        }
    }

    /// <inheritdoc/>
    public override int Advmss
    {
        [Linux("ipv4_default_advmss")]
        get
        {
            uint metric = Metrics[RTAX_ADVMSS];
            if (metric != 0)
                return (int)metric;
            const int HeaderSize = 40;
            int advmss = Math.Max(Dev.Mtu - HeaderSize, ipv4.SysctlMinAdvMss);
            return Math.Min(advmss, 65535 - HeaderSize);
        }
    }

    /// <summary>TTL of packets that do not choose one (<c>ip4_dst_hoplimit</c>).</summary>
    public int Hoplimit => Metrics[RTAX_HOPLIMIT] is not 0 and uint limit ? (int)limit : ipv4.SysctlDefaultTtl;

    /// <summary>The metric with a number, <c>RTAX_*</c> (<c>dst_metric</c>).</summary>
    public override uint Metric(int metric) => Metrics[metric];

    /// <inheritdoc/>
    public override bool Check() => !killed && genid == ipv4.RtGenid;

    /// <summary>The address of the next hop for packets to <paramref name="daddr"/> (<c>rt_nexthop</c>).</summary>
    public uint Nexthop(uint daddr) => RtGw4 != 0 ? RtGw4 : daddr;

    /// <inheritdoc/>
    public override int Input(SkBuff skb)
    {
        switch (InputKind)
        {
            case RtInput.LocalDeliver:
                return IpInput.IpLocalDeliver(skb);
            case RtInput.Forward:
                return IpForward.Forward(skb);
            case RtInput.Error:
                return Route.IpError(skb);
            default:
                skb.Free();
                return 0;
        }
    }

    /// <inheritdoc/>
    public override int Output(NetNamespace net, Sock? sk, SkBuff skb)
    {
        switch (OutputKind)
        {
            case RtOutput.IpOutput:
                return IpOutput.Output(net, sk, skb);
            case RtOutput.IpMcOutput:
                return IpOutput.IpMcOutput(net, sk, skb);
            case RtOutput.RtBug:
                return Route.IpRtBug(skb);
            default:
                skb.Free();
                return 0;
        }
    }

    /// <inheritdoc/>
    public override void ConfirmNeigh(SkBuff skb) => ConfirmNeigh(skb.IpHdr.Saddr);

    /// <summary>A higher layer heard from the next hop towards <paramref name="daddr"/>.</summary>
    [Linux("ipv4_confirm_neigh")]
    public void ConfirmNeigh(uint daddr)
    {
        if ((RtFlags & (RTCF_MULTICAST | RTCF_BROADCAST | RTCF_LOCAL)) == 0)
            Arp.Ipv4NeighLookup(Dev, Nexthop(daddr))?.Confirm();
    }

    /// <inheritdoc/>
    [Linux("ipv4_negative_advice")]
    public override void NegativeAdvice(Sock sk)
    {
        if (killed || expires != 0)
            sk.SkDstCache = null;
    }

    /// <inheritdoc/>
    public override void UpdatePmtu(Sock? sk, SkBuff? skb, int mtu) => Route.IpRtUpdatePmtu(this, sk, skb, mtu);

    /// <summary>Nobody shall use the entry any more (<c>DST_OBSOLETE_KILL</c>).</summary>
    internal void Kill() => killed = true;

    /// <summary>Takes over what was learned of the path.</summary>
    internal void SetPmtu(int mtu, bool locked, long expiresAt)
    {
        mtuLocked = locked;
        expires = expiresAt;
        Volatile.Write(ref pmtu, mtu);
    }
}
