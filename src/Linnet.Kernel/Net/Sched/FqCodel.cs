using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Fair queueing with controlled delay (RFC 8290): flows take turns, new ones first, and each has a <see cref="CodelVars"/>
/// that keeps its packets from waiting.
/// </summary>
[LinuxFile("net/sched/sch_fq_codel.c")]
public sealed class FqCodel : Qdisc
{
    private readonly Flow[] flows;
    private FlowList newFlows;
    private FlowList oldFlows;
    private FqCodelOptions options;
    private CodelParams settings;
    private CodelStats codelStats;
    private int memoryUsage;
    private long dropOverlimit;
    private long dropOvermemory;
    private long newFlowCount;

    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="options">How it works.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public FqCodel(NetDevice dev, FqCodelOptions options)
        : base(dev)
    {
        if (options.Validate() is { } problem)
            throw new ArgumentException(problem, nameof(options));
        flows = new Flow[options.Flows];
        for (int i = 0; i < flows.Length; i++)
            flows[i] = new Flow();
        this.options = options;
        Apply(options);
    }

    /// <inheritdoc/>
    public override string Id => "fq_codel";

    /// <inheritdoc/>
    public override QdiscOptions Dump => options;

    /// <summary>What it did until now.</summary>
    public FqCodelStats FqCodelStats => new()
    {
        MaxPacket = codelStats.MaxPacket,
        DropOverlimit = dropOverlimit,
        EcnMark = codelStats.EcnMark,
        NewFlowCount = newFlowCount,
        NewFlowsLen = newFlows.Count,
        OldFlowsLen = oldFlows.Count,
        CeMark = codelStats.CeMark,
        MemoryUsage = memoryUsage,
        DropOvermemory = dropOvermemory,
    };

    /// <inheritdoc/>
    [Linux("fq_codel_change")]
    private protected override int ChangeLocked(QdiscOptions changed)
    {
        if (((FqCodelOptions)changed).Flows != flows.Length)
            return -EINVAL;
        Apply((FqCodelOptions)changed);
        while (QueueLength > options.Limit || memoryUsage > options.MemoryLimit)
        {
            int packets = QueueLength;
            long bytes = Counters.Backlog;
            FqCodelDrop(1);
            QdiscTreeReduceBacklog(this, packets - QueueLength, bytes - Counters.Backlog);
        }

        return 0;
    }

