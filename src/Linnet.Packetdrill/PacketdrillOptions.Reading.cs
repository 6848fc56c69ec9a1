using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill;

/// <content>Options from their names and values.</content>
public sealed partial record PacketdrillOptions
{
    private const string CommandLineName = "Command Line";

    private static readonly ImmutableHashSet<string> Flags =
        ["tcp_ts_ecr_scaled", "strict_segments", "dry_run", "is_anyip", "send_omit_free", "verbose"];

    private static readonly ImmutableDictionary<string, string> Refused = new Dictionary<string, string>
    {
        ["code_command"] = "code runs in Linnet itself",
        ["code_format"] = "code runs in Linnet itself",
        ["code_sockopt"] = "code always sees TCP_INFO and SO_MEMINFO",
        ["wire_client"] = "there is no wire to a second machine",
        ["wire_server"] = "there is no wire to a second machine",
        ["wire_server_ip"] = "there is no wire to a second machine",
        ["wire_server_at"] = "there is no wire to a second machine",
        ["wire_server_port"] = "there is no wire to a second machine",
        ["wire_client_dev"] = "there is no wire to a second machine",
        ["wire_server_dev"] = "there is no wire to a second machine",
        ["so_filename"] = "the stack under test is Linnet",
        ["so_flags"] = "the stack under test is Linnet",
        ["speed"] = "the device is as fast as it is asked",
        ["debug"] = "use --verbose",
    }.ToImmutableDictionary();

    /// <summary>The symbols that packetdrill's test driver defines for IPv4, unless the script or the command line does.</summary>
    private static readonly ImmutableDictionary<string, string> BuiltInDefines = new Dictionary<string, string>
    {
        ["TFO_COOKIE"] = "3021b9d889017eeb",
        ["CODE"] = "host_unreachable",
        ["CMSG_LEVEL_IP"] = "SOL_IP",
        ["CMSG_TYPE_RECVERR"] = "IP_RECVERR",
    }.ToImmutableDictionary();

    /// <summary>Whether an option takes no value.</summary>
    /// <param name="name">The name without dashes.</param>
    public static bool IsFlag(string name) => Flags.Contains(name) || name is "debug" or "wire_client" or "wire_server";

    /// <summary>Whether there is such an option, be it one that is refused.</summary>
    /// <param name="name">The name without dashes.</param>
    public static bool IsKnown(string name) => IsFlag(name) || Refused.ContainsKey(name) || Setters.ContainsKey(name);

    /// <summary>Puts a script's options and those of the command line, which win, together.</summary>
    /// <param name="path">The script's file, for messages.</param>
    /// <param name="script">The script's option lines.</param>
    /// <param name="commandLine">The command line's options.</param>
    /// <exception cref="ScriptException">An option is unknown, refused, or has a bad value.</exception>
    public static PacketdrillOptions From(
        string path, IEnumerable<OptionSetting> script, IEnumerable<OptionSetting> commandLine)
    {
        // The last one wins, so that an address of the wrong version in the script does not matter when the command line has another.
        List<OptionSetting> all = [.. script, .. commandLine];
        List<OptionSetting> settings = [.. all.Where((setting, i) =>
            setting.Name == "define" || all.FindLastIndex(other => other.Name == setting.Name) == i)];

        // Addresses are read by the IP version, and defaults depend on it, wherever it stands.
        PacketdrillOptions options = new();
        foreach (OptionSetting setting in settings.Where(setting => setting.Name == "ip_version"))
            options = options.With(path, setting);
        options = options.WithDefaultAddresses();
        foreach (OptionSetting setting in settings)
            options = options.With(path, setting);
        return options;
    }

    /// <summary>What stands for a word of the script, or null.</summary>
    /// <param name="word">The word.</param>
    public string? Define(string word)
    {
        if (Defines.TryGetValue(word, out string? value))
            return value;
        if (IpVersion != IpVersion.Ipv4)
        {
            switch (word)
            {
                case "CMSG_LEVEL_IP": return "SOL_IPV6";
                case "CMSG_TYPE_RECVERR": return "IPV6_RECVERR";
                case "TFO_COOKIE" when IpVersion == IpVersion.Ipv6: return "c1d1e9742a47a9bc";
                case "CODE" when IpVersion == IpVersion.Ipv6: return null;
            }
        }
        return BuiltInDefines.GetValueOrDefault(word);
    }

    private PacketdrillOptions WithDefaultAddresses() => IpVersion != IpVersion.Ipv6
        ? this
        : this with
        {
            LocalIp = IPAddress.Parse("fd3d:fa7b:d17d::1"),
            RemoteIp = IPAddress.Parse("2001:db8::1"),
            RemotePrefixLength = 32,
            GatewayIp = IPAddress.Parse("fd3d:fa7b:d17d:8888::"),
            LocalPrefixLength = 48,
        };

    private PacketdrillOptions With(string path, OptionSetting setting)
    {
        (string name, string? value, int line) = setting;
        string where = line > 0 ? path : CommandLineName;
        if (!IsKnown(name))
            throw new ScriptException(where, line, $"option '{name}' unknown");
        if (Refused.TryGetValue(name, out string? reason))
            throw new ScriptException(where, line, $"option '{name}' is not offered: {reason}");
        if (IsFlag(name))
            return value is null ? WithFlag(name) : throw new ScriptException(where, line, $"option '{name}' forbids an argument");
        if (value is null)
            throw new ScriptException(where, line, $"option '{name}' requires an argument");
        return Setters[name](this, value) ?? throw new ScriptException(where, line, $"bad --{name}: {value}");
    }

