using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>What is asked of a device's disciplines: what <c>tc qdisc</c> sends.</summary>
public sealed record QdiscRequest
{
    /// <summary>Class that the discipline is under, or <see cref="TC_H_ROOT"/>; 0 to find it by <see cref="Handle"/>.</summary>
    public uint Parent { get; init; }

    /// <summary>The discipline's number; 0 for any.</summary>
    public uint Handle { get; init; }

    /// <summary>Its kind; null when it does not matter.</summary>
    public string? Kind { get; init; }

    /// <summary>Makes the discipline when there is none (<c>NLM_F_CREATE</c>).</summary>
    public bool Create { get; init; }

    /// <summary>Only when there is none (<c>NLM_F_EXCL</c>).</summary>
    public bool Exclusive { get; init; }

    /// <summary>In place of the one that there is (<c>NLM_F_REPLACE</c>).</summary>
    public bool Replace { get; init; }

    /// <summary>Makes the options from the defaults, or from those that are to be changed; null to leave them.</summary>
    public Func<QdiscOptions, QdiscOptions>? Configure { get; init; }
}

/// <summary>Makes, changes and ends the queueing disciplines of devices.</summary>
[LinuxFile("net/sched/sch_api.c")]
public static class SchApi
{
    /// <summary>Makes the disciplines known that are built in, and those loadable that are modules in Linux.</summary>
    [Linux("pktsched_init")]
    public static int PktschedInit(Machine machine)
    {
        QdiscTable table = QdiscTable.Of(machine);
        table.RegisterQdisc(new QdiscOps("pfifo_fast", _ => new PfifoFastOptions(), (dev, _) => new PfifoFast(dev)));
        table.RegisterQdisc(new QdiscOps(
            "pfifo", dev => new PfifoOptions { Limit = Packets(dev) }, (dev, o) => new Pfifo(dev, ((PfifoOptions)o).Limit)));
        table.RegisterQdisc(new QdiscOps(
            "bfifo", dev => new BfifoOptions { Limit = (long)Packets(dev) * (dev.Mtu + dev.HardHeaderLen) },
            (dev, o) => new Bfifo(dev, ((BfifoOptions)o).Limit)));
        table.RegisterQdisc(new QdiscOps(
            "pfifo_head_drop", dev => new PfifoHeadDropOptions { Limit = Packets(dev) },
            (dev, o) => new PfifoHeadDrop(dev, ((PfifoHeadDropOptions)o).Limit)));
        MakeAvailable(machine, new QdiscOps("fq_codel", _ => new FqCodelOptions(), (dev, o) => new FqCodel(dev, (FqCodelOptions)o)));
        MakeAvailable(machine, new QdiscOps("fq", _ => new FqOptions(), (dev, o) => new Fq(dev, (FqOptions)o)));
        MakeAvailable(machine, new QdiscOps("tbf", _ => new TbfOptions(), (dev, o) => new Tbf(dev, (TbfOptions)o)));
        MakeAvailable(machine, new QdiscOps("netem", _ => new NetemOptions(), (dev, o) => new Netem(dev, (NetemOptions)o)));
        return 0;
    }

    /// <summary>Has a device send through a discipline with these options, in place of the one that it has.</summary>
    /// <returns>0 or a negative errno.</returns>
    public static int Replace(NetDevice dev, QdiscOptions options)
    {
        QdiscRequest request = new()
        {
            Parent = TC_H_ROOT,
            Kind = options.Id,
            Create = true,
            Replace = true,
            Configure = _ => options,
        };
        return TcModifyQdisc(dev, request, out _);
    }

    /// <summary>Makes a discipline or changes one (<c>RTM_NEWQDISC</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="request">What is wanted.</param>
    /// <param name="message">What the kernel has to say about a failure, without a stop; empty for nothing.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tc_modify_qdisc")]
    public static int TcModifyQdisc(NetDevice dev, QdiscRequest request, out string message)
    {
        int err = Find(dev, request, out Qdisc? above, out Qdisc? found, out message);
        if (err < 0)
            return err;

        // The default one is as good as none.
        if (request.Parent != 0 && found?.Handle == 0)
            found = null;
        bool other = found != null && request.Kind != null && request.Kind != found.Id;
        if (request.Parent != 0 && (found == null || request.Handle == 0 || found.Handle != request.Handle))
        {
            if (request.Handle != 0)
            {
                if (found != null && !request.Replace)
                    return Fail("NLM_F_REPLACE needed to override", -EEXIST, out message);
                if ((request.Handle & TC_H_MIN_MASK) != 0)
                    return Fail("Invalid minor handle", -EINVAL, out message);
                if (SchGeneric.QdiscLookup(dev, request.Handle) != null)
                    return Fail("Exclusivity flag on, cannot override", -EEXIST, out message);
                return QdiscCreate(dev, request, above, out message);
            }

            if (found == null || (request.Create && request.Replace && other))
                return QdiscCreate(dev, request, above, out message);
        }

        if (found == null)
            return Fail("Specified qdisc not found", -ENOENT, out message);
        if (request.Exclusive)
            return Fail("Exclusivity flag on, cannot modify", -EEXIST, out message);
        if (other)
            return Fail("Invalid qdisc name: must match existing qdisc", -EINVAL, out message);
        return QdiscChange(found, request, out message);
    }

