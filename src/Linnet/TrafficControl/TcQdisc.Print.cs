using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <content>What <c>tc qdisc show</c> prints, blanks included.</content>
internal static partial class TcQdisc
{
    /// <summary>Prints a discipline's options.</summary>
    public static void PrintOptions(StringBuilder output, QdiscOptions options)
    {
        switch (options)
        {
            case PfifoOptions pfifo:
                Add(output, $"limit {pfifo.Limit}p");
                break;
            case PfifoHeadDropOptions pfifo:
                Add(output, $"limit {pfifo.Limit}p");
                break;
            case BfifoOptions bfifo:
                Add(output, $"limit {TcFormat.Size(bfifo.Limit)}");
                break;
            case PfifoFastOptions:
                Add(output, $"bands {PfifoFast.Bands} priomap  {string.Join(' ', PfifoFast.Priomap.ToArray())}");
                break;
            case FqCodelOptions codel:
                PrintFqCodel(output, codel);
                break;
            case FqOptions fq:
                PrintFq(output, fq);
                break;
            case TbfOptions tbf:
                PrintTbf(output, tbf);
                break;
            case NetemOptions netem:
                PrintNetem(output, netem);
                break;
        }
    }

    /// <summary>Prints what every discipline counts.</summary>
    public static void PrintStatistics(StringBuilder output, QdiscStats stats)
    {
        Add(output, $" Sent {stats.Bytes} bytes {stats.Packets} pkt (dropped {stats.Drops}, overlimits {stats.Overlimits} ");
        Add(output, $"requeues {stats.Requeues}) \n");
        Add(output, $" backlog {TcFormat.Size(stats.Backlog)} {stats.Qlen}p requeues {stats.Requeues}\n");
    }

    /// <summary>Prints what some disciplines count beside that.</summary>
    public static void PrintXstats(StringBuilder output, Qdisc qdisc)
    {
        if (qdisc is FqCodel { FqCodelStats: var codel })
        {
            Add(output, $"  maxpacket {codel.MaxPacket} drop_overlimit {codel.DropOverlimit} new_flow_count {codel.NewFlowCount} ");
            Add(output, $"ecn_mark {codel.EcnMark}");
            if (codel.CeMark != 0)
                Add(output, $" ce_mark {codel.CeMark}");
            if (codel.MemoryUsage != 0)
                Add(output, $" memory_used {codel.MemoryUsage}");
            if (codel.DropOvermemory != 0)
                Add(output, $" drop_overmemory {codel.DropOvermemory}");
            Add(output, $"\n  new_flows_len {codel.NewFlowsLen} old_flows_len {codel.OldFlowsLen}\n");
        }
        else if (qdisc is Fq { FqStats: var fq })
        {
            Add(output, $"  flows {fq.Flows} (inactive {fq.InactiveFlows} throttled {fq.ThrottledFlows})\n");
            Add(output, $"  gc {fq.GcFlows} highprio 0 fastpath {fq.FastpathPackets} throttled {fq.Throttled}");
            if (fq.CeMark != 0)
                Add(output, $" ce_mark {fq.CeMark}");
            if (fq.PktsTooLong != 0)
                Add(output, $" pkts_too_long {fq.PktsTooLong}");
            if (fq.FlowsPlimit != 0)
                Add(output, $" flows_plimit {fq.FlowsPlimit}");
            if (fq.BandDrops != 0)
                Add(output, $" band_drops {fq.BandDrops}");
            if (fq.HorizonDrops != 0)
                Add(output, $" horizon_drops {fq.HorizonDrops}");
            if (fq.HorizonCaps != 0)
                Add(output, $" horizon_caps {fq.HorizonCaps}");
            output.Append('\n');
        }
    }

    private static void PrintFqCodel(StringBuilder output, FqCodelOptions codel)
    {
        Add(output, $"limit {codel.Limit}p flows {codel.Flows} quantum {codel.Quantum} target {TcFormat.Time(codel.Target)} ");
        if (codel.CeThreshold is { } threshold)
            Add(output, $"ce_threshold {TcFormat.Time(threshold)} ");
        Add(output, $"interval {TcFormat.Time(codel.Interval)} memory_limit {TcFormat.Size(codel.MemoryLimit)} ");
        Add(output, $"{(codel.Ecn ? "ecn " : "")}drop_batch {codel.DropBatch} ");
    }

    private static void PrintFq(StringBuilder output, FqOptions fq)
    {
        Add(output, $"limit {fq.Limit}p flow_limit {fq.FlowLimit}p buckets {fq.Buckets} orphan_mask {fq.OrphanMask} ");
        Add(output, $"bands {FqOptions.BandCount} priomap {string.Join(' ', fq.Priomap)} weights {string.Join(' ', fq.Weights)} ");
        if (!fq.Pacing)
            output.Append("nopacing ");
        Add(output, $"quantum {TcFormat.Size(fq.Quantum)} initial_quantum {TcFormat.Size(fq.InitialQuantum)} ");
        if (fq.MaxRate is { } rate)
            Add(output, $"maxrate {TcFormat.Rate(rate * 8)} ");
        Add(output, $"low_rate_threshold {TcFormat.Rate(fq.LowRateThreshold * 8)} refill_delay {TcFormat.Time(fq.RefillDelay)} ");
        if (fq.CeThreshold is { } threshold)
            Add(output, $"ce_threshold {TcFormat.Time(threshold)} ");
        Add(output, $"timer_slack {TcFormat.Time64(fq.TimerSlack)} horizon {TcFormat.Time(fq.Horizon)} ");
        output.Append(fq.HorizonDrop ? "horizon_drop " : "horizon_cap ");
    }

