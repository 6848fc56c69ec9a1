using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Fair queueing that paces (<c>fq</c>): each socket is a flow, flows take turns, and a packet goes no earlier than its time, which
/// is the one that its sender gave it (<see cref="SkBuff.Tstamp"/>, nanoseconds since boot), or follows from the socket's rate.
/// </summary>
[LinuxFile("net/sched/sch_fq.c")]
public sealed partial class Fq : Qdisc
{
    private const long Never = long.MaxValue;
    private const int FastpathMost = 8;

    private readonly Band[] bands = new Band[FqOptions.BandCount];
    private readonly FqDelayed delayed = new();

    // Packets that need no flow, as nobody else waits.
    private readonly FqFlow internalFlow = new();
    private int bandNumber;
    private FqOptions options;
    private ulong maxRate;
    private long timeNextDelayedFlow = Never;

    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="options">How it works.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public Fq(NetDevice dev, FqOptions options)
        : base(dev)
    {
        if (options.Validate() is { } problem)
            throw new ArgumentException(problem, nameof(options));
        buckets = new FqFlow?[options.Buckets];
        this.options = options;
        Apply(options);
    }

    /// <inheritdoc/>
    public override string Id => "fq";

    /// <inheritdoc/>
    public override QdiscOptions Dump => options;

    private long HorizonNs => options.Horizon.Ticks * 100;

