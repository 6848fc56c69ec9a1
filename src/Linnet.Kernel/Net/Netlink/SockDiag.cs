using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>What a family answers to requests about its sockets (<c>struct sock_diag_handler</c>).</summary>
[LinuxStruct("sock_diag_handler")]
public abstract class SockDiagHandler
{
    /// <summary>The family, <c>AF_*</c>.</summary>
    public abstract int Family { get; }

    /// <summary>Tells of sockets.</summary>
    public abstract int Dump(NetlinkRequest request);

    /// <summary>Ends a socket.</summary>
    public virtual int Destroy(NetlinkRequest request) => -EOPNOTSUPP;
}

/// <summary>The protocol <c>NETLINK_SOCK_DIAG</c> (<c>sock_diag(7)</c>): tells of sockets, family by family.</summary>
[LinuxFile("net/core/sock_diag.c")]
public static class SockDiag
{
    private static readonly StateSlot<SockDiagState> Slot = new();
    private static readonly StateSlot<NetlinkSock> NetSlot = new();

    /// <summary>Makes the protocol known.</summary>
    [Linux("sock_diag_init")]
    internal static int SockDiagInit(Machine machine)
    {
        Slot.Set(machine.Slots, new SockDiagState());
        return NetCore.Of(machine).RegisterPernetSubsys(new DiagNetOps());
    }

    /// <summary>Has requests about a family's sockets answered.</summary>
    /// <returns>0, -EINVAL for no family, or -EBUSY when somebody answers already.</returns>
    [Linux("sock_diag_register")]
    public static int SockDiagRegister(Machine machine, SockDiagHandler handler)
    {
        if (handler.Family is < 0 or >= AF_MAX)
            return -EINVAL;
        return Interlocked.CompareExchange(ref Slot.Of(machine.Slots).Handlers[handler.Family], handler, null) == null ? 0 : -EBUSY;
    }

    /// <summary>Takes a family's answers away again.</summary>
    [Linux("sock_diag_unregister")]
    public static void SockDiagUnregister(Machine machine, SockDiagHandler handler) =>
        Interlocked.CompareExchange(ref Slot.Of(machine.Slots).Handlers[handler.Family], null, handler);

    /// <summary>Whether a request means a socket with this cookie: it has the same one, or none.</summary>
    /// <returns>0 or -ESTALE.</returns>
    [Linux("sock_diag_check_cookie")]
    public static int SockDiagCheckCookie(SockCommon sk, uint low, uint high)
    {
        if (low == INET_DIAG_NOCOOKIE && high == INET_DIAG_NOCOOKIE)
            return 0;
        ulong cookie = (ulong)sk.SockGenCookie();
        return (uint)cookie == low && (uint)(cookie >> 32) == high ? 0 : -ESTALE;
    }

    /// <summary>Appends how much memory a socket uses.</summary>
    [Linux("sock_diag_put_meminfo")]
    public static void SockDiagPutMeminfo(Sock sk, NlmsgWriter skb, int attrtype)
    {
        Span<uint> mem = stackalloc uint[SK_MEMINFO_VARS];
        sk.SkGetMeminfo(mem);
        skb.NlaPut(attrtype, MemoryMarshal.AsBytes(mem));
    }

    /// <summary>Appends the filter that is attached to a socket; who may not see it finds an empty one.</summary>
    [Linux("sock_diag_put_filterinfo")]
    public static void SockDiagPutFilterinfo(bool mayReportFilterinfo, Sock sk, NlmsgWriter skb, int attrtype)
    {
        if (!mayReportFilterinfo)
            skb.NlaReserve(attrtype, 0);
        else if (sk.SkFilter is { } filter)
            skb.NlaPut(attrtype, MemoryMarshal.AsBytes(filter.Program));
    }

    /// <summary>Ends a socket for somebody who may.</summary>
    [Linux("sock_diag_destroy")]
    public static int SockDiagDestroy(Sock sk, int err) =>
        TaskStruct.Current.NsCapable(sk.SkNet.UserNs, CAP_NET_ADMIN) ? sk.SkProt.DiagDestroy(sk, err) : -EPERM;

    [Linux("sock_diag_rcv")]
    private static void SockDiagRcv(NetlinkSock sk, NetlinkSock ssk, SkBuff skb) =>
        AfNetlink.NetlinkRcvSkb(sk, ssk, skb, SockDiagRcvMsg);

    [Linux("sock_diag_rcv_msg")]
    private static int SockDiagRcvMsg(NetlinkRequest request)
    {
        switch (request.Header.NlmsgType)
        {
            case TCPDIAG_GETSOCK:
            case DCCPDIAG_GETSOCK:
                return Slot.Of(request.Net.Machine.Slots).InetRcvCompat?.Invoke(request) ?? -EOPNOTSUPP;
            case SOCK_DIAG_BY_FAMILY:
            case SOCK_DESTROY:
                return SockDiagCmd(request);
            default:
                return -EINVAL;
        }
    }

    /// <summary>Has requests of the first kind answered, which were about internet sockets alone.</summary>
    [Linux("sock_diag_register_inet_compat")]
    public static void SockDiagRegisterInetCompat(Machine machine, NetlinkHandler handler) =>
        Slot.Of(machine.Slots).InetRcvCompat = handler;

    [Linux("__sock_diag_cmd")]
    private static int SockDiagCmd(NetlinkRequest request)
    {
        if (!MemoryMarshal.TryRead(request.Payload, out SockDiagReq req))
            return -EINVAL;
        if (req.SdiagFamily >= AF_MAX)
            return -EINVAL;
        Machine machine = request.Net.Machine;
        ref SockDiagHandler? slot = ref Slot.Of(machine.Slots).Handlers[req.SdiagFamily];
        if (Volatile.Read(ref slot) == null)
            machine.Modules.RequestModule($"net-pf-{PF_NETLINK}-proto-{NETLINK_SOCK_DIAG}-type-{req.SdiagFamily}");
        if (Volatile.Read(ref slot) is not { } handler)
        {
            machine.Unsupported.Add(RequestKind.Netlink, NETLINK_SOCK_DIAG, request.Header.NlmsgType, req.SdiagFamily);
            return -ENOENT;
        }

        return request.Header.NlmsgType == SOCK_DIAG_BY_FAMILY ? handler.Dump(request) : handler.Destroy(request);
    }

    private sealed class SockDiagState
    {
        public SockDiagHandler?[] Handlers { get; } = new SockDiagHandler?[AF_MAX];

        public NetlinkHandler? InetRcvCompat { get; set; }
    }

    private sealed class DiagNetOps : PernetOperations
    {
        [Linux("diag_net_init")]
        public override int Init(NetNamespace net)
        {
            NetlinkSock? sk = AfNetlink.NetlinkKernelCreate(net, NETLINK_SOCK_DIAG, new NetlinkKernelCfg
            {
                Groups = SKNLGRP_MAX,
                Input = SockDiagRcv,

                // Nobody is told here when a socket ends.
                Bind = (_, _) => -EOPNOTSUPP,
            });
            NetSlot.Set(net.Slots, sk);
            return sk == null ? -ENOMEM : 0;
        }

        [Linux("diag_net_exit")]
        public override void Exit(NetNamespace net)
        {
            if (NetSlot.Find(net.Slots) is not { } sk)
                return;
            NetSlot.Set(net.Slots, null);
            AfNetlink.NetlinkKernelRelease(sk);
        }
    }
}
