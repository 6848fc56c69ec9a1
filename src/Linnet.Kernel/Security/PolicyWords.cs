using System.Globalization;

namespace Linnet.Kernel.Security;

/// <summary>What policies call families, types, protocols and operations.</summary>
internal static class PolicyWords
{
    public static readonly Dictionary<string, int> Families = new(StringComparer.Ordinal)
    {
        ["unix"] = AF_UNIX,
        ["inet"] = AF_INET,
        ["inet6"] = AF_INET6,
        ["netlink"] = AF_NETLINK,
        ["packet"] = AF_PACKET,
        ["vsock"] = AF_VSOCK,
    };

    public static readonly Dictionary<string, int> Types = new(StringComparer.Ordinal)
    {
        ["stream"] = SOCK_STREAM,
        ["dgram"] = SOCK_DGRAM,
        ["raw"] = SOCK_RAW,
        ["seqpacket"] = SOCK_SEQPACKET,
        ["rdm"] = SOCK_RDM,
    };

    public static readonly Dictionary<string, int> Protocols = new(StringComparer.Ordinal)
    {
        ["icmp"] = IPPROTO_ICMP,
        ["tcp"] = IPPROTO_TCP,
        ["udp"] = IPPROTO_UDP,
        ["icmpv6"] = IPPROTO_ICMPV6,
        ["sctp"] = IPPROTO_SCTP,
        ["udplite"] = IPPROTO_UDPLITE,
        ["mptcp"] = IPPROTO_MPTCP,
    };

    public static readonly Dictionary<string, PolicyOperation> Operations = new(StringComparer.Ordinal)
    {
        ["create"] = PolicyOperation.Create,
        ["bind"] = PolicyOperation.Bind,
        ["connect"] = PolicyOperation.Connect,
        ["listen"] = PolicyOperation.Listen,
        ["accept"] = PolicyOperation.Accept,
        ["send"] = PolicyOperation.Send,
        ["receive"] = PolicyOperation.Receive,
        ["all"] = PolicyOperation.All,
    };

    /// <summary>A socket's kind in these words, as <c>inet stream tcp</c>.</summary>
    public static string Describe(int family, int type, int protocol)
    {
        string text = $"{Name(Families, family)} {Name(Types, type)}";
        return protocol == 0 ? text : $"{text} {Name(Protocols, protocol)}";
    }

    private static string Name(Dictionary<string, int> names, int number)
    {
        foreach ((string name, int value) in names)
        {
            if (value == number)
                return name;
        }

        return number.ToString(CultureInfo.InvariantCulture);
    }
}
