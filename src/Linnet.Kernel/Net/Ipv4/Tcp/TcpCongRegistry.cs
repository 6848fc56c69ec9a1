using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The congestion controls of a machine (<c>tcp_cong_list</c>), and what new namespaces get of them.</summary>
public sealed class TcpCongRegistry
{
    private static readonly StateSlot<TcpCongRegistry> Slot = new();

    private readonly Lock guard = new();

    // Replaced as a whole when it changes, so that it is read without a lock.
    private volatile Entry[] entries = [new Entry(TcpReno.Instance, TcpReno.Instance.NonRestricted)];

    private NetNamespace? first;

    private TcpCongRegistry()
    {
    }

    /// <summary>The entries and whether they are allowed without privilege, in the order of registration.</summary>
    internal Entry[] Entries => entries;

    /// <summary>The registry of a machine.</summary>
    public static TcpCongRegistry Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Sets up a machine that boots: Reno, and CUBIC as the default.</summary>
    internal static void Init(Machine machine)
    {
        Slot.Set(machine.Slots, new TcpCongRegistry());
        TcpCubic cubic = new(machine);
        Bug.On(TcpCong.TcpRegisterCongestionControl(machine, cubic) != 0);
    }

    /// <summary>Gives a new namespace what the first one has at present; the first one gets CUBIC.</summary>
    internal void InitNet(NetNamespace net)
    {
        NetNamespace? init = Interlocked.CompareExchange(ref first, net, null);
        TcpCongestionOps ops = init?.Ipv4.TcpCongestionControl ?? Find("cubic")!;
        net.Ipv4.TcpCongestionControl = Module.TryModuleGet(ops.Owner) ? ops : TcpReno.Instance;
    }

    /// <summary>Whether a namespace is the machine's first (<c>init_net</c>).</summary>
    internal bool IsInitNet(NetNamespace net) => first == net;

    /// <summary>The congestion control with a name, or null.</summary>
    internal TcpCongestionOps? Find(string name)
    {
        foreach (Entry entry in entries)
        {
            if (entry.Ops.Name == name)
                return entry.Ops;
        }

        return null;
    }

    /// <summary>Whether a congestion control may be chosen without privilege.</summary>
    internal bool IsAllowed(TcpCongestionOps ops) => entries.Any(entry => entry.Ops == ops && entry.Allowed);

    /// <summary>Changes the list.</summary>
    /// <param name="change">Makes the new list of the old one; null for no change.</param>
    /// <returns>Whether it was changed.</returns>
    internal bool Change(Func<Entry[], Entry[]?> change)
    {
        lock (guard)
        {
            if (change(entries) is not { } changed)
                return false;
            entries = changed;
            return true;
        }
    }

    internal readonly record struct Entry(TcpCongestionOps Ops, bool Allowed);
}
