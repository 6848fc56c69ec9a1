using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A kind of queueing discipline that can be made by name (<c>struct Qdisc_ops</c>).</summary>
/// <param name="id">Its name, as <c>fq_codel</c>.</param>
/// <param name="defaults">Its options for a device of which nothing is said.</param>
/// <param name="create">Makes one with options that were checked.</param>
[LinuxStruct("Qdisc_ops")]
public sealed class QdiscOps(string id, Func<NetDevice, QdiscOptions> defaults, Func<NetDevice, QdiscOptions, Qdisc> create)
{
    /// <summary>Its name, as <c>fq_codel</c>.</summary>
    public string Id { get; } = id;

    /// <summary>The module that it is part of; null when it is built in.</summary>
    public Module? Owner { get; internal set; }

    /// <summary>Its options for a device of which nothing is said.</summary>
    public QdiscOptions Defaults(NetDevice dev) => defaults(dev);

    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="options">Options of its own kind, which are valid.</param>
    /// <returns>The discipline; null when its module is going away.</returns>
    public Qdisc? Create(NetDevice dev, QdiscOptions options)
    {
        if (!Module.TryModuleGet(Owner))
            return null;
        Qdisc qdisc = create(dev, options);
        qdisc.Owner = Owner;
        return qdisc;
    }
}

/// <summary>The kinds of queueing disciplines that a machine knows, and the one that devices get by default.</summary>
[LinuxFile("net/sched/sch_api.c")]
public sealed class QdiscTable
{
    private static readonly StateSlot<QdiscTable> Slot = new();

    private readonly Machine machine;
    private readonly List<QdiscOps> table = [];
    private uint autohandle = 0x80000000;

    private QdiscTable(Machine machine) => this.machine = machine;

    /// <summary>Name of the kind that devices get when they come up (<c>net.core.default_qdisc</c>).</summary>
    public string DefaultQdisc { get; private set; } = "pfifo_fast";

    /// <summary>Names of the kinds that are registered.</summary>
    public IReadOnlyList<string> Ids
    {
        get
        {
            lock (table)
                return [.. table.Select(ops => ops.Id)];
        }
    }

    /// <summary>The table of a machine.</summary>
    public static QdiscTable Of(Machine machine) => Slot.OfOrNew(machine.Slots, machine, static m => new QdiscTable(m));

    /// <summary>Makes a kind known (<c>register_qdisc</c>).</summary>
    /// <returns>0, or -EEXIST.</returns>
    [Linux("register_qdisc")]
    public int RegisterQdisc(QdiscOps ops)
    {
        lock (table)
        {
            if (table.Any(other => other.Id == ops.Id))
                return -EEXIST;
            table.Add(ops);
            return 0;
        }
    }

    /// <summary>Forgets a kind (<c>unregister_qdisc</c>).</summary>
    [Linux("unregister_qdisc")]
    public void UnregisterQdisc(QdiscOps ops)
    {
        lock (table)
            Bug.On(!table.Remove(ops));
    }

    /// <summary>Finds a kind by name, loading the module that has it (<c>qdisc_lookup_ops</c>).</summary>
    /// <returns>The kind, or null.</returns>
    [Linux("qdisc_lookup_ops")]
    public QdiscOps? QdiscLookupOps(string id)
    {
        if (Find(id) is { } found)
            return found;
        machine.Modules.RequestModule($"net-sch-{id}");
        return Find(id);
    }

    /// <summary>Sets <see cref="DefaultQdisc"/>.</summary>
    /// <returns>0, or -ENOENT for a name that nobody has.</returns>
    [Linux("qdisc_set_default")]
    public int QdiscSetDefault(string id)
    {
        if (QdiscLookupOps(id) is not { } ops)
            return -ENOENT;
        DefaultQdisc = ops.Id;
        return 0;
    }

    /// <summary>A handle that no discipline of the device has (<c>qdisc_alloc_handle</c>).</summary>
    [Linux("qdisc_alloc_handle")]
    public uint QdiscAllocHandle(NetDevice dev)
    {
        lock (table)
        {
            do
            {
                autohandle += 0x10000;
                if (autohandle == (TC_H_ROOT & TC_H_MAJ_MASK))
                    autohandle = 0x80000000;
            }
            while (SchGeneric.QdiscLookup(dev, autohandle) != null);

            return autohandle;
        }
    }

    private QdiscOps? Find(string id)
    {
        lock (table)
            return table.Find(ops => ops.Id == id);
    }
}
