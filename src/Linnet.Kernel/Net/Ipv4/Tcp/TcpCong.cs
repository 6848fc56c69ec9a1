using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Choice of the congestion control, and what all of them share: slow start and congestion avoidance of Reno.</summary>
[LinuxFile("net/ipv4/tcp_cong.c")]
public static class TcpCong
{
    /// <summary>Longest name with its terminator (<c>TCP_CA_NAME_MAX</c>).</summary>
    public const int TCP_CA_NAME_MAX = 16;

    /// <summary>The key of no congestion control (<c>TCP_CA_UNSPEC</c>).</summary>
    public const uint TCP_CA_UNSPEC = 0;

    /// <summary>Finds a congestion control by name (<c>tcp_ca_find</c>).</summary>
    [Linux("tcp_ca_find")]
    public static TcpCongestionOps? TcpCaFind(Machine machine, string name) => TcpCongRegistry.Of(machine).Find(name);

    /// <summary>The same; for who has <c>CAP_NET_ADMIN</c>, module <c>tcp_NAME</c> is loaded when the name is not known.</summary>
    [Linux("tcp_ca_find_autoload")]
    public static TcpCongestionOps? TcpCaFindAutoload(Machine machine, string name)
    {
        if (TcpCaFind(machine, name) is { } found)
            return found;
        if (Cpu.This.Task is { } task && !task.Capable(CAP_NET_ADMIN))
            return null;
        machine.Modules.RequestModule($"tcp_{name}");
        return TcpCaFind(machine, name);
    }

    /// <summary>The number by which a route names a congestion control (<c>RTAX_CC_ALGO</c>).</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="name">The name.</param>
    /// <param name="ecnCa">Whether it needs ECN: such a route has <c>RTAX_FEATURE_ECN</c> too.</param>
    /// <returns>The key, or <see cref="TCP_CA_UNSPEC"/> when there is none of that name.</returns>
    [Linux("tcp_ca_get_key_by_name")]
    public static uint TcpCaGetKeyByName(Machine machine, string name, out bool ecnCa)
    {
        TcpCongestionOps? ops = TcpCaFindAutoload(machine, name);
        ecnCa = ops is { NeedsEcn: true };
        return ops?.Key ?? TCP_CA_UNSPEC;
    }

    /// <summary>The name that belongs to a key, or null.</summary>
    [Linux("tcp_ca_get_name_by_key")]
    public static string? TcpCaGetNameByKey(Machine machine, uint key) => TcpCaFindKey(machine, key)?.Name;

    /// <summary>Makes a congestion control available; anybody may choose it if it is not restricted.</summary>
    /// <returns>0, -EEXIST for a name that is taken, or -EINVAL for one that cannot be a name.</returns>
    [Linux("tcp_register_congestion_control")]
    public static int TcpRegisterCongestionControl(Machine machine, TcpCongestionOps ops)
    {
        string name = ops.Name;
        if (name.Length is 0 or >= TCP_CA_NAME_MAX || name.Any(c => c is <= ' ' or > '~'))
            return -EINVAL;
        return TcpCongRegistry.Of(machine).Change(entries =>
            entries.Any(entry => entry.Ops.Name == name || entry.Ops.Key == ops.Key)
                ? null
                : [.. entries, new TcpCongRegistry.Entry(ops, ops.NonRestricted)])
            ? 0
            : -EEXIST;
    }

    /// <summary>
    /// Takes a congestion control off the list. Connections that use it go on doing so; a module that it belongs to cannot be
    /// unloaded before they end.
    /// </summary>
    [Linux("tcp_unregister_congestion_control")]
    public static void TcpUnregisterCongestionControl(Machine machine, TcpCongestionOps ops) =>
        TcpCongRegistry.Of(machine).Change(entries => [.. entries.Where(entry => entry.Ops != ops)]);

    /// <summary>The names of all congestion controls, separated by blanks (<c>tcp_available_congestion_control</c>).</summary>
    [Linux("tcp_get_available_congestion_control")]
    public static string TcpGetAvailableCongestionControl(Machine machine) =>
        string.Join(' ', TcpCongRegistry.Of(machine).Entries.Select(entry => entry.Ops.Name));

    /// <summary>The names of those that need no privilege (<c>tcp_allowed_congestion_control</c>).</summary>
    [Linux("tcp_get_allowed_congestion_control")]
    public static string TcpGetAllowedCongestionControl(Machine machine) =>
        string.Join(' ', TcpCongRegistry.Of(machine).Entries.Where(entry => entry.Allowed).Select(entry => entry.Ops.Name));

