using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A network namespace (<c>struct net</c>): devices, routes, sockets and settings of their own. Protocols keep their part
/// in <see cref="Slots"/> and set it up through <see cref="PernetOperations"/>.
/// </summary>
[LinuxStruct("net")]
public sealed class NetNamespace : NsCommon, IThreadPoolWorkItem
{
    internal NetNamespace(Machine machine, UserNamespace userNs, NetCore core)
        : base(machine, userNs)
    {
        Core = core;
        NetCookie = core.NextNetCookie();
        HashMix = machine.Random.NextU32();
        Devices = new NetDeviceTable(this);
    }

    /// <inheritdoc/>
    public override string TypeName => "net";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWNET;

    /// <summary>What all namespaces of the machine share: protocol handlers, packet pools.</summary>
    public NetCore Core { get; }

    /// <summary>Packets and their memory.</summary>
    public SkbPool SkbPool => Core.SkbPool;

    /// <summary>What protocols keep for the namespace.</summary>
    public SlotTable Slots { get; } = new();

    /// <summary>Number of the namespace that is never used again (<c>SO_NETNS_COOKIE</c>).</summary>
    public long NetCookie { get; }

    /// <summary>Settings of the network core.</summary>
    public NetnsCore NetnsCore { get; } = new();

    /// <summary>The namespace's devices.</summary>
    public NetDeviceTable Devices { get; }

    /// <summary>The tables of neighbours, one for each network protocol (<c>neigh_tables</c>).</summary>
    public NeighTable[] NeighTables { get; internal set; } = [];

    /// <summary>The loopback device.</summary>
    public NetDevice LoopbackDev => Devices.Loopback;

    /// <summary>Secret that spreads the namespace's sockets in shared hash tables (<c>net_hash_mix</c>).</summary>
    public uint HashMix { get; }

    /// <summary>The namespace of a task (<c>current->nsproxy->net_ns</c>).</summary>
    public static NetNamespace Of(TaskStruct task) => (NetNamespace)task.Nsproxy.NetNsCommon;

    /// <summary>Whether a task has a capability over the namespace (<c>ns_capable(net->user_ns)</c>).</summary>
    public bool Capable(TaskStruct task, int capability) => task.NsCapable(UserNs, capability);

    /// <summary>Takes the namespace down; queued by the last reference, which may go with a lock held.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        using KernelEntry entry = Machine.Enter();
        Core.CleanupNet(this);
    }

    /// <inheritdoc/>
    protected override void Free() => Machine.Scheduler.Queue(this);
}

/// <summary>Reads the network namespace out of a namespace proxy, which does not know its type.</summary>
public static class NsproxyExtensions
{
    extension(Nsproxy nsproxy)
    {
        /// <summary>The network namespace (<c>nsproxy->net_ns</c>).</summary>
        public NetNamespace NetNs => (NetNamespace)nsproxy.NetNsCommon;
    }
}

/// <summary>What a subsystem does when a network namespace is made and when it ends (<c>struct pernet_operations</c>).</summary>
[LinuxStruct("pernet_operations")]
public abstract class PernetOperations
{
    /// <summary>Sets up the subsystem's part of a new namespace.</summary>
    /// <returns>0, or a negative errno: the namespace is not made then.</returns>
    public abstract int Init(NetNamespace net);

    /// <summary>Takes it down again.</summary>
    public virtual void Exit(NetNamespace net)
    {
    }
}
