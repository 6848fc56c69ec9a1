using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A routing table (<c>struct fib_table</c>): a path-compressed binary trie of prefixes. Its nodes never change: an
/// update copies the nodes on the way to the changed one and then replaces the root, so that lookups take no lock.
/// </summary>
/// <param name="id">Number of the table, <c>RT_TABLE_*</c>.</param>
[LinuxStruct("fib_table")]
[LinuxFile("net/ipv4/fib_trie.c")]
public sealed class FibTable(uint id)
{
    private Node? root;

    /// <summary>Number of the table, <c>RT_TABLE_*</c>.</summary>
    public uint Id { get; } = id;

    /// <summary>Whether there is no route.</summary>
    public bool IsEmpty => Volatile.Read(ref root) == null;

    /// <summary>Finds the route of the longest prefix that fits the flow.</summary>
    /// <param name="flp">Destination, type of service, scope and device.</param>
    /// <param name="res">The route; also set where the answer is the error of an unreachable route.</param>
    /// <param name="flags"><c>FIB_LOOKUP_*</c></param>
    /// <returns>0, the negative errno of the route's type, or -EAGAIN when no route fits.</returns>
    [Linux("fib_table_lookup")]
    public int Lookup(in Flowi4 flp, out FibResult res, int flags)
    {
        res = default;
        Node? top = Volatile.Read(ref root);
        // Normally the longest prefix fits. Where all of its routes are out (dead, other device, too narrow a scope), the
        // walk is made again for the next shorter one.
        int limit = 32;
        while (limit >= 0 && Match(top, flp.Daddr, limit) is { } node)
        {
            foreach (FibAlias fa in node.Aliases!)
            {
                if (fa.Tos != 0 && !flp.MatchesTos(fa.Tos))
                    continue;
                int err = FibSemantics.FibProps[fa.Type].Error;
                if (fa.Info.FibScope < flp.Flowi4Scope || fa.Info.Dead)
                    continue;
                FibNh? nh = err == 0 ? FindNexthop(fa.Info, in flp, flags) : fa.Info.Nh;
                if (nh == null)
                    continue;
                Fill(out res, node, fa, nh);
                return err;
            }

            limit = node.Length - 1;
        }

        return -EAGAIN;
    }

    /// <summary>All routes, by prefix; of one prefix the longest first, and of these in the order in which they are tried.</summary>
    public List<(uint Prefix, int Length, FibAlias Alias)> Snapshot()
    {
        List<(uint Prefix, int Length, FibAlias Alias)> all = [];
        Collect(Volatile.Read(ref root));
        return [.. all.OrderBy(route => route.Prefix).ThenByDescending(route => route.Length)];

        void Collect(Node? node)
        {
            if (node == null)
                return;
            foreach (FibAlias fa in node.Aliases ?? [])
                all.Add((node.Key, node.Length, fa));
            Collect(node.Zero);
            Collect(node.One);
        }
    }

    /// <summary>The routes of exactly this prefix, in the order in which they are tried. Empty when there is none.</summary>
    internal ReadOnlySpan<FibAlias> Find(uint key, int length)
    {
        for (Node? node = Volatile.Read(ref root); node != null && node.Length <= length && node.Covers(key);
            node = node.Child(key))
        {
            if (node.Length == length)
                return node.Aliases;
        }

        return [];
    }

    /// <summary>Replaces the routes of a prefix; none takes the prefix out. The lock of addresses is held.</summary>
    internal void Replace(uint key, int length, FibAlias[] aliases) =>
        Volatile.Write(ref root, aliases.Length == 0 ? Without(root, key, length) : With(root, key, length, aliases));

    private void Fill(out FibResult res, Node node, FibAlias fa, FibNh nh)
    {
        res.Prefix = node.Key;
        res.Prefixlen = node.Length;
        res.Type = fa.Type;
        res.Scope = fa.Info.FibScope;
        res.Tos = fa.Tos;
        res.Fi = fa.Info;
        res.Nhc = nh;
        res.Table = this;
        res.FaHead = node.Aliases;
    }