    private static void PrintTbf(StringBuilder output, TbfOptions tbf)
    {
        Add(output, $"rate {TcFormat.Rate(tbf.Rate * 8)} burst {TcFormat.Size(tbf.Burst)} ");
        double latency = (tbf.Limit - tbf.Burst) / (double)tbf.Rate;
        if (tbf.PeakRate != 0)
        {
            Add(output, $"peakrate {TcFormat.Rate(tbf.PeakRate * 8)} minburst {TcFormat.Size(tbf.PeakBurst)} ");
            latency = Math.Max(latency, (tbf.Limit - tbf.PeakBurst) / (double)tbf.PeakRate);
        }

        output.Append(latency >= 0
            ? $"lat {TcFormat.Time(TimeSpan.FromMicroseconds(Math.Round(latency * 1e6)))} " : $"limit {TcFormat.Size(tbf.Limit)} ");
        if (tbf.Overhead != 0)
            Add(output, $"overhead {tbf.Overhead} ");
        if (tbf.LinkLayer == LinkLayer.Atm)
            output.Append("linklayer atm ");
    }

    private static void PrintNetem(StringBuilder output, NetemOptions netem)
    {
        Add(output, $"limit {netem.Limit}");
        if (netem.Delay > TimeSpan.Zero)
        {
            Add(output, $" delay {TcFormat.Time64(netem.Delay)}");
            if (netem.Jitter > TimeSpan.Zero)
                Add(output, $"  {TcFormat.Time64(netem.Jitter)}{Correlation(netem.DelayCorrelation)}");
        }

        if (netem.Loss > 0)
            Add(output, $" loss {TcFormat.Percent(netem.Loss)}{Correlation(netem.LossCorrelation)}");
        if (netem.States is { } s)
        {
            Add(output, $" loss state p13 {TcFormat.Percent(s.P13)} p31 {TcFormat.Percent(s.P31)} p32 {TcFormat.Percent(s.P32)}");
            Add(output, $" p23 {TcFormat.Percent(s.P23)} p14 {TcFormat.Percent(s.P14)}");
        }

        if (netem.Bursts is { } g)
        {
            Add(output, $" loss gemodel p {TcFormat.Percent(g.ToBad)} r {TcFormat.Percent(g.ToGood)}");
            Add(output, $" 1-h {TcFormat.Percent(g.LossInBad)} 1-k {TcFormat.Percent(g.LossInGood)}");
        }

        if (netem.Duplicate > 0)
            Add(output, $" duplicate {TcFormat.Percent(netem.Duplicate)}{Correlation(netem.DuplicateCorrelation)}");
        if (netem.Reorder > 0)
            Add(output, $" reorder {TcFormat.Percent(netem.Reorder)}{Correlation(netem.ReorderCorrelation)}");
        if (netem.Corrupt > 0)
            Add(output, $" corrupt {TcFormat.Percent(netem.Corrupt)}{Correlation(netem.CorruptCorrelation)}");
        PrintNetemRate(output, netem);
        if (netem.Slots is { } slots)
            PrintSlots(output, slots);
        if (netem.Ecn)
            output.Append(" ecn ");
        if (netem.Reorder > 0)
            Add(output, $" gap {netem.Gap}");
        if (netem.Seed is { } seed)
            Add(output, $" seed {seed}");
    }

    private static void PrintNetemRate(StringBuilder output, NetemOptions netem)
    {
        if (netem.Rate == 0)
            return;
        Add(output, $" rate {TcFormat.Rate((ulong)netem.Rate)}");
        if (netem.PacketOverhead != 0)
            Add(output, $" packetoverhead {netem.PacketOverhead}");
        if (netem.CellSize != 0)
            Add(output, $" cellsize {netem.CellSize}");
        if (netem.CellOverhead != 0)
            Add(output, $" celloverhead {netem.CellOverhead}");
    }

    private static void PrintSlots(StringBuilder output, NetemSlots slots)
    {
        if (slots.Distribution != null)
            Add(output, $" slot distribution {TcFormat.Time64(slots.MinDelay)} {TcFormat.Time64(slots.Jitter)}");
        else
            Add(output, $" slot {TcFormat.Time64(slots.MinDelay)} {TcFormat.Time64(slots.MaxDelay)}");
        if (slots.MaxPackets != 0)
            Add(output, $" packets {slots.MaxPackets}");
        if (slots.MaxBytes != 0)
            Add(output, $" bytes {slots.MaxBytes}");
    }

    private static string Correlation(double share) => share > 0 ? " " + TcFormat.Percent(share) : "";

    private static void Add(StringBuilder output, FormattableString text) => output.Append(text.ToString(CultureInfo.InvariantCulture));
}
