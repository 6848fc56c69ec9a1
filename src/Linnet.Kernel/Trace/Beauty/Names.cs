using System.Globalization;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>How the numbers of system calls are printed.</summary>
public static class Names
{
    private static readonly NameTable Families =
        new(nameof(SocketH), "AF_", except: ["AF_LOCAL", "AF_FILE", "AF_ROUTE", "AF_MAX"]);
    private static readonly NameTable SockTypes = new(nameof(SocketH), "SOCK_", "SOCK_STREAM", "SOCK_PACKET");
    private static readonly NameTable Protocols = new(nameof(InH), "IPPROTO_", except: ["IPPROTO_MAX"]);
    private static readonly NameTable Ipv6Protocols = new(nameof(In6H), "IPPROTO_", "IPPROTO_ROUTING");
    private static readonly NameTable MsgFlagNames = new(nameof(SocketH), "MSG_");
    private static readonly NameTable OpenFlagNames =
        new(nameof(FcntlH), "O_", except: ["O_ACCMODE", "O_RDONLY", "O_WRONLY", "O_RDWR", "O_SYNC", "O_TMPFILE"]);
    private static readonly NameTable Levels = new(nameof(SocketH), "SOL_");
    private static readonly NameTable SocketOptions = new(nameof(SocketH), "SO_");
    private static readonly NameTable IpOptions = new(nameof(InH), "IP_", "IP_TOS", "IP_PROTOCOL",
        "IP_PMTUDISC_DONT", "IP_PMTUDISC_WANT", "IP_PMTUDISC_DO", "IP_PMTUDISC_PROBE", "IP_PMTUDISC_INTERFACE", "IP_PMTUDISC_OMIT");
    private static readonly NameTable TcpOptions = new(nameof(TcpH), "TCP_", "TCP_NODELAY", "TCP_DELACK_MAX_US");
    private static readonly NameTable UdpOptions = new(nameof(UdpH), "UDP_");
    private static readonly NameTable Ipv6Options = new(nameof(In6H), "IPV6_");
    private static readonly NameTable PacketOptions = new(nameof(IfPacketH), "PACKET_", "PACKET_ADD_MEMBERSHIP");
    private static readonly NameTable Shutdowns = new(nameof(SocketH), "SHUT_");
    private static readonly NameTable TcpStates = new(nameof(TcpH), "TCP_", "TCP_ESTABLISHED", "TCP_BOUND_INACTIVE");
    private static readonly NameTable CongestionStates = new(nameof(TcpH), "TCP_CA_");
    private static readonly NameTable EpollOps = new(nameof(PollH), "EPOLL_CTL_");
    private static readonly NameTable EpollEvents = new(nameof(PollH), "EPOLL", "EPOLLIN");
    private static readonly NameTable FcntlCommands = new(nameof(FcntlH), "F_",
        except: ["F_OK", "F_RDLCK", "F_WRLCK", "F_UNLCK", "F_EXLCK", "F_SHLCK", "F_OWNER_TID", "F_OWNER_PID", "F_OWNER_PGRP",
            "F_LINUX_SPECIFIC_BASE"]);
    private static readonly NameTable Ioctls = new(nameof(SocketIoctlH), "");
    private static readonly NameTable Capabilities = new(nameof(CapabilityH), "CAP_", except: ["CAP_LAST_CAP"]);
    private static readonly NameTable IcmpTypes = new(nameof(IcmpH), "ICMP_", to: "ICMP_ADDRESSREPLY");
    private static readonly NameTable EtherTypes = new(nameof(IfEtherH), "ETH_P_");
    private static readonly NameTable NetlinkFamilies = new(nameof(NetlinkH), "NETLINK_", to: "NETLINK_SMC");
    private static readonly NameTable RouteTypes = new(nameof(RtnetlinkH), "RTN_", to: "RTN_XRESOLVE");
    private static readonly NameTable Syscalls = new(nameof(SyscallH), "__NR_");
    private static readonly NameTable RouteMessages = new(nameof(RtnetlinkH), "RTM_", "RTM_NEWLINK", except: ["RTM_BASE", "RTM_MAX"]);
    private static readonly NameTable DiagMessages = new(nameof(SockDiagH), "SOCK_DIAG_");
    private static readonly NameTable ControlMessages = new(nameof(SocketH), "SCM_", "SCM_RIGHTS", "SCM_CREDENTIALS");
    private static readonly NameTable ErrorOrigins = new(nameof(ErrQueueH), "SO_EE_ORIGIN_");
    private static readonly NameTable SocketCalls = new(nameof(SocketH), "SYS_");

    /// <summary><c>AF_INET</c>.</summary>
    public static string Family(long value) => Families.Name(value);

    /// <summary><c>SOCK_STREAM|SOCK_NONBLOCK</c>.</summary>
    public static string SockType(long value)
    {
        string text = SockTypes.Name(value & SocketH.SOCK_TYPE_MASK);
        long flags = value & ~SocketH.SOCK_TYPE_MASK;
        if ((flags & SocketH.SOCK_NONBLOCK) != 0)
            text += "|SOCK_NONBLOCK";
        if ((flags & SocketH.SOCK_CLOEXEC) != 0)
            text += "|SOCK_CLOEXEC";
        flags &= ~(SocketH.SOCK_NONBLOCK | SocketH.SOCK_CLOEXEC);
        return flags == 0 ? text : text + "|" + Hex(flags);
    }

    /// <summary>Flags alone, as <c>accept4</c> takes them.</summary>
    public static string SockFlags(long value) =>
        (value & SocketH.SOCK_TYPE_MASK) != 0 || value == 0 ? Number(value) : SockType(value)[2..];

