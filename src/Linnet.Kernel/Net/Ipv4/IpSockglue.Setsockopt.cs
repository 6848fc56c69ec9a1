using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Setting options of level <c>IPPROTO_IP</c>.</content>
public static partial class IpSockglue
{
    /// <summary>Sets an option of the IP level.</summary>
    /// <returns>0, -ENOPROTOOPT for one that Linnet does not have, or the option's own error.</returns>
    [Linux("ip_setsockopt")]
    public static int IpSetsockopt(InetSock sk, int level, int optname, Sockptr optval, int optlen)
    {
        if (level != SOL_IP)
            return -ENOPROTOOPT;
        return DoIpSetsockopt(sk, optname, optval, optlen);
    }

    [Linux("do_ip_setsockopt")]
    private static int DoIpSetsockopt(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        // A missing value is zero, and most options also take a single byte.
        int val = 0;
        if (IsIntOption(optname))
        {
            int err = ReadIntOrByte(optval, optlen, out val);
            if (err < 0)
                return err;
        }

        if (optname == IP_ROUTER_ALERT)
            return RouterAlert.IpRaControl(sk, val != 0);
        int done = SetSwitch(sk, optname, val, optlen);
        if (done == -ENOPROTOOPT)
            done = SetValue(sk, optname, val, optlen);
        if (done != -ENOPROTOOPT || IsIntOption(optname))
            return done;

        sk.LockSock();
        done = SetLocked(sk, optname, optval, optlen);
        sk.ReleaseSock();
        return done;
    }

    private static bool IsIntOption(int optname) => optname is IP_PKTINFO or IP_RECVTTL or IP_RECVOPTS or IP_RECVTOS
        or IP_RETOPTS or IP_TOS or IP_TTL or IP_HDRINCL or IP_MTU_DISCOVER or IP_RECVERR or IP_ROUTER_ALERT
        or IP_FREEBIND or IP_PASSSEC or IP_TRANSPARENT or IP_MINTTL or IP_NODEFRAG or IP_BIND_ADDRESS_NO_PORT or IP_UNICAST_IF
        or IP_MULTICAST_TTL or IP_MULTICAST_ALL or IP_MULTICAST_LOOP or IP_RECVORIGDSTADDR or IP_CHECKSUM
        or IP_RECVFRAGSIZE or IP_RECVERR_RFC4884 or IP_LOCAL_PORT_RANGE;

    private static int ReadIntOrByte(Sockptr optval, int optlen, out int val)
    {
        val = 0;
        if (optlen >= sizeof(int))
            return optval.Get(out val);
        if (optlen < 1)
            return 0;
        int err = optval.Get(out byte small);
        val = small;
        return err;
    }

    // Options that are a switch in InetSock.InetFlags.
    private static int SetSwitch(InetSock sk, int optname, int val, int optlen)
    {
        InetFlags flag = SwitchOf(optname);
        if (flag == 0)
            return -ENOPROTOOPT;
        switch (optname)
        {
            case IP_HDRINCL or IP_NODEFRAG when sk.SkType != SOCK_RAW:
                return -ENOPROTOOPT;
            case IP_RECVFRAGSIZE when sk.SkType is not (SOCK_RAW or SOCK_DGRAM):
                return -EINVAL;
            case IP_RECVERR_RFC4884 when val is not (0 or 1):
                return -EINVAL;
            case IP_TRANSPARENT when val != 0 && !NetAdmin(sk):
                return -EPERM;
            case IP_FREEBIND or IP_MULTICAST_LOOP or IP_MULTICAST_ALL or IP_TRANSPARENT when optlen < 1:
                return -EINVAL;
            case IP_MULTICAST_ALL when val is not (0 or 1):
                return -EINVAL;
        }

        sk.Assign(flag, val != 0);
        if (optname == IP_RECVERR && val == 0)
        {
            sk.SkErrorQueue.Guard.Lock();
            sk.SkErrorQueue.Purge();
            sk.SkErrorQueue.Guard.Unlock();
        }

        return 0;
    }

    private static InetFlags SwitchOf(int optname) => optname switch
    {
        IP_PKTINFO => InetFlags.Pktinfo,
        IP_RECVTTL => InetFlags.Recvttl,
        IP_RECVTOS => InetFlags.Recvtos,
        IP_RECVOPTS => InetFlags.Recvopts,
        IP_RETOPTS => InetFlags.Retopts,
        IP_PASSSEC => InetFlags.Passsec,
        IP_RECVORIGDSTADDR => InetFlags.Origdstaddr,
        IP_CHECKSUM => InetFlags.Checksum,
        IP_RECVFRAGSIZE => InetFlags.Recvfragsize,
        IP_RECVERR => InetFlags.Recverr,
        IP_RECVERR_RFC4884 => InetFlags.RecverrRfc4884,
        IP_FREEBIND => InetFlags.Freebind,
        IP_HDRINCL => InetFlags.Hdrincl,
        IP_MULTICAST_LOOP => InetFlags.McLoop,
        IP_MULTICAST_ALL => InetFlags.McAll,
        IP_TRANSPARENT => InetFlags.Transparent,
        IP_NODEFRAG => InetFlags.Nodefrag,
        IP_BIND_ADDRESS_NO_PORT => InetFlags.BindAddressNoPort,
        _ => 0,
    };

