using System.Globalization;

namespace Linnet.IpRoute;

/// <summary>The names of numbers, as <c>/etc/iproute2</c> has them.</summary>
internal static class IpNames
{
    private static readonly (uint Number, string Name)[] Tables =
        [((uint)RT_TABLE_LOCAL, "local"), (RT_TABLE_MAIN, "main"), (RT_TABLE_DEFAULT, "default"), (RT_TABLE_UNSPEC, "unspec")];

    private static readonly (uint Number, string Name)[] Protocols =
    [
        (RTPROT_UNSPEC, "unspec"), (RTPROT_REDIRECT, "redirect"), (RTPROT_KERNEL, "kernel"), (RTPROT_BOOT, "boot"),
        (RTPROT_STATIC, "static"), (RTPROT_GATED, "gated"), (RTPROT_RA, "ra"), (RTPROT_MRT, "mrt"), (RTPROT_ZEBRA, "zebra"),
        (RTPROT_BIRD, "bird"), (RTPROT_DNROUTED, "dnrouted"), (RTPROT_XORP, "xorp"), (RTPROT_NTK, "ntk"), (RTPROT_DHCP, "dhcp"),
        (RTPROT_KEEPALIVED, "keepalived"), (RTPROT_BABEL, "babel"), (RTPROT_OPENR, "openr"), (RTPROT_BGP, "bgp"),
        (RTPROT_ISIS, "isis"), (RTPROT_OSPF, "ospf"), (RTPROT_RIP, "rip"), (RTPROT_EIGRP, "eigrp"),
    ];

    private static readonly (uint Number, string Name)[] Scopes =
    [
        (RT_SCOPE_UNIVERSE, "global"), (RT_SCOPE_SITE, "site"), (RT_SCOPE_LINK, "link"), (RT_SCOPE_HOST, "host"),
        (RT_SCOPE_NOWHERE, "nowhere"),
    ];

    private static readonly (uint Number, string Name)[] Types =
    [
        (RTN_UNSPEC, "none"), (RTN_UNICAST, "unicast"), (RTN_LOCAL, "local"), (RTN_BROADCAST, "broadcast"),
        (RTN_ANYCAST, "anycast"), (RTN_MULTICAST, "multicast"), (RTN_BLACKHOLE, "blackhole"), (RTN_UNREACHABLE, "unreachable"),
        (RTN_PROHIBIT, "prohibit"), (RTN_THROW, "throw"), (RTN_NAT, "nat"), (RTN_XRESOLVE, "xresolve"),
    ];

    // Differentiated services code points, in the place that they have in the type of service (RFC 2474, 2597, 3246).
    private static readonly (uint Number, string Name)[] CodePoints =
    [
        (0x20, "CS1"), (0x28, "AF11"), (0x30, "AF12"), (0x38, "AF13"), (0x40, "CS2"), (0x48, "AF21"), (0x50, "AF22"), (0x58, "AF23"),
        (0x60, "CS3"), (0x68, "AF31"), (0x70, "AF32"), (0x78, "AF33"), (0x80, "CS4"), (0x88, "AF41"), (0x90, "AF42"), (0x98, "AF43"),
        (0xA0, "CS5"), (0xB8, "EF"), (0xC0, "CS6"), (0xE0, "CS7"),
    ];

    public static string Tos(byte number) => Array.Find(CodePoints, entry => entry.Number == number).Name ?? $"0x{number:x2}";

    public static string Table(uint number) => NameOf(Tables, number);

    public static string Protocol(uint number) => NameOf(Protocols, number);

    public static string Scope(uint number) => NameOf(Scopes, number);

    public static string RouteType(uint number) => NameOf(Types, number);

    public static uint NextTable(IpWords words) => Next(words, Tables, "table", uint.MaxValue);

    public static byte NextProtocol(IpWords words) => (byte)Next(words, Protocols, "protocol", byte.MaxValue);

    public static byte NextScope(IpWords words) => (byte)Next(words, Scopes, "scope", byte.MaxValue);

    /// <summary>The type of service: a name, or a number, hexadecimal with or without a prefix, as iproute2 reads it.</summary>
    public static byte NextTos(IpWords words)
    {
        string word = words.Next();
        int named = Array.FindIndex(CodePoints, entry => entry.Name == word);
        if (named >= 0)
            return (byte)CodePoints[named].Number;
        ReadOnlySpan<char> digits = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? word.AsSpan(2) : word;
        return byte.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte tos)
            ? tos
            : throw IpCommandException.Wrong(word, "\"tos\" value is invalid");
    }

    public static bool TryRouteType(string word, out byte type)
    {
        type = (byte)Array.Find(Types, entry => entry.Name == word).Number;
        return type != RTN_UNSPEC;
    }

    private static string NameOf((uint Number, string Name)[] names, uint number) =>
        Array.Find(names, entry => entry.Number == number).Name ?? number.ToString(CultureInfo.InvariantCulture);

    private static uint Next(IpWords words, (uint Number, string Name)[] names, string what, uint largest)
    {
        string word = words.Next();
        int index = Array.FindIndex(names, entry => entry.Name == word);
        if (index >= 0)
            return names[index].Number;
        return IpWords.TryUint(word, out uint number) && number <= largest
            ? number
            : throw IpCommandException.Wrong(word, $"\"{what}\" value is invalid");
    }
}
