using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Handles packets of one network protocol (<c>struct packet_type</c>).</summary>
/// <param name="type">Protocol, <c>ETH_P_*</c>.</param>
[LinuxStruct("packet_type")]
public abstract class PacketType(ushort type)
{
    /// <summary>Protocol, <c>ETH_P_*</c>.</summary>
    public ushort Type { get; } = type;

    /// <summary>Takes over a packet whose data begins at the network header.</summary>
    public abstract int Func(SkBuff skb, NetDevice dev);
}

/// <summary>What the network core keeps for the whole machine.</summary>
public sealed class NetCore
{
    private static readonly StateSlot<NetCore> Slot = new();

    private readonly Machine machine;
    private int netstampNeeded;
    private long sockCookies;
    private long netCookies;
    private readonly List<PernetOperations> pernet = [];
    private readonly List<NetNamespace> namespaces = [];
    private PacketType[] packetTypes = [];
    private PacketOffload[] offloads = [];
    private NetdevNotifier[] notifiers = [];

    private NetCore(Machine machine)
    {
        this.machine = machine;
        SkbPool = new SkbPool(machine.Pages);
    }

    /// <summary>Packets and their memory.</summary>
    public SkbPool SkbPool { get; }

    /// <summary>Settings that the whole machine shares.</summary>
    public NetCoreSysctl Sysctl { get; } = new();

    /// <summary>
    /// Lists a device's addresses for <c>SIOCGIFCONF</c> (<c>inet_gifconf</c>): given where to and how much room there is (null
    /// to count only), returns the bytes written. The IPv4 layer sets it.
    /// </summary>
    public Func<NetDevice, Sockptr, int, int>? InetGifconf { get; set; }

    /// <summary>
    /// Is told that a neighbour changed (<c>neigh_notify</c>), with <c>RTM_NEWNEIGH</c> or <c>RTM_DELNEIGH</c>. Netlink sets it.
    /// </summary>
    public Action<Neighbour, int>? NeighNotify { get; set; }

    /// <summary>Whether packets are to be stamped as they arrive: some socket wants to know (<c>netstamp_needed_key</c>).</summary>
    public bool NetstampNeeded => Volatile.Read(ref netstampNeeded) > 0;

    /// <summary>All namespaces, in the order in which they were made.</summary>
    public IReadOnlyList<NetNamespace> Namespaces
    {
        get
        {
            lock (namespaces)
                return [.. namespaces];
        }
    }

    /// <summary>The network core of a machine.</summary>
    public static NetCore Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Makes the network core of a machine that boots.</summary>
    [Linux("net_dev_init", "net/core/dev.c")]
    internal static NetCore NetDevInit(Machine machine)
    {
        NetCore core = new(machine);
        Slot.Set(machine.Slots, core);
        machine.NetNsOperations = new NetNsOperations(core);
        return core;
    }

    /// <summary>Has <paramref name="operations"/> set up every namespace, those that exist too.</summary>
    [Linux("register_pernet_subsys", "net/core/net_namespace.c")]
    public int RegisterPernetSubsys(PernetOperations operations)
    {
        lock (namespaces)
        {
            foreach (NetNamespace net in namespaces)
            {
                int err = operations.Init(net);
                if (err < 0)
                    return err;
            }

            pernet.Add(operations);
            return 0;
        }
    }

    /// <summary>Makes a network namespace; what was set up is taken down again when a subsystem refuses.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("copy_net_ns", "net/core/net_namespace.c")]
    public int CopyNetNs(UserNamespace userNs, out NetNamespace? net)
    {
        lock (namespaces)
        {
            net = new NetNamespace(machine, userNs, this);
            for (int i = 0; i < pernet.Count; i++)
            {
                int err = pernet[i].Init(net);
                if (err == 0)
                    continue;
                while (--i >= 0)
                    pernet[i].Exit(net);
                net = null;
                return err;
            }

            namespaces.Add(net);
            return 0;
        }
    }

    /// <summary>Takes a namespace down, subsystems in the reverse of the order in which they were registered.</summary>
    [Linux("cleanup_net", "net/core/net_namespace.c")]
    public void CleanupNet(NetNamespace net)
    {
        lock (namespaces)
        {
            for (int i = pernet.Count - 1; i >= 0; i--)
                pernet[i].Exit(net);
            namespaces.Remove(net);
        }
    }

    /// <summary>Registers a network protocol's receive handler (<c>dev_add_pack</c>).</summary>
    [Linux("dev_add_pack", "net/core/dev.c")]
    public void DevAddPack(PacketType handler)
    {
        lock (pernet)
            packetTypes = [.. packetTypes, handler];
    }

    /// <summary>Takes it back (<c>dev_remove_pack</c>).</summary>
    [Linux("dev_remove_pack", "net/core/dev.c")]
    public void DevRemovePack(PacketType handler)
    {
        lock (pernet)
            packetTypes = [.. packetTypes.Where(other => other != handler)];
    }

    /// <summary>The handler of a protocol, or null.</summary>
    public PacketType? FindPacketType(ushort protocol)
    {
        foreach (PacketType handler in packetTypes)
        {
            if (handler.Type == protocol)
                return handler;
        }

        return null;
    }

    /// <summary>Who is told what happens to devices.</summary>
    public ReadOnlySpan<NetdevNotifier> Notifiers => notifiers;

    /// <summary>Registers a network protocol's segmentation (<c>dev_add_offload</c>).</summary>
    [Linux("dev_add_offload", "net/core/gro.c")]
    public void DevAddOffload(PacketOffload offload)
    {
        lock (pernet)
            offloads = [.. offloads, offload];
    }

    /// <summary>The segmentation of a protocol, or null.</summary>
    public PacketOffload? FindOffload(ushort protocol)
    {
        foreach (PacketOffload offload in offloads)
        {
            if (offload.Type == protocol)
                return offload;
        }

        return null;
    }

    /// <summary>Has <paramref name="notifier"/> told of everything that happens to devices from now on.</summary>
    [Linux("register_netdevice_notifier", "net/core/dev.c")]
    public void RegisterNetdeviceNotifier(NetdevNotifier notifier)
    {
        lock (pernet)
            notifiers = [.. notifiers, notifier];
    }

    /// <summary>Takes a notifier back.</summary>
    [Linux("unregister_netdevice_notifier", "net/core/dev.c")]
    public void UnregisterNetdeviceNotifier(NetdevNotifier notifier)
    {
        lock (pernet)
            notifiers = [.. notifiers.Where(other => other != notifier)];
    }

    /// <summary>One more socket wants arriving packets stamped (<c>net_enable_timestamp</c>).</summary>
    internal void NetEnableTimestamp() => Interlocked.Increment(ref netstampNeeded);

    /// <summary>One less (<c>net_disable_timestamp</c>).</summary>
    internal void NetDisableTimestamp() => Bug.On(Interlocked.Decrement(ref netstampNeeded) < 0);

    internal long NextNetCookie() => Interlocked.Increment(ref netCookies);

    internal long NextSockCookie() => Interlocked.Increment(ref sockCookies);

    private sealed class NetNsOperations(NetCore core) : ProcNsOperations
    {
        public override int Copy(UserNamespace userNs, out NsCommon? copy)
        {
            int err = core.CopyNetNs(userNs, out NetNamespace? net);
            copy = net;
            return err;
        }
    }
}