    /// <summary>Changes which need no privilege; all names have to exist.</summary>
    /// <returns>0 or -ENOENT.</returns>
    [Linux("tcp_set_allowed_congestion_control")]
    public static int TcpSetAllowedCongestionControl(Machine machine, string names)
    {
        string[] wanted = names.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return TcpCongRegistry.Of(machine).Change(entries =>
            wanted.All(name => entries.Any(entry => entry.Ops.Name == name))
                ? [.. entries.Select(entry => entry with { Allowed = wanted.Contains(entry.Ops.Name) })]
                : null)
            ? 0
            : -ENOENT;
    }

    /// <summary>What new connections of a namespace get.</summary>
    [Linux("tcp_get_default_congestion_control")]
    public static string TcpGetDefaultCongestionControl(NetNamespace net) => net.Ipv4.TcpCongestionControl.Name;

    /// <summary>Changes what new connections of a namespace get, and allows it to everybody.</summary>
    /// <returns>
    /// 0, -ENOENT, -EBUSY while its module is unloaded, or -EPERM for a restricted one in a namespace that is not the first.
    /// </returns>
    [Linux("tcp_set_default_congestion_control")]
    public static int TcpSetDefaultCongestionControl(NetNamespace net, string name)
    {
        TcpCongRegistry registry = TcpCongRegistry.Of(net.Machine);
        if (TcpCaFindAutoload(net.Machine, name) is not { } ops)
            return -ENOENT;
        if (!Module.TryModuleGet(ops.Owner))
            return -EBUSY;
        if (!registry.IsInitNet(net) && !registry.IsAllowed(ops))
        {
            Module.ModulePut(ops.Owner);
            return -EPERM;
        }

        registry.Change(entries => [.. entries.Select(entry => entry with { Allowed = entry.Allowed || entry.Ops == ops })]);
        Module.ModulePut(Interlocked.Exchange(ref net.Ipv4.TcpCongestionControl, ops).Owner);
        return 0;
    }

    /// <summary>Gives a new socket its namespace's default.</summary>
    [Linux("tcp_assign_congestion_control")]
    public static void TcpAssignCongestionControl(TcpSock tp)
    {
        TcpCongestionOps ops = tp.Ipv4.TcpCongestionControl;
        tp.IcskCaOps = Module.TryModuleGet(ops.Owner) ? ops : TcpReno.Instance;
        tp.IcskCaPriv = null;
        tp.IcskCaInitialized = false;
        MarkPackets(tp);
    }

    /// <summary>Gives a connection that a listener accepts what the route says, the listener was set to, or the default.</summary>
    [Linux("tcp_ca_openreq_child", "net/ipv4/tcp_minisocks.c")]
    public static void TcpCaOpenreqChild(TcpSock newtp, DstEntry? dst)
    {
        uint key = dst?.Metric(RTAX_CC_ALGO) ?? TCP_CA_UNSPEC;
        bool chosen = false;
        if (key != TCP_CA_UNSPEC && TcpCaFindKey(newtp.Machine, key) is { } ops && Module.TryModuleGet(ops.Owner))
        {
            newtp.IcskCaDstLocked = dst!.MetricLocked(RTAX_CC_ALGO);
            newtp.IcskCaOps = ops;
            chosen = true;
        }

        if (!chosen && (!newtp.IcskCaSetsockopt || !Module.TryModuleGet(newtp.IcskCaOps.Owner)))
            TcpAssignCongestionControl(newtp);
        newtp.IcskCaState = TCP_CA_Open;
    }

    /// <summary>Gives a connection that is being opened what its route says (<c>tcp_ca_dst_init</c>).</summary>
    [Linux("tcp_ca_dst_init", "net/ipv4/tcp_output.c")]
    public static void TcpCaDstInit(TcpSock tp, DstEntry dst)
    {
        uint key = dst.Metric(RTAX_CC_ALGO);
        if (key == TCP_CA_UNSPEC || TcpCaFindKey(tp.Machine, key) is not { } ops || !Module.TryModuleGet(ops.Owner))
            return;
        Module.ModulePut(tp.IcskCaOps.Owner);
        tp.IcskCaDstLocked = dst.MetricLocked(RTAX_CC_ALGO);
        tp.IcskCaOps = ops;
    }

    /// <summary>The connection is established: congestion control begins.</summary>
    [Linux("tcp_init_congestion_control")]
    public static void TcpInitCongestionControl(TcpSock tp)
    {
        tp.PriorSsthresh = 0;
        tp.IcskCaOps.Init(tp);
        MarkPackets(tp);
        tp.IcskCaInitialized = true;
    }

    /// <summary>The socket ends.</summary>
    [Linux("tcp_cleanup_congestion_control")]
    public static void TcpCleanupCongestionControl(TcpSock tp)
    {
        ReleaseState(tp);
        Module.ModulePut(tp.IcskCaOps.Owner);
    }