    /// <inheritdoc/>
    [Linux("fq_codel_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        Flow flow = flows[FqCodelHash(skb)];
        ref QdiscSkbCb cb = ref skb.Cb<QdiscSkbCb>();
        cb.EnqueueTime = CodelVars.Time(Clock.Now);
        cb.MemUsage = skb.Truesize;
        int length = cb.PktLen;
        flow.Queue.QueueTail(skb);
        flow.Backlog += length;
        Queued(skb);
        if (flow.List == ListKind.None)
        {
            newFlows.Append(flow, ListKind.New);
            newFlowCount++;
            flow.Deficit = options.Quantum;
        }

        memoryUsage += cb.MemUsage;
        bool tooMuchMemory = memoryUsage > options.MemoryLimit;
        if (QueueLength <= options.Limit && !tooMuchMemory)
            return Net.Core.Dev.NET_XMIT_SUCCESS;
        return MakeRoom(flow, length, tooMuchMemory);
    }

    /// <inheritdoc/>
    [Linux("fq_codel_dequeue")]
    private protected override SkBuff? Dequeue()
    {
        while (true)
        {
            bool isNew = newFlows.First != null;
            if ((newFlows.First ?? oldFlows.First) is not { } flow)
                return null;
            if (flow.Deficit <= 0)
            {
                flow.Deficit += options.Quantum;
                Unlist(flow);
                oldFlows.Append(flow, ListKind.Old);
                continue;
            }

            Source source = new(this, flow);
            SkBuff? skb = flow.Vars.Dequeue(ref source, settings, ref codelStats, CodelVars.Time(Clock.Now));
            if (skb == null)
            {
                // A new flow that is empty goes through the old ones once, so that it cannot be new again at once.
                Unlist(flow);
                if (isNew && oldFlows.First != null)
                    oldFlows.Append(flow, ListKind.Old);
                else
                    flow.List = ListKind.None;
                continue;
            }

            BstatsUpdate(skb);
            flow.Deficit -= PktLen(skb);
            ReportDrops();
            return skb;
        }
    }

    /// <inheritdoc/>
    [Linux("fq_codel_reset")]
    private protected override void Purge()
    {
        newFlows = oldFlows = default;
        foreach (Flow flow in flows)
        {
            while (flow.Queue.Dequeue() is { } skb)
                FreeLater(skb);
            flow.Reset();
        }

        memoryUsage = 0;
        codelStats.DropCount = 0;
        codelStats.DropLen = 0;
    }

    private void Apply(FqCodelOptions changed)
    {
        int mtu = Dev.Mtu + Dev.HardHeaderLen;
        options = changed with { Quantum = changed.Quantum != 0 ? changed.Quantum : Math.Max(256, mtu) };
        settings = new CodelParams
        {
            Target = CodelVars.Units(changed.Target),
            Interval = CodelVars.Units(changed.Interval),
            CeThreshold = changed.CeThreshold is { } threshold ? CodelVars.Units(threshold) : int.MaxValue,
            Mtu = mtu,
            Ecn = changed.Ecn,
        };
    }

    [Linux("fq_codel_hash")]
    private uint FqCodelHash(SkBuff skb) => (uint)(((ulong)FlowHash.SkbGetHash(skb) * (uint)flows.Length) >> 32);

    // Says to the sender that its own flow lost packets; other flows' senders find out by themselves.
    private int MakeRoom(Flow flow, int length, bool tooMuchMemory)
    {
        int packets = QueueLength;
        long bytes = Counters.Backlog;
        Flow dropped = FqCodelDrop(options.DropBatch);
        packets -= QueueLength;
        bytes -= Counters.Backlog;
        dropOverlimit += packets;
        if (tooMuchMemory)
            dropOvermemory += packets;

        // One packet of those is that which those above have not counted yet, and do not count when they hear of congestion.
        if (dropped == flow)
        {
            QdiscTreeReduceBacklog(this, packets - 1, bytes - length);
            return Net.Core.Dev.NET_XMIT_CN;
        }

        QdiscTreeReduceBacklog(this, packets, bytes);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }

    // Halves the longest queue at most: dropping one packet at a time would be too slow against who sends more than can go out.
    [Linux("fq_codel_drop")]
    private Flow FqCodelDrop(int most)
    {
        Flow longest = flows[0];
        foreach (Flow flow in flows)
        {
            if (flow.Backlog > longest.Backlog)
                longest = flow;
        }

        long threshold = longest.Backlog >> 1;
        long dropped = 0;
        uint count = 0;
        do
        {
            SkBuff skb = longest.Queue.Dequeue()!;
            dropped += PktLen(skb);
            longest.Backlog -= PktLen(skb);
            memoryUsage -= skb.Cb<QdiscSkbCb>().MemUsage;
            Unqueued(skb);
            Drop(skb);
        }
        while (++count < most && dropped < threshold);

        longest.Vars.Count += count;
        return longest;
    }

    private void ReportDrops()
    {
        if (codelStats.DropCount == 0)
            return;
        QdiscTreeReduceBacklog(this, codelStats.DropCount, codelStats.DropLen);
        codelStats.DropCount = 0;
        codelStats.DropLen = 0;
    }

    private void Unlist(Flow flow)
    {
        if (flow.List == ListKind.New)
            newFlows.RemoveFirst();
        else
            oldFlows.RemoveFirst();
    }

    private enum ListKind : byte
    {
        None,
        New,
        Old,
    }

    [LinuxStruct("fq_codel_flow")]
    private sealed class Flow
    {
        public SkBuffHead Queue;
        public Flow? Next;
        public ListKind List;
        public int Deficit;
        public long Backlog;
        public CodelVars Vars;

        public void Reset()
        {
            Next = null;
            List = ListKind.None;
            Deficit = 0;
            Backlog = 0;
            Vars = default;
        }
    }

    private struct FlowList
    {
        public Flow? First;
        public int Count;
        private Flow? last;

        public void Append(Flow flow, ListKind kind)
        {
            flow.List = kind;
            flow.Next = null;
            if (First == null)
                First = flow;
            else
                last!.Next = flow;
            last = flow;
            Count++;
        }

        public void RemoveFirst()
        {
            First = First!.Next;
            Count--;
        }
    }

    private readonly struct Source(FqCodel qdisc, Flow flow) : ICodelQueue
    {
        public long Backlog => qdisc.Counters.Backlog;

        [Linux("dequeue_func")]
        public SkBuff? DequeueFunc()
        {
            if (flow.Queue.Dequeue() is not { } skb)
                return null;
            flow.Backlog -= PktLen(skb);
            qdisc.memoryUsage -= skb.Cb<QdiscSkbCb>().MemUsage;
            qdisc.Unqueued(skb);
            return skb;
        }

        public void DropFunc(SkBuff skb) => qdisc.Drop(skb);
    }
}
