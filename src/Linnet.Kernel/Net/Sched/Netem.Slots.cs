using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <content>Settings becoming state, and slots.</content>
public sealed partial class Netem
{
    private NetemCrandom slotCor;
    private short[]? slotDist;

    // When the next slot begins, ns; 0 without slots.
    private long slotNext;
    private int packetsLeft;
    private int bytesLeft;

    private void Apply(NetemOptions changed, bool first)
    {
        // A seed that is given again begins again.
        if (first || (changed.Seed != null && changed.Seed != options.Seed))
        {
            changed = changed with { Seed = changed.Seed ?? random.NextU64() };
            prng.Seed(changed.Seed!.Value);
        }

        if (first || options.DelayCorrelation != changed.DelayCorrelation)
            delayCor = new NetemCrandom(changed.DelayCorrelation, random.NextU32());
        if (first || options.LossCorrelation != changed.LossCorrelation)
            lossCor = new NetemCrandom(changed.LossCorrelation, random.NextU32());
        if (first || options.DuplicateCorrelation != changed.DuplicateCorrelation)
            dupCor = new NetemCrandom(changed.DuplicateCorrelation, random.NextU32());
        if (first || options.ReorderCorrelation != changed.ReorderCorrelation)
            reorderCor = new NetemCrandom(changed.ReorderCorrelation, random.NextU32());
        if (first || options.CorruptCorrelation != changed.CorruptCorrelation)
            corruptCor = new NetemCrandom(changed.CorruptCorrelation, random.NextU32());
        delayDist = NetemDistribution.Table(changed.Distribution);
        if (first || options.Slots != changed.Slots)
            GetSlot(changed.Slots);
        options = changed with { Seed = changed.Seed ?? options.Seed };
    }

    [Linux("get_slot")]
    private void GetSlot(NetemSlots? slots)
    {
        slotNext = 0;
        if (slots == null)
            return;
        slotDist = slots.Distribution is { } distribution ? NetemDistribution.Table(distribution) : null;
        Refill(slots);
        if (slots.MinDelay > TimeSpan.Zero || slots.MaxDelay > TimeSpan.Zero || slots.Jitter > TimeSpan.Zero)
            slotNext = Math.Max(1, Clock.Now);
    }

    [Linux("get_slot_next")]
    private void GetSlotNext(long now)
    {
        NetemSlots slots = options.Slots!;
        long delay = slots.MinDelay.Ticks * 100;
        if (slots.Distribution == null)
            delay += (long)((UInt128)prng.NextU32() * (ulong)((slots.MaxDelay - slots.MinDelay).Ticks * 100) >> 32);
        else
            delay = NetemChance.Tabledist(delay, slots.Jitter.Ticks * 100, ref slotCor, ref prng, slotDist);
        slotNext = Math.Max(1, now + Math.Max(0, delay));
        Refill(slots);
    }

    private void CountInSlot(SkBuff skb, long now)
    {
        if (slotNext == 0)
            return;
        packetsLeft--;
        bytesLeft -= PktLen(skb);
        if (packetsLeft <= 0 || bytesLeft <= 0)
            GetSlotNext(now);
    }

    private void Refill(NetemSlots slots)
    {
        packetsLeft = slots.MaxPackets == 0 ? int.MaxValue : slots.MaxPackets;
        bytesLeft = slots.MaxBytes == 0 ? int.MaxValue : slots.MaxBytes;
    }
}
