using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The congestion controls of a machine (<c>tcp_cong_list</c>).</summary>
public sealed class TcpCongRegistry
{
    private static readonly StateSlot<TcpCongRegistry> Slot = new();

    // Replaced as a whole when it changes, so that it is read without a lock.
    private volatile Entry[] entries = [];

    /// <summary>Names and whether they are allowed without privilege, in the order of registration.</summary>
    internal Entry[] Entries => entries;

    /// <summary>The registry of a machine; made, with Reno in it, when first asked for.</summary>
    public static TcpCongRegistry Of(Machine machine)
    {
        if (Slot.Find(machine.Slots) is { } found)
            return found;
        lock (machine.Slots)
        {
            if (Slot.Find(machine.Slots) == null)
            {
                TcpCongRegistry made = new();
                made.Replace([new Entry(TcpReno.Instance, TcpReno.Instance.NonRestricted)]);
                Slot.Set(machine.Slots, made);
            }
        }

        return Slot.Of(machine.Slots);
    }

    internal void Replace(Entry[] with) => entries = with;

    internal readonly record struct Entry(TcpCongestionOps Ops, bool Allowed);
}

/// <summary>Choice of the congestion control, and what all of them share: slow start and congestion avoidance of Reno.</summary>
[LinuxFile("net/ipv4/tcp_cong.c")]
public static class TcpCong
{
    /// <summary>Longest name with its terminator (<c>TCP_CA_NAME_MAX</c>).</summary>
    public const int TCP_CA_NAME_MAX = 16;

    /// <summary>Finds a congestion control by name (<c>tcp_ca_find</c>).</summary>
    [Linux("tcp_ca_find")]
    public static TcpCongestionOps? TcpCaFind(Machine machine, string name)
    {
        foreach (TcpCongRegistry.Entry entry in TcpCongRegistry.Of(machine).Entries)
        {
            if (entry.Ops.Name == name)
                return entry.Ops;
        }

        return null;
    }

    /// <summary>Makes a congestion control available.</summary>
    /// <returns>0, or -EEXIST for a name that is taken.</returns>
    [Linux("tcp_register_congestion_control")]
    public static int TcpRegisterCongestionControl(Machine machine, TcpCongestionOps ops)
    {
        TcpCongRegistry registry = TcpCongRegistry.Of(machine);
        lock (registry)
        {
            if (TcpCaFind(machine, ops.Name) != null)
                return -EEXIST;
            registry.Replace([.. registry.Entries, new TcpCongRegistry.Entry(ops, ops.NonRestricted)]);
        }

        return 0;
    }

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
        TcpCongRegistry registry = TcpCongRegistry.Of(machine);
        lock (registry)
        {
            if (wanted.Any(name => TcpCaFind(machine, name) == null))
                return -ENOENT;
            registry.Replace([.. registry.Entries.Select(entry => entry with { Allowed = wanted.Contains(entry.Ops.Name) })]);
        }

