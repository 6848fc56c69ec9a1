namespace Linnet.Packetdrill;

/// <summary>What a command line's help says of an option.</summary>
/// <param name="Name">The name, without dashes.</param>
/// <param name="Value">What stands for its value, or null for a flag.</param>
/// <param name="About">What it does.</param>
public sealed record OptionDescription(string Name, string? Value, string About);

/// <content>The options' descriptions.</content>
public sealed partial record PacketdrillOptions
{
    /// <summary>All options, packetdrill's own, in the order of help.</summary>
    public static IReadOnlyList<OptionDescription> Descriptions { get; } =
    [
        new("ip_version", "VERSION", "ipv4, ipv4-mapped-ipv6 or ipv6."),
        new("bind_port", "PORT", "The port of bind(fd, ..., ...); 8080."),
        new("connect_port", "PORT", "The port of connect(fd, ..., ...); 8080."),
        new("remote_ip", "ADDRESS", "The script's own address, which may have a prefix length; 192.0.2.1."),
        new("local_ip", "ADDRESS", "The address of the stack under test; 192.168.0.1."),
        new("gateway_ip", "ADDRESS", "The next hop to the remote address; 192.168.0.1."),
        new("netmask_ip", "MASK", "The mask of the local address; 255.255.0.0."),
        new("init_scripts", "FILES", "Shell scripts to run first, with commas between."),
        new("mss", "BYTES", "The segment size that large injected packets are marked with."),
        new("mtu", "BYTES", "The MTU of the device; 1500."),
        new("tolerance_usecs", "USECS", "How far an event may be off its time; 4000."),
        new("tolerance_percent", "PERCENT", "The same as a share of the time since the event before; 12.5."),
        new("tcp_ts_ecr_scaled", null, "Let inbound timestamp echoes be of values that were never sent."),
        new("tcp_ts_tick_usecs", "USECS", "Compare outbound timestamps, in ticks of this length."),
        new("strict_segments", null, "Do not join outbound segments before they are compared."),
        new("non_fatal", "TYPES", "Go on after mismatches of packet, syscall or both."),
        new("is_anyip", null, "Have all addresses of the local network be the stack's own."),
        new("send_omit_free", null, "Taken as packetdrill takes it; buffers are collected here."),
        new("psp_udp_port", "PORT", "For PSP, which Linnet does not have."),
        new("define", "NAME=VALUE", "Put the value in the place of a word of the script."),
        new("dry_run", null, "Read the scripts only."),
        new("verbose", null, "Show more."),
    ];

    /// <summary>The names of packetdrill's options that mean nothing here and are refused.</summary>
    public static IEnumerable<string> RefusedNames => Refused.Keys.Order(StringComparer.Ordinal);
}
