namespace Linnet.Kernel.Uapi;

/// <summary>
/// Names of the counters as the text of /proc/net/snmp and /proc/net/netstat has them, each at the index of its enum
/// member; the enums are the only place where they are written.
/// </summary>
public static class SnmpNames
{
    /// <summary>Members of <see cref="IpstatsMib"/> that belong to the group Ip; the others are IpExt's.</summary>
    public const int IpCount = (int)IpstatsMib.OutTransmits + 1;

    private static readonly string[] Ipstats = Enum.GetNames<IpstatsMib>();
    private static readonly string[] IcmpTable = Enum.GetNames<IcmpMib>();
    private static readonly string[] TcpTable = Enum.GetNames<TcpMib>();
    private static readonly string[] UdpTable = Enum.GetNames<UdpMib>();
    private static readonly string[] TcpExtTable = Enum.GetNames<LinuxMib>();

    /// <summary>Group Ip, without the leading settings Forwarding and DefaultTTL, which are not counted.</summary>
    public static ReadOnlySpan<string> Ip => Ipstats.AsSpan(0, IpCount);

    /// <summary>Group IpExt; entry i is the name of <c>(IpstatsMib)(IpCount + i)</c>.</summary>
    public static ReadOnlySpan<string> IpExt => Ipstats.AsSpan(IpCount);

    /// <summary>The counters of group Icmp that are not per type.</summary>
    public static ReadOnlySpan<string> Icmp => IcmpTable;

    /// <summary>Group Tcp.</summary>
    public static ReadOnlySpan<string> Tcp => TcpTable;

    /// <summary>Groups Udp and UdpLite.</summary>
    public static ReadOnlySpan<string> Udp => UdpTable;

    /// <summary>Group TcpExt.</summary>
    public static ReadOnlySpan<string> TcpExt => TcpExtTable;
}

/// <summary>
/// Counters of ICMP messages by type: one array, types received first, types sent from <see cref="OutBase"/> on
/// (groups Icmp and IcmpMsg of /proc/net/snmp).
/// </summary>
public static class IcmpMsgMib
{
    /// <summary>Index of sent type 0.</summary>
    public const int OutBase = 256;

    /// <summary>Length of the array.</summary>
    public const int Max = 512;

    /// <summary>Index of the counter of a received type, 0 to 255.</summary>
    public static int In(int type) => type & 0xff;

    /// <summary>Index of the counter of a sent type, 0 to 255.</summary>
    public static int Out(int type) => OutBase | (type & 0xff);

    /// <summary>The types that group Icmp shows by name, with "In" or "Out" before it, in its order.</summary>
    public static ReadOnlySpan<(string Name, int Type)> Named => NamedTable;

    private static readonly (string Name, int Type)[] NamedTable =
    [
        ("DestUnreachs", ICMP_DEST_UNREACH),
        ("TimeExcds", ICMP_TIME_EXCEEDED),
        ("ParmProbs", ICMP_PARAMETERPROB),
        ("SrcQuenchs", ICMP_SOURCE_QUENCH),
        ("Redirects", ICMP_REDIRECT),
        ("Echos", ICMP_ECHO),
        ("EchoReps", ICMP_ECHOREPLY),
        ("Timestamps", ICMP_TIMESTAMP),
        ("TimestampReps", ICMP_TIMESTAMPREPLY),
        ("AddrMasks", ICMP_ADDRESS),
        ("AddrMaskReps", ICMP_ADDRESSREPLY),
    ];
}
