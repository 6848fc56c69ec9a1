using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Linnet.Packetdrill.Syntax;

/// <summary>The names that scripts use for types and codes of ICMP and ICMPv6.</summary>
internal static class IcmpNames
{
    private const byte Icmp6PacketTooBig = 2;

    private static readonly Dictionary<string, byte> Types4 = new()
    {
        ["echo_reply"] = ICMP_ECHOREPLY,
        ["unreachable"] = ICMP_DEST_UNREACH,
        ["source_quench"] = 4,
        ["redirect"] = ICMP_REDIRECT,
        ["echo_request"] = ICMP_ECHO,
        ["time_exceeded"] = ICMP_TIME_EXCEEDED,
        ["parameter_problem"] = ICMP_PARAMETERPROB,
        ["timestamp_request"] = 13,
        ["timestamp_reply"] = 14,
        ["information_request"] = 15,
        ["information_reply"] = 16,
        ["address_mask_request"] = 17,
        ["address_mask_reply"] = 18,
    };

    private static readonly Dictionary<string, byte> Unreachable4 = new()
    {
        ["net_unreachable"] = 0,
        ["host_unreachable"] = 1,
        ["protocol_unreachable"] = 2,
        ["port_unreachable"] = 3,
        ["frag_needed"] = 4,
        ["source_route_failed"] = 5,
        ["net_unknown"] = 6,
        ["host_unknown"] = 7,
        ["source_host_isolated"] = 8,
        ["net_prohibited"] = 9,
        ["host_prohibited"] = 10,
        ["net_unreachable_for_tos"] = 11,
        ["host_unreachable_for_tos"] = 12,
        ["packet_filtered"] = 13,
        ["precedence_violation"] = 14,
        ["precedence_cutoff"] = 15,
    };

    private static readonly Dictionary<string, byte> Types6 = new()
    {
        ["unreachable"] = 1,
        ["packet_too_big"] = Icmp6PacketTooBig,
        ["time_exceeded"] = 3,
        ["parameter_problem"] = 4,
        ["echo_request"] = 128,
        ["echo_reply"] = 129,
    };

    private static readonly Dictionary<string, byte> Unreachable6 = new()
    {
        ["net_unreachable"] = 0,
        ["no_route"] = 0,
        ["admin_prohibited"] = 1,
        ["not_neighbour"] = 2,
        ["address_unreachable"] = 3,
        ["port_unreachable"] = 4,
    };

    private static readonly Dictionary<string, byte> TimeExceeded6 = new()
    {
        ["exceeded_hop_limit"] = 0,
        ["exceeded_frag_time"] = 1,
    };

    private static readonly Dictionary<string, byte> ParameterProblem6 = new()
    {
        ["header_field"] = 0,
        ["unknown_next_header"] = 1,
        ["unknown_option"] = 2,
    };

    /// <summary>Looks up names; <c>type_9</c> and <c>code_3</c> stand for numbers that have none.</summary>
    public static bool TryParse(
        bool isV6, string typeName, string? codeName, out byte type, out byte code, [NotNullWhen(false)] out string? problem)
    {
        code = 0;
        problem = null;
        if (!TryNumber(typeName, "type_", out type) && !(isV6 ? Types6 : Types4).TryGetValue(typeName, out type))
            problem = $"bad ICMP type {typeName}";
        else if (codeName is not null && !TryNumber(codeName, "code_", out code)
            && Codes(isV6, typeName)?.TryGetValue(codeName, out code) != true)
            problem = $"bad ICMP code {codeName}";
        return problem is null;
    }

    /// <summary>Whether messages of this type and code tell an MTU.</summary>
    public static bool HasMtu(bool isV6, byte type, byte code) =>
        isV6 ? type == Icmp6PacketTooBig && code == 0 : type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED;

    private static Dictionary<string, byte>? Codes(bool isV6, string typeName) => (isV6, typeName) switch
    {
        (false, "unreachable") => Unreachable4,
        (true, "unreachable") => Unreachable6,
        (true, "time_exceeded") => TimeExceeded6,
        (true, "parameter_problem") => ParameterProblem6,
        _ => null,
    };

    private static bool TryNumber(string name, string prefix, out byte value)
    {
        value = 0;
        return name.StartsWith(prefix, StringComparison.Ordinal)
            && byte.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
