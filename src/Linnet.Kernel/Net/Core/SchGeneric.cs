using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Which queueing discipline a device has.</summary>
[LinuxFile("net/sched/sch_generic.c")]
public static class SchGeneric
{
    /// <summary>
    /// Gives a device that comes up and has a queue, but no discipline, the default one (<c>dev_activate</c>). Devices without
    /// queue, as loopback, send at once.
    /// </summary>
    [Linux("dev_activate")]
    public static void DevActivate(NetDevice dev)
    {
        dev.HasBeenUp = true;
        if (dev.Qdisc == null && !dev.NoQueue && dev.TxQueueLen > 0)
            dev.Qdisc = AttachOneDefaultQdisc(dev);
    }

    /// <summary>Drops what waits for a device that goes down (<c>dev_deactivate</c>).</summary>
    [Linux("dev_deactivate")]
    public static void DevDeactivate(NetDevice dev) => dev.Qdisc?.Reset();

    /// <summary>Has a device send through a discipline; the one that it had ends (<c>dev_graft_qdisc</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="qdisc">The new one; null for what the device has by default.</param>
    [Linux("dev_graft_qdisc")]
    public static void DevGraftQdisc(NetDevice dev, Qdisc? qdisc)
    {
        Qdisc? before = dev.Qdisc;
        dev.Qdisc = qdisc;
        before?.Destroy();
        if (qdisc == null && dev.IsUp)
            DevActivate(dev);
    }

    /// <summary>Finds a device's discipline by its number (<c>qdisc_lookup</c>).</summary>
    [Linux("qdisc_lookup", "net/sched/sch_api.c")]
    public static Qdisc? QdiscLookup(NetDevice dev, uint handle)
    {
        for (Qdisc? qdisc = dev.Qdisc; qdisc != null; qdisc = qdisc.Leaf)
        {
            if (qdisc.Handle == handle && handle != 0)
                return qdisc;
        }

        return null;
    }

    /// <summary>The disciplines of a device, its first one first.</summary>
    public static IEnumerable<Qdisc> All(NetDevice dev)
    {
        for (Qdisc? qdisc = dev.Qdisc; qdisc != null; qdisc = qdisc.Leaf)
            yield return qdisc;
    }

    [Linux("attach_one_default_qdisc")]
    private static Qdisc? AttachOneDefaultQdisc(NetDevice dev)
    {
        QdiscTable table = QdiscTable.Of(dev.Net.Machine);
        return table.QdiscLookupOps(table.DefaultQdisc) is { } ops && ops.Defaults(dev) is var options && options.Validate() == null
            ? ops.Create(dev, options) : null;
    }
}