    /// <inheritdoc/>
    [Linux("fq_change")]
    private protected override int ChangeLocked(QdiscOptions changed)
    {
        Apply((FqOptions)changed);
        if (buckets.Length != options.Buckets)
            FqResize(options.Buckets);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("fq_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        byte band = options.Priomap[(int)(skb.Priority & TC_PRIO_MAX)];
        if (bands[band].Packets >= options.Limit)
        {
            bandDrops++;
            return Drop(skb);
        }

        long now = Clock.Now;
        if (!SetTime(skb, now))
            return Drop(skb);
        FqFlow flow = FqClassify(skb, now);
        if (flow != internalFlow)
        {
            if (flow.Queue.Qlen >= options.FlowLimit)
            {
                flowsPlimit++;
                return Drop(skb);
            }

            Join(flow, skb, band);
        }

        flow.QueueAdd(skb);
        Queued(skb);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }

    /// <inheritdoc/>
    [Linux("fq_dequeue")]
    private protected override SkBuff? Dequeue()
    {
        if (QueueLength == 0)
            return null;
        if (internalFlow.Queue.Dequeue() is { } skb)
        {
            Unqueued(skb);
            BstatsUpdate(skb);
            return skb;
        }

        long now = Clock.Now;
        FqCheckThrottled(now);
        while (NextFlow(out bool isNew) is { } flow)
        {
            if (DequeueFromFlow(flow, isNew, now) is not { } next)
                continue;
            BstatsUpdate(next);
            return next;
        }

        if (timeNextDelayedFlow != Never)
            QdiscWatchdogScheduleRangeNs(timeNextDelayedFlow + options.TimerSlack.Ticks * 100);
        return null;
    }

    /// <inheritdoc/>
    [Linux("fq_reset")]
    private protected override void Purge()
    {
        while (internalFlow.Queue.Dequeue() is { } skb)
            FreeLater(skb);
        foreach (FqFlow? bucket in buckets)
        {
            for (FqFlow? flow = bucket; flow != null; flow = flow.BucketNext)
            {
                while (flow.Queue.Dequeue() is { } queued)
                    FreeLater(queued);
            }
        }

        Array.Clear(buckets);
        delayed.Clear();
        for (int band = 0; band < bands.Length; band++)
            bands[band] = new Band { Quantum = bands[band].Quantum, Credit = bands[band].Quantum };
        timeNextDelayedFlow = Never;
        flowCount = inactiveFlows = throttledFlows = 0;
    }

    private void Apply(FqOptions changed)
    {
        int mtu = Dev.Mtu + Dev.HardHeaderLen;
        options = changed with
        {
            Quantum = changed.Quantum != 0 ? changed.Quantum : 2 * mtu,
            InitialQuantum = changed.InitialQuantum != 0 ? changed.InitialQuantum : 10 * mtu,
        };
        maxRate = changed.MaxRate ?? ulong.MaxValue;
        for (int band = 0; band < bands.Length; band++)
            bands[band].Quantum = bands[band].Credit = options.Weights[band];
    }

    // Earliest departure time: the sender's, or now.
    private bool SetTime(SkBuff skb, long now)
    {
        ref QdiscSkbCb cb = ref skb.Cb<QdiscSkbCb>();
        cb.TimeToSend = now;
        if (skb.Tstamp == 0)
            return true;
        if (skb.Tstamp > now + HorizonNs)
        {
            if (options.HorizonDrop)
            {
                horizonDrops++;
                return false;
            }

            horizonCaps++;
            skb.Tstamp = now + HorizonNs;
        }

        cb.TimeToSend = skb.Tstamp;
        return true;
    }

    private void Join(FqFlow flow, SkBuff skb, byte band)
    {
        flow.Band = band;
        bands[band].Packets++;
        skb.Cb<QdiscSkbCb>().Band = band;
        if (flow.Queue.Qlen == 0)
            inactiveFlows--;
        if (flow.State != FqFlowState.Detached)
            return;
        AddTail(flow, isNew: true);
        if (Clock.Jiffies > flow.Age + (long)options.RefillDelay.TotalMilliseconds)
            flow.Credit = Math.Max(flow.Credit, options.Quantum);
    }

    // The flow whose turn it is; bands take turns by their weights, and in a band new flows go first.
    private FqFlow? NextFlow(out bool isNew)
    {
        for (int empty = 0; empty < bands.Length;)
        {
            ref Band band = ref bands[bandNumber];
            FqFlow? flow = band.NewFlows.First ?? band.OldFlows.First;
            if (flow != null && band.Credit > 0)
            {
                isNew = flow == band.NewFlows.First;
                return flow;
            }

            empty = flow == null ? empty + 1 : 0;
            bandNumber = (bandNumber + 1) % bands.Length;
            ref Band next = ref bands[bandNumber];
            next.Credit = Math.Min(next.Credit + next.Quantum, next.Quantum);
        }

        isNew = false;
        return null;
    }

    private SkBuff? DequeueFromFlow(FqFlow flow, bool isNew, long now)
    {
        if (flow.Credit <= 0)
        {
            flow.Credit += options.Quantum;
            RemoveHead(flow, isNew);
            AddTail(flow, isNew: false);
            return null;
        }

        if (flow.Queue.First is not { } skb)
        {
            // A new flow that is empty goes through the old ones once, so that it cannot be new again at once.
            RemoveHead(flow, isNew);
            if (isNew)
            {
                AddTail(flow, isNew: false);
            }
            else
            {
                flow.State = FqFlowState.Detached;
                flow.Age = Clock.Jiffies;
            }

            return null;
        }

        long time = Math.Max(skb.Cb<QdiscSkbCb>().TimeToSend, flow.TimeNextPacket);
        if (now < time)
        {
            RemoveHead(flow, isNew);
            flow.TimeNextPacket = time;
            FqFlowSetThrottled(flow);
            return null;
        }

        Take(flow, skb);
        if (options.CeThreshold is { } threshold && now - time > threshold.Ticks * 100)
        {
            SkbEcn.InetEcnSetCe(skb);
            ceMark++;
        }

        int length = PktLen(skb);
        flow.Credit -= length;
        bands[flow.Band].Credit -= length;
        if (options.Pacing)
            Pace(flow, skb, length, now);
        return skb;
    }

    private void Take(FqFlow flow, SkBuff skb)
    {
        flow.Queue.Unlink(skb);
        Unqueued(skb);
        bands[skb.Cb<QdiscSkbCb>().Band].Packets--;
        if (flow.Queue.Qlen == 0)
            inactiveFlows++;
    }

    // Says when the flow's next packet may go.
    private void Pace(FqFlow flow, SkBuff skb, int length, long now)
    {
        ulong rate = maxRate;

        // A sender that gives times paces by itself.
        if (skb.Tstamp == 0)
        {
            if (skb.Sk is { } sk)
                rate = Math.Min(Volatile.Read(ref sk.SkPacingRate), rate);
            if (rate <= options.LowRateThreshold)
            {
                flow.Credit = 0;
            }
            else
            {
                length = Math.Max(length, options.Quantum);
                if (flow.Credit > 0)
                    return;
            }
        }

        if (rate == ulong.MaxValue)
            return;
        long pause = rate == 0 ? Clock.NsecPerSec : (long)Math.Min((ulong)length * Clock.NsecPerSec / rate, long.MaxValue);
        if (pause > Clock.NsecPerSec)
        {
            pause = Clock.NsecPerSec;
            pktsTooLong++;
        }

        // A timer that was late must not make the flow slower.
        if (flow.TimeNextPacket != 0)
            pause -= Math.Min(pause / 2, now - flow.TimeNextPacket);
        flow.TimeNextPacket = now + pause;
    }

    [Linux("fq_check_throttled")]
    private void FqCheckThrottled(long now)
    {
        if (timeNextDelayedFlow > now)
            return;
        timeNextDelayedFlow = Never;
        while (delayed.First is { } flow)
        {
            if (flow.TimeNextPacket > now)
            {
                timeNextDelayedFlow = flow.TimeNextPacket;
                break;
            }

            FqFlowUnsetThrottled(flow);
        }
    }

    [Linux("fq_flow_set_throttled")]
    private void FqFlowSetThrottled(FqFlow flow)
    {
        flow.State = FqFlowState.Throttled;
        delayed.Add(flow);
        throttledFlows++;
        throttled++;
        timeNextDelayedFlow = Math.Min(timeNextDelayedFlow, flow.TimeNextPacket);
    }

    [Linux("fq_flow_unset_throttled")]
    private void FqFlowUnsetThrottled(FqFlow flow)
    {
        delayed.Remove(flow);
        throttledFlows--;
        AddTail(flow, isNew: false);
    }

    private void AddTail(FqFlow flow, bool isNew)
    {
        flow.State = FqFlowState.Active;
        flow.ListBand = flow.Band;
        if (isNew)
            bands[flow.Band].NewFlows.Append(flow);
        else
            bands[flow.Band].OldFlows.Append(flow);
    }

    private void RemoveHead(FqFlow flow, bool isNew)
    {
        if (isNew)
            bands[flow.ListBand].NewFlows.RemoveFirst();
        else
            bands[flow.ListBand].OldFlows.RemoveFirst();
    }

    [LinuxStruct("fq_perband_flows")]
    private struct Band
    {
        public FqFlowHead NewFlows;
        public FqFlowHead OldFlows;
        public int Credit;
        public int Quantum;
        public int Packets;
    }
}