    private static int SetValue(InetSock sk, int optname, int val, int optlen)
    {
        switch (optname)
        {
            case IP_TTL:
                if (optlen < 1 || (val != -1 && val is < 1 or > 255))
                    return -EINVAL;
                sk.UcTtl = (short)val;
                return 0;
            case IP_MTU_DISCOVER:
                if (val is < IP_PMTUDISC_DONT or > IP_PMTUDISC_OMIT)
                    return -EINVAL;
                sk.Pmtudisc = (byte)val;
                return 0;
            case IP_TOS:
                IpSockSetTos(sk, val);
                return 0;
            case IP_MULTICAST_TTL:
                if (sk.SkType == SOCK_STREAM || optlen < 1)
                    return -EINVAL;
                if (val == -1)
                    val = IP_DEFAULT_MULTICAST_TTL;
                if (val is < 0 or > 255)
                    return -EINVAL;
                sk.McTtl = (byte)val;
                return 0;
            case IP_MINTTL:
                if (optlen < 1 || val is < 0 or > 255)
                    return -EINVAL;
                sk.MinTtl = (byte)val;
                return 0;
            case IP_UNICAST_IF:
                return optlen == sizeof(int) ? SetUnicastIf(sk, (int)Htonl((uint)val)) : -EINVAL;
            case IP_LOCAL_PORT_RANGE:
                return SetLocalPortRange(sk, (uint)val, optlen);
            default:
                return -ENOPROTOOPT;
        }
    }

    /// <summary>
    /// Sets the type of service, the priority that follows from it, and has the route looked up again.
    /// </summary>
    [Linux("__ip_sock_set_tos")]
    public static void IpSockSetTos(InetSock sk, int val)
    {
        const int EcnMask = 3;
        // TCP looks after the ECN bits itself.
        if (sk.SkType == SOCK_STREAM)
            val = (val & ~EcnMask) | (sk.Tos & EcnMask);
        byte old = sk.Tos;
        if (old == val)
            return;
        sk.Tos = (byte)val;
        sk.SkPriority = RtTos2Priority((byte)val);
        sk.SkDstReset();
    }

    private static int SetUnicastIf(InetSock sk, int ifindex)
    {
        if (ifindex != 0)
        {
            if (sk.SkNet.Devices.DevGetByIndex(ifindex) == null)
                return -EADDRNOTAVAIL;
            if (sk.SkcBoundDevIf != 0)
                return -EINVAL;
        }

        sk.UcIndex = ifindex;
        return 0;
    }

    private static int SetLocalPortRange(InetSock sk, uint val, int optlen)
    {
        if (optlen != sizeof(uint))
            return -EINVAL;
        uint low = val & 0xFFFF;
        uint high = val >> 16;
        if (low != 0 && high != 0 && low > high)
            return -EINVAL;
        sk.LocalPortRange = val;
        return 0;
    }

    private static int SetLocked(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        switch (optname)
        {
            case IP_OPTIONS:
                return SetOptions(sk, optval, optlen);
            case IP_MULTICAST_IF:
                return SetMulticastIf(sk, optval, optlen);
            case IP_ADD_MEMBERSHIP or IP_DROP_MEMBERSHIP:
                return SetMembership(sk, optname, optval, optlen);
            case IP_MSFILTER:
                return SetMsfilter(sk, optval, optlen);
            case IP_BLOCK_SOURCE or IP_UNBLOCK_SOURCE or IP_ADD_SOURCE_MEMBERSHIP or IP_DROP_SOURCE_MEMBERSHIP:
                return SetSource(sk, optname, optval, optlen);
            case MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP:
                return IpMcastJoinLeave(sk, optname, optval, optlen);
            case MCAST_JOIN_SOURCE_GROUP or MCAST_LEAVE_SOURCE_GROUP or MCAST_BLOCK_SOURCE or MCAST_UNBLOCK_SOURCE:
                return DoMcastGroupSource(sk, optname, optval, optlen);
            case MCAST_MSFILTER:
                return IpSetMcastMsfilter(sk, optval, optlen);
            default:
                return -ENOPROTOOPT;
        }
    }

    private static int SetOptions(InetSock sk, Sockptr optval, int optlen)
    {
        if (optlen is > MAX_IPOPTLEN or < 0)
            return -EINVAL;
        Span<byte> given = stackalloc byte[MAX_IPOPTLEN];
        given = given[..optlen];
        if (optval.CopyFrom(given) < 0)
            return -EFAULT;
        int err = IpOptions.IpOptionsGet(sk.SkNet, given, out IpOptionsRcu? options);
        if (err < 0)
            return err;
        IpOptionsRcu? old = sk.InetOpt;
        sk.InetOpt = options is { Opt.Optlen: 0 } ? null : options;
        // What options take of each segment, TCP must not fill.
        if (sk is TcpSock tp)
        {
            tp.IcskExtHdrLen -= old?.Opt.Optlen ?? 0;
            tp.IcskExtHdrLen += sk.InetOpt?.Opt.Optlen ?? 0;
            TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
        }

        return 0;
    }

    private static bool NetAdmin(Sock sk)
    {
        TaskStruct task = TaskStruct.Current;
        return task.NsCapable(sk.SkNet.UserNs, CAP_NET_RAW) || task.NsCapable(sk.SkNet.UserNs, CAP_NET_ADMIN);
    }
}