    /// <summary>The connection ends, but the socket lives on: what congestion control knew of it is forgotten.</summary>
    internal static void ReleaseState(TcpSock tp)
    {
        if (tp.IcskCaInitialized)
            tp.IcskCaOps.Release(tp);
        tp.IcskCaInitialized = false;
        tp.IcskCaPriv = null;
    }

    /// <summary>Changes a socket's congestion control (<c>TCP_CONGESTION</c>).</summary>
    /// <param name="tp">The socket, locked.</param>
    /// <param name="name">The name.</param>
    /// <param name="load">Whether a module may be loaded for it.</param>
    /// <param name="capNetAdmin">Whether the caller may use those that are not allowed to everybody.</param>
    /// <returns>0, -ENOENT, -EPERM, or -EBUSY while its module is unloaded.</returns>
    [Linux("tcp_set_congestion_control")]
    public static int TcpSetCongestionControl(TcpSock tp, string name, bool load, bool capNetAdmin)
    {
        // The administrator of the route decided.
        if (tp.IcskCaDstLocked)
            return -EPERM;
        Machine machine = tp.Machine;
        TcpCongestionOps? ops = load ? TcpCaFindAutoload(machine, name) : TcpCaFind(machine, name);
        if (ops == null)
            return -ENOENT;
        if (ops == tp.IcskCaOps)
        {
            tp.IcskCaSetsockopt = true;
            return 0;
        }

        if (!capNetAdmin && !TcpCongRegistry.Of(machine).IsAllowed(ops))
            return -EPERM;
        if (!Module.TryModuleGet(ops.Owner))
            return -EBUSY;
        TcpReinitCongestionControl(tp, ops);
        return 0;
    }

    /// <summary>Tells of the state of recovery that begins.</summary>
    [Linux("tcp_set_ca_state")]
    public static void TcpSetCaState(TcpSock tp, byte state)
    {
        tp.IcskCaOps.SetState(tp, state);
        tp.IcskCaState = state;
    }

    /// <summary>Grows the window exponentially, by at most what was acknowledged (RFC 5681 3.1, RFC 3465).</summary>
    /// <returns>Segments that are left for congestion avoidance.</returns>
    public static uint TcpSlowStart(TcpSock tp, uint acked)
    {
        uint cwnd = Math.Min(tp.SndCwnd + acked, tp.SndSsthresh);
        acked -= cwnd - tp.SndCwnd;
        tp.TcpSndCwndSet(Math.Min(cwnd, tp.SndCwndClamp));
        return acked;
    }

    /// <summary>Grows the window by one segment for each <paramref name="w"/> that are acknowledged.</summary>
    public static void TcpCongAvoidAi(TcpSock tp, uint w, uint acked)
    {
        // Credit from a time when the window was larger counts at once.
        if (tp.SndCwndCnt >= w)
        {
            tp.SndCwndCnt = 0;
            tp.TcpSndCwndSet(tp.SndCwnd + 1);
        }

        tp.SndCwndCnt += acked;
        if (tp.SndCwndCnt >= w)
        {
            uint delta = tp.SndCwndCnt / w;
            tp.SndCwndCnt -= delta * w;
            tp.TcpSndCwndSet(tp.SndCwnd + delta);
        }

        tp.TcpSndCwndSet(Math.Min(tp.SndCwnd, tp.SndCwndClamp));
    }

    // A congestion control that lives on marks has every packet marked as capable of them, pure ACKs included.
    private static void MarkPackets(TcpSock tp)
    {
        if (tp.IcskCaOps.NeedsEcn)
            EcnBits.InetEcnXmit(tp);
        else
            EcnBits.InetEcnDontxmit(tp);
    }

    [Linux("tcp_ca_find_key")]
    private static TcpCongestionOps? TcpCaFindKey(Machine machine, uint key)
    {
        foreach (TcpCongRegistry.Entry entry in TcpCongRegistry.Of(machine).Entries)
        {
            if (entry.Ops.Key == key)
                return entry.Ops;
        }

        return null;
    }

    [Linux("tcp_reinit_congestion_control")]
    private static void TcpReinitCongestionControl(TcpSock tp, TcpCongestionOps ops)
    {
        TcpCleanupCongestionControl(tp);
        tp.IcskCaOps = ops;
        tp.IcskCaSetsockopt = true;
        tp.IcskCaPriv = null;
        MarkPackets(tp);
        if ((1 << tp.SkState & (TCPF_CLOSE | TCPF_LISTEN)) == 0)
            TcpInitCongestionControl(tp);
    }
}
