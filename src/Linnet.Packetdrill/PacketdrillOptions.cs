using System.Collections.Immutable;
using System.Net;

namespace Linnet.Packetdrill;

/// <summary>The three ways in which a script can be run.</summary>
public enum IpVersion
{
    /// <summary>IPv4 sockets, IPv4 on the wire.</summary>
    Ipv4,

    /// <summary>IPv6 sockets with mapped addresses, IPv4 on the wire.</summary>
    Ipv4MappedIpv6,

    /// <summary>IPv6.</summary>
    Ipv6,
}

/// <summary>The configuration of a run, under packetdrill's own option names. Made by <see cref="From"/>.</summary>
public sealed partial record PacketdrillOptions
{
    /// <summary><c>--ip_version</c></summary>
    public IpVersion IpVersion { get; init; } = IpVersion.Ipv4;

    /// <summary><c>--bind_port</c>: the port that <c>bind(fd, ..., ...)</c> binds to.</summary>
    public ushort BindPort { get; init; } = 8080;

    /// <summary><c>--connect_port</c>: the port that <c>connect(fd, ..., ...)</c> connects to.</summary>
    public ushort ConnectPort { get; init; } = 8080;

    /// <summary><c>--local_ip</c>: the address of the stack under test.</summary>
    public IPAddress LocalIp { get; init; } = IPAddress.Parse("192.168.0.1");

    /// <summary><c>--remote_ip</c>: the script's own address.</summary>
    public IPAddress RemoteIp { get; init; } = IPAddress.Parse("192.0.2.1");

    /// <summary>The length of <c>--remote_ip</c>'s prefix (<c>192.0.2.1/24</c>), which is routed to the script.</summary>
    public int RemotePrefixLength { get; init; } = 32;

    /// <summary><c>--gateway_ip</c></summary>
    public IPAddress GatewayIp { get; init; } = IPAddress.Parse("192.168.0.1");

    /// <summary><c>--netmask_ip</c>, as the length of the local prefix.</summary>
    public int LocalPrefixLength { get; init; } = 16;

    /// <summary><c>--mtu</c> of the device, in bytes.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary><c>--mss</c>: the segment size that is marked on injected packets above the MTU; 0 for none.</summary>
    public int Mss { get; init; }

    /// <summary><c>--tolerance_usecs</c>: how far an event may be off its time, in microseconds.</summary>
    public long ToleranceUsecs { get; init; } = 4000;

    /// <summary><c>--tolerance_percent</c>: the same, in percent of the time since the event before; the larger one holds.</summary>
    public double TolerancePercent { get; init; } = 12.5;

    /// <summary><c>--tcp_ts_tick_usecs</c>: microseconds of one tick of outbound timestamps; 0 does not compare them.</summary>
    public int TcpTsTickUsecs { get; init; }

    /// <summary><c>--tcp_ts_ecr_scaled</c>: inbound echoes need not be of a timestamp that was seen.</summary>
    public bool TcpTsEcrScaled { get; init; }

    /// <summary><c>--strict_segments</c>: outbound segments are not joined before they are compared.</summary>
    public bool StrictSegments { get; init; }

    /// <summary><c>--send_omit_free</c>: packetdrill keeps its buffers; nothing depends on it here, where they are collected.</summary>
    public bool SendOmitFree { get; init; }

    /// <summary><c>--is_anyip</c>: all addresses of the local prefix are the stack's own.</summary>
    public bool IsAnyIp { get; init; }

    /// <summary><c>--non_fatal=packet</c>: a packet that does not match is reported, and the run goes on.</summary>
    public bool NonFatalPacket { get; init; }

    /// <summary><c>--non_fatal=syscall</c>: a call that returns something else is reported, and the run goes on.</summary>
    public bool NonFatalSyscall { get; init; }

    /// <summary><c>--init_scripts</c>: shell scripts to run before the script, in order; named relative to it.</summary>
    public ImmutableArray<string> InitScripts { get; init; } = [];

    /// <summary><c>--psp_udp_port</c>; 0 for none. Linnet has no PSP: a run refuses it.</summary>
    public ushort PspUdpPort { get; init; }

    /// <summary><c>--dry_run</c>: parse only.</summary>
    public bool DryRun { get; init; }

    /// <summary><c>--verbose</c></summary>
    public bool Verbose { get; init; }

    /// <summary><c>--define</c>, <c>-D</c>: what stands in a word's place, in the script's text.</summary>
    public ImmutableSortedDictionary<string, string> Defines { get; init; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
}
