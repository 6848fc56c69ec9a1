using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>The sockets of one netlink protocol (<c>struct netlink_table</c>). Changed under its own lock, read without.</summary>
[LinuxStruct("netlink_table")]
internal sealed class NetlinkTable
{
    private readonly Dictionary<(NetNamespace Net, uint Portid), NetlinkSock> hash = [];
    private NetlinkSock[] mcList = [];
    private NetlinkSock[] all = [];

    /// <summary>How many kernel sockets there are: without one the protocol does not exist (<c>registered</c>).</summary>
    public int Registered { get; set; }

    /// <summary>Groups of the protocol, at least 32.</summary>
    public int Groups { get; set; }

    /// <summary>Whether everybody may listen to groups (<c>NL_CFG_F_NONROOT_RECV</c>).</summary>
    public bool NonrootRecv { get; set; }

    /// <summary>Whether everybody may send to groups and other sockets (<c>NL_CFG_F_NONROOT_SEND</c>).</summary>
    public bool NonrootSend { get; set; }

    /// <summary>Asked before a socket joins a group, counted from 1 (<c>bind</c>).</summary>
    public Func<NetNamespace, int, int>? Bind { get; set; }

    /// <summary>The sockets that listen to some group.</summary>
    public NetlinkSock[] McList => Volatile.Read(ref mcList);

    /// <summary>All sockets, those of the kernel too.</summary>
    public NetlinkSock[] All => Volatile.Read(ref all);

    /// <summary>The socket with an address, with a reference for the caller, or null.</summary>
    [Linux("netlink_lookup", "net/netlink/af_netlink.c")]
    public NetlinkSock? NetlinkLookup(NetNamespace net, uint portid)
    {
        lock (hash)
        {
            if (!hash.TryGetValue((net, portid), out NetlinkSock? sk))
                return null;
            sk.SockHold();
            return sk;
        }
    }

    public bool TryInsert(NetlinkSock sk, uint portid)
    {
        lock (hash)
        {
            if (!hash.TryAdd((sk.SkNet, portid), sk))
                return false;
            sk.SockHold();
            return true;
        }
    }

    public bool Contains(NetNamespace net, uint portid)
    {
        lock (hash)
            return hash.ContainsKey((net, portid));
    }

    public void List(NetlinkSock sk)
    {
        lock (hash)
            Volatile.Write(ref all, [.. all, sk]);
    }

    public void Remove(NetlinkSock sk)
    {
        lock (hash)
        {
            Volatile.Write(ref all, [.. all.Where(other => other != sk)]);
            Volatile.Write(ref mcList, [.. mcList.Where(other => other != sk)]);
            if (!hash.TryGetValue((sk.SkNet, sk.Portid), out NetlinkSock? found) || found != sk)
                return;
            hash.Remove((sk.SkNet, sk.Portid));
        }

        sk.SockPut();
    }

    /// <summary>Replaces the groups of a socket (<c>netlink_update_subscriptions</c>).</summary>
    public void SetGroups(NetlinkSock sk, Func<uint[], uint[]> change)
    {
        lock (hash)
        {
            sk.Groups = change([.. sk.Groups]);
            bool listed = mcList.Contains(sk);
            bool listens = sk.Subscriptions > 0;
            if (listens && !listed)
                Volatile.Write(ref mcList, [.. mcList, sk]);
            else if (!listens && listed)
                Volatile.Write(ref mcList, [.. mcList.Where(other => other != sk)]);
        }
    }

    /// <summary>Gives a socket room for all of the protocol's groups (<c>netlink_realloc_groups</c>).</summary>
    public int ReallocGroups(NetlinkSock sk)
    {
        lock (hash)
        {
            if (Registered == 0)
                return -ENOENT;
            if (sk.Ngroups < Groups)
            {
                uint[] grown = new uint[(Groups + 31) / 32];
                sk.Groups.CopyTo(grown, 0);
                sk.Groups = grown;
                sk.Ngroups = Groups;
            }

            return 0;
        }
    }
}

/// <summary>What netlink keeps for a machine (<c>nl_table</c>).</summary>
internal sealed class NetlinkLayer
{
    private static readonly StateSlot<NetlinkLayer> Slot = new();

    /// <summary>The protocols, by number.</summary>
    public NetlinkTable[] Tables { get; } = [.. Enumerable.Range(0, MAX_LINKS).Select(_ => new NetlinkTable())];

    public NetlinkProto Proto { get; }

    public NetlinkOps Ops { get; } = new();

    private NetlinkLayer() => Proto = new NetlinkProto(this);

    public static NetlinkLayer Of(Machine machine) => Slot.Of(machine.Slots);

    public static NetlinkLayer Make(Machine machine)
    {
        NetlinkLayer layer = new();
        Slot.Set(machine.Slots, layer);
        return layer;
    }
}
