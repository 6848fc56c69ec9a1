using System.Net;

namespace Linnet.Kernel.Security;

/// <summary>What a program does with a socket, as policies name it.</summary>
[Flags]
public enum PolicyOperation
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Making a socket.</summary>
    Create = 1 << 0,

    /// <summary>Taking a local address.</summary>
    Bind = 1 << 1,

    /// <summary>Connecting.</summary>
    Connect = 1 << 2,

    /// <summary>Beginning to listen.</summary>
    Listen = 1 << 3,

    /// <summary>Accepting a connection.</summary>
    Accept = 1 << 4,

    /// <summary>Sending.</summary>
    Send = 1 << 5,

    /// <summary>Receiving.</summary>
    Receive = 1 << 6,

    /// <summary>All of them.</summary>
    All = (1 << 7) - 1,
}

/// <summary>One request that a policy decides on.</summary>
/// <param name="Task">Who asks.</param>
/// <param name="Operation">What for.</param>
/// <param name="Family"><c>AF_*</c></param>
/// <param name="Type"><c>SOCK_*</c></param>
/// <param name="Protocol">Protocol; 0 where the family chooses and the policy does not know it.</param>
/// <param name="Address">The address that is asked for, or null where there is none.</param>
/// <param name="Port">Its port.</param>
public readonly record struct PolicyRequest(
    TaskStruct Task, PolicyOperation Operation, int Family, int Type, int Protocol, IPAddress? Address, int Port)
{
    /// <summary>The name of the host that the task runs on, as <c>uname -n</c> tells it.</summary>
    public string Host => Task.Nsproxy.UtsNs.NodeName;
}

/// <summary>A set of addresses that begin with the same bits.</summary>
/// <param name="Address">The first of them.</param>
/// <param name="Bits">How many bits they share.</param>
public readonly record struct AddressPrefix(IPAddress Address, int Bits)
{
    /// <summary>Whether <paramref name="other"/> is one of them; an IPv4-mapped address counts as the IPv4 one.</summary>
    public bool Contains(IPAddress other)
    {
        if (other.IsIPv4MappedToIPv6)
            other = other.MapToIPv4();
        Span<byte> mine = stackalloc byte[16];
        Span<byte> theirs = stackalloc byte[16];
        if (!Address.TryWriteBytes(mine, out int length) || !other.TryWriteBytes(theirs, out int otherLength))
            return false;
        if (length != otherLength)
            return false;
        int whole = Bits / 8;
        if (!mine[..whole].SequenceEqual(theirs[..whole]))
            return false;
        return Bits % 8 == 0 || (mine[whole] ^ theirs[whole]) >> (8 - Bits % 8) == 0;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{Bits}";
}

/// <summary>A rule of a policy: everything that it names has to match; what it does not name matches anything.</summary>
public sealed class PolicyRule
{
    private long hits;

    /// <summary>What the rule is called in messages: its <c>name</c>, or file and line.</summary>
    public required string Name { get; init; }

    /// <summary>The line that it stands in, from 1.</summary>
    public required int Line { get; init; }

    /// <summary>Whether what matches is allowed.</summary>
    public required bool Allows { get; init; }

    /// <summary>Positive errno of a refusal.</summary>
    public int Errno { get; init; } = EACCES;

    /// <summary>Patterns of the host's name, or null for any.</summary>
    public string[]? Hosts { get; init; }

    /// <summary>Patterns of the program's name, or null for any.</summary>
    public string[]? Programs { get; init; }

    /// <summary>Patterns of the program's path, or null for any.</summary>
    public string[]? Paths { get; init; }

    /// <summary>Families, or null for any.</summary>
    public int[]? Families { get; init; }

    /// <summary>Types, or null for any.</summary>
    public int[]? Types { get; init; }

    /// <summary>Protocols, or null for any.</summary>
    public int[]? Protocols { get; init; }

    /// <summary>Addresses, or null for any.</summary>
    public AddressPrefix[]? Addresses { get; init; }

    /// <summary>Ranges of ports, both ends included, or null for any.</summary>
    public (int First, int Last)[]? Ports { get; init; }

    /// <summary>Operations.</summary>
    public PolicyOperation Operations { get; init; } = PolicyOperation.All;

    /// <summary>How many requests the rule decided.</summary>
    public long Hits => Interlocked.Read(ref hits);

    /// <summary>Whether the rule decides on its operations whoever asks and whatever for.</summary>
    internal bool MatchesAll =>
        Hosts == null && Programs == null && Paths == null && Families == null && Types == null && Protocols == null
        && Addresses == null && Ports == null;

    /// <summary>Whether the rule decides on <paramref name="request"/>.</summary>
    public bool Matches(in PolicyRequest request)
    {
        if ((Operations & request.Operation) == 0)
            return false;
        if (!IsOneOf(Families, request.Family) || !IsOneOf(Types, request.Type) || !IsOneOf(Protocols, request.Protocol))
            return false;
        if (Addresses != null && !IsIn(Addresses, request.Address))
            return false;
        if (Ports != null && (request.Address == null || !IsIn(Ports, request.Port)))
            return false;
        return IsLike(Hosts, request.Host) && IsLike(Programs, request.Task.Comm) && IsLike(Paths, request.Task.ExePath);
    }

    internal void Count() => Interlocked.Increment(ref hits);

    private static bool IsOneOf(int[]? wanted, int value) => wanted == null || Array.IndexOf(wanted, value) >= 0;

    private static bool IsIn(AddressPrefix[] wanted, IPAddress? address)
    {
        if (address == null)
            return false;
        foreach (AddressPrefix prefix in wanted)
        {
            if (prefix.Contains(address))
                return true;
        }

        return false;
    }

    private static bool IsIn((int First, int Last)[] wanted, int port)
    {
        foreach ((int first, int last) in wanted)
        {
            if (port >= first && port <= last)
                return true;
        }

        return false;
    }

    private static bool IsLike(string[]? patterns, string? text)
    {
        if (patterns == null)
            return true;
        foreach (string pattern in patterns)
        {
            if (text != null && IsLike(pattern, text))
                return true;
        }

        return false;
    }

    // '*' stands for any characters, '?' for one.
    private static bool IsLike(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int p = 0;
        int t = 0;
        int star = -1;
        int resume = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && (pattern[p] == '?' || (pattern[p] != '*' && pattern[p] == text[t])))
            {
                p++;
                t++;
            }
            else if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                resume = t;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++resume;
            }
            else
            {
                return false;
            }
        }

        while (p < pattern.Length && pattern[p] == '*')
            p++;
        return p == pattern.Length;
    }
}
