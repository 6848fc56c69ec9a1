using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <content>Which flow a packet belongs to, and the flows that are known.</content>
public sealed partial class Fq
{
    // FQ_GC_MAX and FQ_GC_AGE: how many old flows are forgotten at a time, and after how many jiffies.
    private const int GcMost = 8;
    private const long GcAge = 3 * Clock.Hz;

    // Marks keys that are hashes; sockets' numbers do not get there.
    private const long OrphanKey = 1L << 62;

    private FqFlow?[] buckets;
    private int flowCount;
    private int inactiveFlows;
    private int throttledFlows;
    private long gcFlows;
    private long fastpathPackets;
    private long throttled;
    private long flowsPlimit;
    private long pktsTooLong;
    private long ceMark;
    private long horizonDrops;
    private long horizonCaps;
    private long bandDrops;

    /// <summary>What it did until now.</summary>
    public FqStats FqStats => new()
    {
        Flows = flowCount,
        InactiveFlows = inactiveFlows,
        ThrottledFlows = throttledFlows,
        GcFlows = gcFlows,
        FastpathPackets = fastpathPackets,
        Throttled = throttled,
        FlowsPlimit = flowsPlimit,
        PktsTooLong = pktsTooLong,
        CeMark = ceMark,
        HorizonDrops = horizonDrops,
        HorizonCaps = horizonCaps,
        BandDrops = bandDrops,
    };

    [Linux("fq_classify")]
    private FqFlow FqClassify(SkBuff skb, long now)
    {
        Sock? sk = skb.Sk;
        if (sk == null || sk.SkcState == TCP_LISTEN)
        {
            sk = null;
            skb.Orphan();
        }
        else if (sk.SkcState == TCP_CLOSE)
        {
            // Sockets that are not connected send to many: their packets are told apart as strangers' are.
            sk = null;
        }

        if (FqFastpathCheck(skb, now))
        {
            fastpathPackets++;
            if (sk != null && options.Pacing)
                sk.SkPacingStatus = SockPacing.Fq;
            return internalFlow;
        }

        long key = sk?.SockGenCookie() ?? OrphanKey | (FlowHash.SkbGetHash(skb) & options.OrphanMask);
        ref FqFlow? bucket = ref buckets[BucketOf(key, buckets.Length)];
        FqGc(ref bucket, key);
        for (FqFlow? known = bucket; known != null; known = known.BucketNext)
        {
            if (known.Key != key)
                continue;
            if (sk != null && known.SocketHash != sk.SkcHash)
                Renew(known, sk);
            return known;
        }

        return NewFlow(ref bucket, key, sk);
    }

    // While nobody waits but flows whose time has not come, packets need no turns.
    [Linux("fq_fastpath_check")]
    private bool FqFastpathCheck(SkBuff skb, long now)
    {
        if (skb.Cb<QdiscSkbCb>().TimeToSend > now)
            return false;
        if (QueueLength != 0)
        {
            if (flowCount != inactiveFlows + throttledFlows || internalFlow.Queue.Qlen >= FastpathMost
                || timeNextDelayedFlow <= now)
                return false;
        }

        if (skb.Sk is { } sk && !sk.SkIsTcp && sk.SkMaxPacingRate != ulong.MaxValue)
            return false;
        return maxRate == ulong.MaxValue;
    }

    private FqFlow NewFlow(ref FqFlow? bucket, long key, Sock? sk)
    {
        FqFlow flow = new() { Key = key, Credit = options.InitialQuantum, Age = Clock.Jiffies, BucketNext = bucket };
        if (sk != null)
        {
            flow.SocketHash = sk.SkcHash;
            if (options.Pacing)
                sk.SkPacingStatus = SockPacing.Fq;
        }

        bucket = flow;
        flowCount++;
        inactiveFlows++;
        return flow;
    }

    // The socket was used again for another connection.
    private void Renew(FqFlow flow, Sock sk)
    {
        flow.Credit = options.InitialQuantum;
        flow.SocketHash = sk.SkcHash;
        if (options.Pacing)
            sk.SkPacingStatus = SockPacing.Fq;
        if (flow.State == FqFlowState.Throttled)
            FqFlowUnsetThrottled(flow);
        flow.TimeNextPacket = 0;
    }

    [Linux("fq_gc")]
    private void FqGc(ref FqFlow? bucket, long key)
    {
        int found = 0;
        long oldest = Clock.Jiffies - GcAge;
        ref FqFlow? link = ref bucket;
        while (link is { } flow && flow.Key != key && found < GcMost)
        {
            if (flow.State == FqFlowState.Detached && flow.Age < oldest)
            {
                link = flow.BucketNext;
                found++;
            }
            else
            {
                link = ref flow.BucketNext;
            }
        }

        flowCount -= found;
        inactiveFlows -= found;
        gcFlows += found;
    }

    [Linux("fq_resize")]
    private void FqResize(int size)
    {
        FqFlow?[] before = buckets;
        buckets = new FqFlow?[size];
        foreach (FqFlow? bucket in before)
        {
            for (FqFlow? flow = bucket; flow != null;)
            {
                FqFlow? next = flow.BucketNext;
                ref FqFlow? to = ref buckets[BucketOf(flow.Key, size)];
                flow.BucketNext = to;
                to = flow;
                flow = next;
            }
        }
    }

    // hash_64(): the golden ratio spreads numbers that follow each other.
    private static int BucketOf(long key, int buckets) =>
        (int)((ulong)key * 0x61C8864680B583EBUL >> (64 - int.Log2(buckets)));
}