    /// <summary>Ends a discipline (<c>RTM_DELQDISC</c>); the device gets its default one.</summary>
    /// <inheritdoc cref="TcModifyQdisc" path="/param"/>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tc_get_qdisc")]
    public static int TcGetQdisc(NetDevice dev, QdiscRequest request, out string message)
    {
        int err = Find(dev, request, out Qdisc? above, out Qdisc? found, out message);
        if (err < 0)
            return err;
        if (found == null)
        {
            return Fail(
                request.Parent == 0 ? "Failed to find qdisc with specified handle" : "Cannot find specified qdisc on specified device",
                -ENOENT, out message);
        }

        if (request.Handle != 0 && found.Handle != request.Handle)
            return Fail("Invalid handle", -EINVAL, out message);
        if (request.Kind != null && request.Kind != found.Id)
            return Fail("Invalid qdisc name", -EINVAL, out message);
        if (request.Parent == 0)
            return Fail("Classid cannot be zero", -EINVAL, out message);
        if (found.Handle == 0)
            return Fail("Cannot delete qdisc with handle of zero", -ENOENT, out message);
        if (above != null)
            return above.Graft(null, request.Parent);
        SchGeneric.DevGraftQdisc(dev, null);
        return 0;
    }

    private static int Find(NetDevice dev, QdiscRequest request, out Qdisc? above, out Qdisc? found, out string message)
    {
        above = null;
        message = "";
        if (request.Parent is 0 or TC_H_ROOT)
        {
            found = request.Parent == 0 ? SchGeneric.QdiscLookup(dev, request.Handle) : dev.Qdisc;
            return 0;
        }

        found = null;
        above = SchGeneric.QdiscLookup(dev, request.Parent & TC_H_MAJ_MASK);
        if (above == null)
            return Fail("Failed to find specified qdisc", -ENOENT, out message);
        if (!above.HasClass || (request.Parent & TC_H_MIN_MASK) != 1)
            return Fail("Specified class not found", -ENOENT, out message);
        found = above.Leaf;
        return 0;
    }

    [Linux("qdisc_create")]
    private static int QdiscCreate(NetDevice dev, QdiscRequest request, Qdisc? above, out string message)
    {
        if (!request.Create)
            return Fail("Qdisc not found. To create specify NLM_F_CREATE flag", -ENOENT, out message);
        QdiscTable table = QdiscTable.Of(dev.Net.Machine);
        if (request.Kind == null || table.QdiscLookupOps(request.Kind) is not { } ops)
            return Fail("Specified qdisc kind is unknown", -ENOENT, out message);
        QdiscOptions options = ops.Defaults(dev);
        options = request.Configure?.Invoke(options) ?? options;
        if (options.Validate() is { } problem)
            return Fail(problem, -EINVAL, out message);
        if (ops.Create(dev, options) is not { } created)
            return Fail("Specified qdisc kind is unknown", -ENOENT, out message);
        created.Handle = request.Handle != 0 ? request.Handle : table.QdiscAllocHandle(dev);
        message = "";
        if (above != null)
            return above.Graft(created, request.Parent);
        SchGeneric.DevGraftQdisc(dev, created);
        return 0;
    }

    [Linux("qdisc_change")]
    private static int QdiscChange(Qdisc qdisc, QdiscRequest request, out string message)
    {
        message = "";
        if (request.Configure == null)
            return 0;
        QdiscOptions options = request.Configure(qdisc.Dump.ForChange());
        return options.Validate() is { } problem ? Fail(problem, -EINVAL, out message) : qdisc.Change(options);
    }

    private static int Fail(string why, int error, out string message)
    {
        message = why;
        return error;
    }

    private static int Packets(NetDevice dev) => Math.Max(dev.TxQueueLen, 1);

    private static void MakeAvailable(Machine machine, QdiscOps ops) =>
        machine.Modules.MakeAvailable($"sch_{ops.Id}", () => new SchModule(ops), $"net-sch-{ops.Id}");

    /// <summary>A module that is one discipline, as <c>sch_fq</c>.</summary>
    private sealed class SchModule(QdiscOps ops) : Module($"sch_{ops.Id}")
    {
        protected internal override int Init(Machine machine)
        {
            ops.Owner = this;
            return QdiscTable.Of(machine).RegisterQdisc(ops);
        }

        protected internal override void Exit(Machine machine) => QdiscTable.Of(machine).UnregisterQdisc(ops);
    }
}
