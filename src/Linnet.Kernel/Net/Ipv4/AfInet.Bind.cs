using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Who calls <c>__inet_bind</c>, and what it may leave out.</summary>
[Flags]
public enum BindFlags
{
    /// <summary>Nothing is left out.</summary>
    None = 0,

    /// <summary>
    /// Any port number will do later; only the address is wanted (<c>BIND_FORCE_ADDRESS_NO_PORT</c>).
    /// </summary>
    ForceAddressNoPort = 1,

    /// <summary>Take the socket lock (<c>BIND_WITH_LOCK</c>).</summary>
    WithLock = 2,

    /// <summary>The caller has checked for CAP_NET_BIND_SERVICE (<c>BIND_NO_CAP_NET_BIND_SERVICE</c>).</summary>
    NoCapNetBindService = 8,
}

/// <content>Local addresses.</content>
public static partial class AfInet
{
    /// <summary>Gives a socket a local address and port.</summary>
    [Linux("inet_bind")]
    public static int InetBind(Socket sock, ReadOnlySpan<byte> addr) => InetBindSk((InetSock)sock.Sk!, addr);

    /// <summary>Gives a sock a local address and port: the protocol's way, or the family's.</summary>
    [Linux("inet_bind_sk")]
    public static int InetBindSk(InetSock sk, ReadOnlySpan<byte> addr)
    {
        if (sk.SkProt.HasBind)
            return sk.SkProt.Bind(sk, addr);
        if (addr.Length < SockaddrIn.Size)
            return -EINVAL;
        return InetBindCore(sk, addr, BindFlags.WithLock);
    }

    /// <summary>
    /// Binds after the length was checked. The order of the refusals is Linux's: family, address, privilege, state,
    /// port.
    /// </summary>
    /// <returns>0, -EAFNOSUPPORT, -EADDRNOTAVAIL, -EACCES, -EINVAL when bound already, -EADDRINUSE.</returns>
    [Linux("__inet_bind")]
    public static int InetBindCore(InetSock sk, ReadOnlySpan<byte> addr, BindFlags flags)
    {
        NetNamespace net = sk.SkNet;
        SockaddrIn.Read(addr, out ushort family, out uint saddr, out ushort snum);
        // Old programs leave the family at zero when they want any address.
        if (family != AF_INET && (family != AF_UNSPEC || saddr != INADDR_ANY))
            return -EAFNOSUPPORT;

        int type = FibFrontend.InetAddrType(net, saddr);
        if (!InetAddrValidOrNonlocal(sk, saddr, type))
            return -EADDRNOTAVAIL;
        if ((flags & BindFlags.NoCapNetBindService) == 0 && snum != 0
            && InetConnectionSockOps.InetPortRequiresBindService(net, snum)
            && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_BIND_SERVICE))
            return -EACCES;

        if ((flags & BindFlags.WithLock) != 0)
            sk.LockSock();
        int err = BindLocked(sk, saddr, snum, type, flags);
        if ((flags & BindFlags.WithLock) != 0)
            sk.ReleaseSock();
        return err;
    }

    /// <summary>
    /// Whether a socket may be bound to addresses that are not this host's (<c>inet_can_nonlocal_bind</c>).
    /// </summary>
    public static bool InetCanNonlocalBind(InetSock sk) =>
        sk.SkNet.Ipv4.SysctlIpNonlocalBind != 0 || (sk.InetFlags & (InetFlags.Freebind | InetFlags.Transparent)) != 0;

    /// <summary>Whether a socket may be bound to an address of a type (<c>inet_addr_valid_or_nonlocal</c>).</summary>
    public static bool InetAddrValidOrNonlocal(InetSock sk, uint addr, int addrType) =>
        InetCanNonlocalBind(sk) || addr == INADDR_ANY || addrType is RTN_LOCAL or RTN_MULTICAST or RTN_BROADCAST;

    /// <summary>Gives an unbound socket a port of the protocol's choice.</summary>
    /// <returns>0, or -EAGAIN when there is none.</returns>
    [Linux("inet_autobind")]
    private static int InetAutobind(InetSock sk)
    {
        int err = 0;
        sk.LockSock();
        if (sk.SkcNum == 0)
        {
            if (sk.SkProt.GetPort(sk, 0) != 0)
                err = -EAGAIN;
            else
                sk.InetSport = sk.SkcNum;
        }

        sk.ReleaseSock();
        return err;
    }

    private static int BindLocked(InetSock sk, uint saddr, ushort snum, int type, BindFlags flags)
    {
        if (sk.SkState != TCP_CLOSE || sk.SkcNum != 0)
            return -EINVAL;
        sk.SkcRcvSaddr = sk.InetSaddr = saddr;
        // A packet cannot be sent from a group or a broadcast address.
        if (type is RTN_MULTICAST or RTN_BROADCAST)
            sk.InetSaddr = 0;
        bool addressOnly = sk.Test(InetFlags.BindAddressNoPort) || (flags & BindFlags.ForceAddressNoPort) != 0;
        if (snum != 0 || !addressOnly)
        {
            int err = sk.SkProt.GetPort(sk, snum);
            if (err != 0)
            {
                sk.InetSaddr = sk.SkcRcvSaddr = 0;
                return err < 0 ? err : -EADDRINUSE;
            }
        }

        if (sk.SkcRcvSaddr != 0)
            sk.SkUserlocks |= SockUserLocks.BindAddr;
        if (snum != 0)
            sk.SkUserlocks |= SockUserLocks.BindPort;
        sk.InetSport = sk.SkcNum;
        sk.SkcDaddr = 0;
        sk.SkcDport = 0;
        sk.SkDstCache = null;
        return 0;
    }
}