    private static FibNh? FindNexthop(FibInfo fi, in Flowi4 flp, int flags)
    {
        foreach (FibNh nh in fi.Nhs)
        {
            if (FibLookupGoodNhc(nh, in flp, flags))
                return nh;
        }

        return null;
    }

    [Linux("fib_lookup_good_nhc")]
    private static bool FibLookupGoodNhc(FibNh nh, in Flowi4 flp, int flags)
    {
        if ((nh.NhFlags & RTNH_F_DEAD) != 0)
            return false;
        if ((nh.NhFlags & RTNH_F_LINKDOWN) != 0 && (flags & IpFib.FIB_LOOKUP_IGNORE_LINKSTATE) == 0
            && FibSemantics.IpIgnoreLinkdown(nh.NhDev))
            return false;
        return flp.Flowi4Oif == 0 || flp.Flowi4Oif == nh.NhOif;
    }

    private static Node? Match(Node? node, uint key, int limit)
    {
        Node? best = null;
        while (node != null && node.Length <= limit && node.Covers(key))
        {
            if (node.Aliases != null)
                best = node;
            if (node.Length == 32)
                break;
            node = node.Child(key);
        }

        return best;
    }

    private static Node With(Node? node, uint key, int length, FibAlias[] aliases)
    {
        if (node == null)
            return new Node(key, length, aliases, null, null);
        int common = Math.Min(Math.Min(length, node.Length), BitOperations.LeadingZeroCount(key ^ node.Key));
        if (common == node.Length)
        {
            if (common == length)
                return new Node(key, length, aliases, node.Zero, node.One);
            return Bit(key, common)
                ? new Node(node.Key, node.Length, node.Aliases, node.Zero, With(node.One, key, length, aliases))
                : new Node(node.Key, node.Length, node.Aliases, With(node.Zero, key, length, aliases), node.One);
        }

        if (common == length)
            return Bit(node.Key, common)
                ? new Node(key, length, aliases, null, node)
                : new Node(key, length, aliases, node, null);
        Node leaf = new(key, length, aliases, null, null);
        uint prefix = key & InIfaddr.InetMakeMask(common);
        return Bit(key, common) ? new Node(prefix, common, null, node, leaf) : new Node(prefix, common, null, leaf, node);
    }

    private static Node? Without(Node? node, uint key, int length)
    {
        if (node == null || node.Length > length || !node.Covers(key))
            return node;
        if (node.Length == length)
            return Compress(node.Key, node.Length, null, node.Zero, node.One);
        return Bit(key, node.Length)
            ? Compress(node.Key, node.Length, node.Aliases, node.Zero, Without(node.One, key, length))
            : Compress(node.Key, node.Length, node.Aliases, Without(node.Zero, key, length), node.One);
    }

    // A node that holds no route and has fewer than two branches is not needed.
    private static Node? Compress(uint key, int length, FibAlias[]? aliases, Node? zero, Node? one) =>
        aliases != null || (zero != null && one != null) ? new Node(key, length, aliases, zero, one) : zero ?? one;

    private static bool Bit(uint key, int index) => (key << index & 0x8000_0000) != 0;

    private sealed class Node(uint key, int length, FibAlias[]? aliases, Node? zero, Node? one)
    {
        public readonly uint Key = key;
        public readonly int Length = length;
        public readonly FibAlias[]? Aliases = aliases;
        public readonly Node? Zero = zero;
        public readonly Node? One = one;
        private readonly uint mask = InIfaddr.InetMakeMask(length);

        public bool Covers(uint address) => ((address ^ Key) & mask) == 0;

        // Only for nodes shorter than 32 bits.
        public Node? Child(uint address) => Length < 32 && Bit(address, Length) ? One : Zero;
    }
}
