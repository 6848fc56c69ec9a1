using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// The network emulator (<c>netem</c>): delays, loses, duplicates, reorders and corrupts what a device sends, and limits its
/// rate. Chance begins with a number from the machine's random source, so a seeded run repeats. Packets whose time has come go through
/// a child, if one is put there (class 1).
/// </summary>
/// <remarks>
/// Packets of many segments are cut first where single segments can be lost, so that a loss of 1 % is one of a hundred
/// packets on the wire; Linux loses them whole.
/// </remarks>
[LinuxFile("net/sched/sch_netem.c")]
public sealed partial class Netem : Qdisc
{
    private readonly RandomSource random;
    private NetemOptions options;
    private Prandom prng;
    private NetemCrandom delayCor;
    private NetemCrandom lossCor;
    private NetemCrandom dupCor;
    private NetemCrandom reorderCor;
    private NetemCrandom corruptCor;
    private short[]? delayDist;

    // Those that overtake are in a queue of their own, and go at once.
    private readonly Tfifo tfifo = new();
    private SkBuffHead overtaking;
    private Qdisc? child;
    private int sinceReorder;
    private bool bad;
    private int lossState = 1;
    private bool noDuplicates;

    /// <summary>Makes an emulator; set it as the device's discipline to use it.</summary>
    /// <param name="dev">The device whose sent packets it treats.</param>
    /// <param name="options">What it does to them.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public Netem(NetDevice dev, NetemOptions options)
        : base(dev)
    {
        random = dev.Net.Machine.Random;
        this.options = options;
        Apply(Checked(options), first: true);
    }

    /// <summary>What is done to packets; may be changed at any time, and holds for packets that are sent from then on.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public NetemOptions Options
    {
        get => options;
        set => Bug.On(Change(Checked(value)) != 0);
    }

    /// <inheritdoc/>
    public override string Id => "netem";

    /// <inheritdoc/>
    public override QdiscOptions Dump => options;

    /// <inheritdoc/>
    public override Qdisc? Leaf => child;

    /// <inheritdoc/>
    public override bool HasClass => true;

    /// <inheritdoc/>
    [Linux("netem_change")]
    private protected override int ChangeLocked(QdiscOptions changed)
    {
        Apply((NetemOptions)changed, first: false);
        return 0;
    }

    /// <inheritdoc/>
    private protected override void SetLeaf(Qdisc? changed) => child = changed;