    private PacketdrillOptions WithFlag(string name) => name switch
    {
        "tcp_ts_ecr_scaled" => this with { TcpTsEcrScaled = true },
        "strict_segments" => this with { StrictSegments = true },
        "dry_run" => this with { DryRun = true },
        "is_anyip" => this with { IsAnyIp = true },
        "send_omit_free" => this with { SendOmitFree = true },
        _ => this with { Verbose = true },
    };

    /// <summary>How each option with a value is set; null says that the value is bad.</summary>
    private static readonly ImmutableDictionary<string, Func<PacketdrillOptions, string, PacketdrillOptions?>> Setters =
        new Dictionary<string, Func<PacketdrillOptions, string, PacketdrillOptions?>>
        {
            ["ip_version"] = SetIpVersion,
            ["bind_port"] = (o, v) => Number(v, 1, ushort.MaxValue) is { } n ? o with { BindPort = (ushort)n } : null,
            ["connect_port"] = (o, v) => Number(v, 1, ushort.MaxValue) is { } n ? o with { ConnectPort = (ushort)n } : null,
            ["psp_udp_port"] = (o, v) => Number(v, 1, ushort.MaxValue) is { } n ? o with { PspUdpPort = (ushort)n } : null,
            ["local_ip"] = (o, v) => o.Address(v) is { } ip ? o with { LocalIp = ip } : null,
            ["gateway_ip"] = (o, v) => o.Address(v) is { } ip ? o with { GatewayIp = ip } : null,
            ["remote_ip"] = SetRemoteIp,
            ["netmask_ip"] = SetNetmask,
            ["mtu"] = (o, v) => Number(v, 0, ushort.MaxValue) is { } n ? o with { Mtu = (int)n } : null,
            ["mss"] = (o, v) => Number(v, 1, ushort.MaxValue) is { } n ? o with { Mss = (int)n } : null,
            ["tolerance_usecs"] = (o, v) => Number(v, 1, long.MaxValue) is { } n ? o with { ToleranceUsecs = n } : null,
            ["tolerance_percent"] = SetTolerancePercent,
            ["tcp_ts_tick_usecs"] = (o, v) => Number(v, 0, 1_000_000) is { } n ? o with { TcpTsTickUsecs = (int)n } : null,
            ["non_fatal"] = SetNonFatal,
            ["init_scripts"] = (o, v) =>
                o with { InitScripts = [.. v.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)] },
            ["define"] = SetDefine,
        }.ToImmutableDictionary();

    private static PacketdrillOptions? SetIpVersion(PacketdrillOptions options, string value) => value switch
    {
        "ipv4" => options with { IpVersion = IpVersion.Ipv4 },
        "ipv4-mapped-ipv6" => options with { IpVersion = IpVersion.Ipv4MappedIpv6 },
        "ipv6" => options with { IpVersion = IpVersion.Ipv6 },
        _ => null,
    };

    private static PacketdrillOptions? SetRemoteIp(PacketdrillOptions options, string value)
    {
        string[] parts = value.Split('/');
        int bits = options.IpVersion == IpVersion.Ipv6 ? 128 : 32;
        long? length = parts.Length == 2 ? Number(parts[1], 0, bits) : bits;
        return parts.Length <= 2 && length is { } prefix && options.Address(parts[0]) is { } ip
            ? options with { RemoteIp = ip, RemotePrefixLength = (int)prefix }
            : null;
    }

    private static PacketdrillOptions? SetNetmask(PacketdrillOptions options, string value)
    {
        if (!IPAddress.TryParse(value, out IPAddress? mask) || mask.AddressFamily != AddressFamily.InterNetwork)
            return null;
        uint bits = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(mask.GetAddressBytes());
        int length = System.Numerics.BitOperations.LeadingZeroCount(~bits);
        bool isContiguous = length == 32 || bits << length == 0;
        return isContiguous ? options with { LocalPrefixLength = length } : null;
    }

    private static PacketdrillOptions? SetTolerancePercent(PacketdrillOptions options, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double percent) && percent is >= 0 and <= 100
            ? options with { TolerancePercent = percent }
            : null;

    private static PacketdrillOptions? SetNonFatal(PacketdrillOptions options, string value)
    {
        foreach (string kind in value.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries))
        {
            if (kind is not ("packet" or "syscall"))
                return null;
            options = kind == "packet" ? options with { NonFatalPacket = true } : options with { NonFatalSyscall = true };
        }
        return options;
    }

    private static PacketdrillOptions? SetDefine(PacketdrillOptions options, string value)
    {
        int equals = value.IndexOf('=');
        return equals > 0 ? options with { Defines = options.Defines.SetItem(value[..equals], value[(equals + 1)..]) } : null;
    }

    private IPAddress? Address(string text)
    {
        AddressFamily family = IpVersion == IpVersion.Ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork;
        return IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == family ? address : null;
    }

    private static long? Number(string text, long low, long high) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= low && value <= high
            ? value
            : null;
}