        return 0;
    }

    /// <summary>What new connections of a namespace get.</summary>
    [Linux("tcp_get_default_congestion_control")]
    public static string TcpGetDefaultCongestionControl(NetNamespace net) => Default(net).Name;

    /// <summary>Changes what new connections of a namespace get, and allows it to everybody.</summary>
    /// <returns>0 or -ENOENT.</returns>
    [Linux("tcp_set_default_congestion_control")]
    public static int TcpSetDefaultCongestionControl(NetNamespace net, string name)
    {
        if (TcpCaFind(net.Machine, name) is not { } ops)
            return -ENOENT;
        TcpCongRegistry registry = TcpCongRegistry.Of(net.Machine);
        lock (registry)
        {
            registry.Replace([.. registry.Entries.Select(entry => entry with { Allowed = entry.Allowed || entry.Ops == ops })]);
        }

        net.Ipv4.TcpCongestionControl = ops;
        return 0;
    }

    /// <summary>Gives a new socket its namespace's default.</summary>
    [Linux("tcp_assign_congestion_control")]
    public static void TcpAssignCongestionControl(TcpSock tp)
    {
        tp.IcskCaOps = Default(tp.SkNet);
        tp.IcskCaPriv = null;
        tp.IcskCaInitialized = false;
    }

    /// <summary>The connection is established: congestion control begins.</summary>
    [Linux("tcp_init_congestion_control")]
    public static void TcpInitCongestionControl(TcpSock tp)
    {
        tp.PriorSsthresh = 0;
        tp.IcskCaOps.Init(tp);
        tp.IcskCaInitialized = true;
    }

    /// <summary>The connection ends.</summary>
    [Linux("tcp_cleanup_congestion_control")]
    public static void TcpCleanupCongestionControl(TcpSock tp)
    {
        if (tp.IcskCaInitialized)
            tp.IcskCaOps.Release(tp);
        tp.IcskCaInitialized = false;
        tp.IcskCaPriv = null;
    }

    /// <summary>Changes a socket's congestion control (<c>TCP_CONGESTION</c>).</summary>
    /// <param name="tp">The socket, locked.</param>
    /// <param name="name">The name.</param>
    /// <param name="capNetAdmin">Whether the caller may use those that are not allowed to everybody.</param>
    /// <returns>0, -ENOENT or -EPERM.</returns>
    [Linux("tcp_set_congestion_control")]
    public static int TcpSetCongestionControl(TcpSock tp, string name, bool capNetAdmin)
    {
        TcpCongRegistry.Entry found = default;
        foreach (TcpCongRegistry.Entry entry in TcpCongRegistry.Of(tp.Machine).Entries)
        {
            if (entry.Ops.Name == name)
                found = entry;
        }

        if (found.Ops == null)
            return -ENOENT;
        if (found.Ops == tp.IcskCaOps)
        {
            tp.IcskCaSetsockopt = true;
            return 0;
        }

        if (!found.Allowed && !capNetAdmin)
            return -EPERM;
        TcpReinitCongestionControl(tp, found.Ops);
        return 0;
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

    private static TcpCongestionOps Default(NetNamespace net) => net.Ipv4.TcpCongestionControl ?? TcpReno.Instance;

    [Linux("tcp_reinit_congestion_control")]
    private static void TcpReinitCongestionControl(TcpSock tp, TcpCongestionOps ops)
    {
        TcpCleanupCongestionControl(tp);
        tp.IcskCaOps = ops;
        tp.IcskCaSetsockopt = true;
        tp.IcskCaPriv = null;
        if ((1 << tp.SkState & (TCPF_CLOSE | TCPF_LISTEN)) == 0)
            TcpInitCongestionControl(tp);
    }
}

/// <summary>Reno (RFC 5681): the fallback that is always there.</summary>
[LinuxFile("net/ipv4/tcp_cong.c")]
public sealed class TcpReno : TcpCongestionOps
{
    /// <summary>The singleton.</summary>
    public static readonly TcpReno Instance = new();

    private TcpReno()
    {
    }

    /// <inheritdoc/>
    public override string Name => "reno";

    /// <inheritdoc/>
    public override bool NonRestricted => true;

    /// <summary>Half of the window, at least two segments (RFC 5681 equation 4).</summary>
    [Linux("tcp_reno_ssthresh")]
    public override uint Ssthresh(TcpSock tp) => Math.Max(tp.SndCwnd >> 1, 2);

    /// <summary>Slow start, then a segment for each window (RFC 5681 3.1).</summary>
    [Linux("tcp_reno_cong_avoid")]
    public override void CongAvoid(TcpSock tp, uint ack, uint acked)
    {
        // A window that is not used says nothing about the network (RFC 7661).
        if (!tp.TcpIsCwndLimited)
            return;
        if (tp.TcpInSlowStart)
        {
            acked = TcpCong.TcpSlowStart(tp, acked);
            if (acked == 0)
                return;
        }

        TcpCong.TcpCongAvoidAi(tp, tp.SndCwnd, acked);
    }

    /// <inheritdoc/>
    [Linux("tcp_reno_undo_cwnd")]
    public override uint UndoCwnd(TcpSock tp) => Math.Max(tp.SndCwnd, tp.PriorCwnd);
}