    /// <inheritdoc/>
    [Linux("netem_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        bool treatsPackets = options.Loss > 0 || options.Bursts != null || options.States != null || options.Duplicate > 0
            || options.Reorder > 0 || options.Corrupt > 0;
        if (!skb.IsGso || !treatsPackets)
            return EnqueuePacket(skb);

        int before = PktLen(skb);
        SkBuff? segment = Gso.SkbGsoSegment(skb, NetdevFeatures.None);
        if (segment == null)
            return Drop(skb);
        FreeLater(skb);

        // A sender that is told of a drop takes all of the packet for not sent: true only when none of it is queued.
        int result = Net.Core.Dev.NET_XMIT_DROP;
        int packets = QueueLength;
        long bytes = Counters.Backlog;
        while (segment != null)
        {
            SkBuff? next = segment.Next;
            segment.Next = null;
            QdiscPktLenInit(segment);
            int taken = EnqueuePacket(segment);
            if (taken == Net.Core.Dev.NET_XMIT_SUCCESS || result == Net.Core.Dev.NET_XMIT_DROP)
                result = taken;
            segment = next;
        }

        // Those above count one packet.
        if (result == Net.Core.Dev.NET_XMIT_SUCCESS)
            QdiscTreeReduceBacklog(this, 1 - (QueueLength - packets), before - (Counters.Backlog - bytes));
        return result;
    }

    /// <inheritdoc/>
    [Linux("netem_dequeue")]
    private protected override SkBuff? Dequeue()
    {
        if (overtaking.Dequeue() is { } skb)
            return Deliver(skb);
        while (tfifo.First is { } first)
        {
            long now = Clock.Now;
            long time = tfifo.FirstTime;
            if (slotNext != 0 && slotNext < time)
                GetSlotNext(now);
            if (time > now || slotNext > now)
            {
                if (FromChild() is { } ready)
                    return ready;
                QdiscWatchdogScheduleRangeNs(Math.Max(time, slotNext));
                return null;
            }

            tfifo.Take();
            CountInSlot(first, now);
            if (child == null)
                return Deliver(first);
            ToChild(first);
        }

        return FromChild();
    }

    /// <inheritdoc/>
    [Linux("netem_reset")]
    private protected override void Purge()
    {
        while (overtaking.Dequeue() is { } skb)
            FreeLater(skb);
        while (tfifo.Count > 0)
            FreeLater(tfifo.Take());
    }

    private int EnqueuePacket(SkBuff skb)
    {
        int copies = 1;
        if (!noDuplicates && Happens(options.Duplicate, ref dupCor))
            copies++;
        if (LossEvent())
        {
            Counters.Drops++;
            if (!options.Ecn || !SkbEcn.InetEcnSetCe(skb))
                copies--;
        }

        if (copies == 0)
        {
            // The sender is not told, as on a real link.
            FreeLater(skb);
            return Net.Core.Dev.NET_XMIT_SUCCESS | XmitBypass;
        }

        // What is under way is nobody's any more: a sender's buffer does not hold the link's content.
        skb.Orphan();
        SkBuff? copy = copies > 1 ? skb.CopyHead(skb.DataOffset) : null;
        if (Happens(options.Corrupt, ref corruptCor))
            FlipBit(skb);
        if (tfifo.Count >= options.Limit)
        {
            if (copy != null)
                FreeLater(copy);
            return Drop(skb);
        }

        if (copy != null)
            EnqueueCopy(copy);
        Queued(skb);
        Schedule(skb);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }

    // The copy goes in from above: those there count what is put in, and expect one packet for one. It is not copied again.
    private void EnqueueCopy(SkBuff copy)
    {
        noDuplicates = true;
        EnqueueAtRoot(copy);
        noDuplicates = false;
    }

    private void Schedule(SkBuff skb)
    {
        bool candidate = options.Reorder > 0 && sinceReorder >= options.Gap - 1;
        if (candidate && Happens(options.Reorder, ref reorderCor))
        {
            sinceReorder = 0;
            overtaking.QueueHead(skb);
            Counters.Requeues++;
            return;
        }

        long now = Clock.Now;
        long delay = NetemChance.Tabledist(
            options.Delay.Ticks * 100, options.Jitter.Ticks * 100, ref delayCor, ref prng, delayDist);
        if (options.Rate > 0)
        {
            // Bits follow each other on the wire: the time that the last packet there still needs is part of the delay.
            if (tfifo.Count > 0)
            {
                delay = Math.Max(0, delay - (tfifo.LastTime - now));
                now = tfifo.LastTime;
            }

            delay += PacketTimeNs(PktLen(skb));
        }

        sinceReorder++;
        TfifoEnqueue(skb, now + delay);
    }

    [Linux("tfifo_enqueue")]
    private void TfifoEnqueue(SkBuff skb, long departure) => tfifo.Add(skb, departure);

    private SkBuff Deliver(SkBuff skb)
    {
        Unqueued(skb);
        BstatsUpdate(skb);
        return skb;
    }

    private void ToChild(SkBuff skb)
    {
        int length = PktLen(skb);
        int result = EnqueueTo(child!, skb);
        if (result == Net.Core.Dev.NET_XMIT_SUCCESS)
            return;
        if (result == Net.Core.Dev.NET_XMIT_DROP)
            Counters.Drops++;
        Counters.Backlog -= length;
        QueueLength--;
        QdiscTreeReduceBacklog(this, 1, length);
    }

    private SkBuff? FromChild() => child != null && DequeueFrom(child) is { } skb ? Deliver(skb) : null;

    [Linux("loss_event")]
    private bool LossEvent()
    {
        if (options.Bursts is { } model)
            return NetemChance.LossGilbEll(model, ref bad, ref prng);
        if (options.States is { } states)
            return NetemChance.Loss4State(states, ref lossState, ref prng);
        return Happens(options.Loss, ref lossCor);
    }

    private bool Happens(double probability, ref NetemCrandom state) =>
        probability > 0 && NetemChance.Scale(probability) >= state.Next(ref prng);

    private void FlipBit(SkBuff skb)
    {
        skb.ChecksumHelp();
        Bug.On(!skb.PskbMayPull(skb.Len));
        skb.EnsureWritableHead(skb.DataOffset);
        uint bit = (uint)((ulong)prng.NextU32() * ((uint)skb.Len * 8) >> 32);
        skb.Data[(int)(bit / 8)] ^= (byte)(1 << (int)(bit % 8));
    }

    [Linux("packet_time_ns")]
    private long PacketTimeNs(int length)
    {
        long bytes = Math.Max(0, length + options.PacketOverhead);
        if (options.CellSize > 0)
            bytes = (bytes + options.CellSize - 1) / options.CellSize * (options.CellSize + options.CellOverhead);
        return (long)((UInt128)bytes * 8 * (ulong)Clock.NsecPerSec / (ulong)options.Rate);
    }

    private static NetemOptions Checked(NetemOptions options) =>
        options.Validate() is { } problem ? throw new ArgumentException(problem, nameof(options)) : options;
}