    /// <summary><c>IPPROTO_TCP</c>, or what the number says in another family.</summary>
    public static string Protocol(long? family, long value) => family switch
    {
        null or SocketH.AF_INET or SocketH.AF_INET6 => Protocols.Find(value) ?? Ipv6Protocols.Name(value),
        SocketH.AF_NETLINK => NetlinkFamilies.Name(value),
        SocketH.AF_PACKET => EtherTypes.Find(((value & 0xff) << 8) | ((value >> 8) & 0xff)) is { } name
            ? $"htons({name})" : Number(value),
        _ => Number(value),
    };

    /// <summary><c>MSG_DONTWAIT|MSG_PEEK</c>.</summary>
    public static string MsgFlags(long value) => MsgFlagNames.Flags(value);

    /// <summary><c>O_RDWR|O_NONBLOCK</c>; nothing is said of a read-only file's mode.</summary>
    public static string OpenFlags(long value)
    {
        string mode = (value & FcntlH.O_ACCMODE) switch
        {
            FcntlH.O_WRONLY => "O_WRONLY",
            FcntlH.O_RDWR => "O_RDWR",
            _ => "",
        };
        long rest = value & ~FcntlH.O_ACCMODE;
        if (rest == 0)
            return mode.Length > 0 ? mode : "0";
        return mode.Length > 0 ? $"{mode}|{OpenFlagNames.Flags(rest)}" : OpenFlagNames.Flags(rest);
    }

    /// <summary><c>SOL_SOCKET</c>.</summary>
    public static string Level(long value) => Levels.Name(value);

    /// <summary><c>SO_REUSEADDR</c>: the names depend on the level.</summary>
    public static string Option(long? level, long value) => level switch
    {
        null or SocketH.SOL_SOCKET => SocketOptions.Name(value),
        SocketH.SOL_IP => IpOptions.Name(value),
        SocketH.SOL_TCP => TcpOptions.Name(value),
        SocketH.SOL_UDP => UdpOptions.Name(value),
        SocketH.SOL_IPV6 => Ipv6Options.Name(value),
        SocketH.SOL_PACKET => PacketOptions.Name(value),
        _ => Number(value),
    };

    /// <summary><c>IP_PKTINFO</c>: a control message, of which most are named after the option that asks for them.</summary>
    public static string ControlMessage(long level, long value) =>
        (level == SocketH.SOL_SOCKET ? ControlMessages.Find(value) : null) ?? Option(level, value);

    /// <summary><c>SO_EE_ORIGIN_ICMP</c>.</summary>
    public static string ErrorOrigin(long value) => ErrorOrigins.Name(value);

    /// <summary><c>SHUT_WR</c>.</summary>
    public static string Shutdown(long value) => Shutdowns.Name(value);

    /// <summary><c>TCP_ESTABLISHED</c>.</summary>
    public static string TcpState(long value) => TcpStates.Name(value);

    /// <summary><c>TCP_CA_Recovery</c>.</summary>
    public static string CongestionState(long value) => CongestionStates.Name(value);

    /// <summary><c>EPOLL_CTL_ADD</c>.</summary>
    public static string EpollOp(long value) => EpollOps.Name(value);

    /// <summary><c>EPOLLIN|EPOLLOUT</c>.</summary>
    public static string PollMask(long value) => EpollEvents.Flags(value);

    /// <summary><c>F_SETFL</c>.</summary>
    public static string Fcntl(long value) => FcntlCommands.Name(value);

    /// <summary><c>FIONREAD</c>, or hexadecimal.</summary>
    public static string Ioctl(long value) => Ioctls.Find(value) ?? Hex(value);

    /// <summary><c>CAP_NET_RAW</c>.</summary>
    public static string Capability(long value) => Capabilities.Name(value);

    /// <summary><c>ICMP_DEST_UNREACH</c>.</summary>
    public static string IcmpType(long value) => IcmpTypes.Name(value);

    /// <summary><c>ETH_P_IP</c>, or hexadecimal.</summary>
    public static string EtherType(long value) => EtherTypes.Find(value) ?? Hex(value);

    /// <summary><c>RTN_LOCAL</c>.</summary>
    public static string RouteType(long value) => RouteTypes.Name(value);

    /// <summary><c>recvfrom</c>: a system call of x86-64.</summary>
    public static string Syscall(long value) => Syscalls.Find(value)?["__NR_".Length..] ?? Number(value);

    /// <summary><c>RTM_GETLINK</c>: a message of one of netlink's protocols.</summary>
    public static string NetlinkMessage(long protocol, long value) => protocol switch
    {
        NetlinkH.NETLINK_ROUTE => RouteMessages.Name(value),
        NetlinkH.NETLINK_SOCK_DIAG => DiagMessages.Name(value),
        _ => Number(value),
    };

    /// <summary><c>SYS_SOCKET</c>, the number of a call in <c>socketcall</c>.</summary>
    public static string SocketCall(long value) => SocketCalls.Name(value);

    /// <summary>An IPv4 address in host order as <c>10.0.0.1</c>.</summary>
    public static string Ipv4(long value) =>
        string.Create(CultureInfo.InvariantCulture, $"{(value >> 24) & 255}.{(value >> 16) & 255}.{(value >> 8) & 255}.{value & 255}");

    /// <summary>An errno of either sign as <c>EINVAL</c>.</summary>
    public static string ErrnoName(long value) => Errno.Name((int)value);

    internal static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    internal static string Hex(long value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}
