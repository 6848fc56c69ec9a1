using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// How a queueing discipline works: what <c>tc qdisc</c> says after the discipline's name. Each discipline has its own record,
/// whose defaults are Linux's; values that depend on the device are 0 there until the discipline is made.
/// </summary>
public abstract record QdiscOptions
{
    /// <summary>Name of the discipline, as <c>fq_codel</c>.</summary>
    public abstract string Id { get; }

    /// <summary>Says what is wrong with the options; null for nothing.</summary>
    public abstract string? Validate();

    /// <summary>
    /// What a request to change a discipline that runs with these options begins with. Most keep what is not named; see
    /// <c>netem</c>.
    /// </summary>
    public virtual QdiscOptions ForChange() => this;
}

/// <summary>
/// What a queueing discipline did (<c>gnet_stats_basic</c>, <c>gnet_stats_queue</c>). <see cref="Packets"/> counts the segments
/// of large packets one by one, and <see cref="Bytes"/> the headers of each.
/// </summary>
[LinuxStruct("gnet_stats_queue")]
public struct QdiscStats
{
    /// <summary>Bytes given to the device.</summary>
    public long Bytes;

    /// <summary>Packets given to the device.</summary>
    public long Packets;

    /// <summary>Packets dropped.</summary>
    public long Drops;

    /// <summary>How often a packet was there and not allowed to go.</summary>
    public long Overlimits;

    /// <summary>Packets that were put in again.</summary>
    public long Requeues;

    /// <summary>Bytes that wait.</summary>
    public long Backlog;

    /// <summary>Packets that wait.</summary>
    public int Qlen;
}

/// <summary>What a queueing discipline keeps in a packet that it holds (<c>struct qdisc_skb_cb</c> and the disciplines' own).</summary>
[LinuxStruct("qdisc_skb_cb")]
public struct QdiscSkbCb
{
    /// <summary>Bytes on the link, with the headers of every segment (<c>qdisc_pkt_len</c>).</summary>
    public int PktLen;

    /// <summary>Memory that the discipline counts for the packet.</summary>
    public int MemUsage;

    /// <summary>When the packet may go, ns.</summary>
    public long TimeToSend;

    /// <summary>When the packet came, in units of 1024 ns.</summary>
    public uint EnqueueTime;

    /// <summary>Its band of priority.</summary>
    public byte Band;
}
