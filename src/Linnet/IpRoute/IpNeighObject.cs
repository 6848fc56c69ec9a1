using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip neigh</c>.</summary>
internal static class IpNeighObject
{
    private static readonly (int State, string Name)[] States =
    [
        (Nud.INCOMPLETE, "incomplete"), (Nud.REACHABLE, "reachable"), (Nud.STALE, "stale"), (Nud.DELAY, "delay"),
        (Nud.PROBE, "probe"), (Nud.FAILED, "failed"), (Nud.NOARP, "noarp"), (Nud.PERMANENT, "permanent"), (Nud.NONE, "none"),
    ];

    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        string command = words.More ? words.Next() : "show";
        if (IpWords.Abbreviates(command, "add"))
            Add(net, words, NLM_F_CREATE | NLM_F_EXCL);
        else if (IpWords.Abbreviates(command, "change") || command == "chg")
            Add(net, words, NLM_F_REPLACE);
        else if (IpWords.Abbreviates(command, "replace"))
            Add(net, words, NLM_F_CREATE | NLM_F_REPLACE);
        else if (IpWords.Abbreviates(command, "delete"))
            IpCommandException.ThrowIfFailed(net.Ipv4.ArpTbl.NeighDelete(Read(net, words)));
        else if (IpWords.Abbreviates(command, "show") || IpWords.Abbreviates(command, "list") || command == "lst")
            Show(net, words, output);
        else if (IpWords.Abbreviates(command, "flush"))
            Flush(net, words);
        else
            throw new IpCommandException(255, $"Command \"{command}\" is unknown, try \"ip neigh help\".");
    }

    private static void Add(NetNamespace net, IpWords words, int flags) =>
        IpCommandException.ThrowIfFailed(net.Ipv4.ArpTbl.NeighAdd(Read(net, words) with { NlFlags = flags }));

    private static NeighConfig Read(NetNamespace net, IpWords words)
    {
        NeighConfig cfg = new();
        uint? address = null;
        string? lladdr = null;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "lladdr":
                    lladdr = words.Next();
                    break;
                case "nud":
                    cfg = cfg with { State = NextState(words) };
                    break;
                case "proxy":
                    cfg = cfg with { IsProxy = true };
                    address = words.NextAddress();
                    break;
                case "dev":
                    cfg = cfg with { Dev = words.NextDevice(net) };
                    break;
                case "use":
                    cfg = cfg with { IsUsed = true };
                    break;
                default:
                    if (address != null)
                        throw IpCommandException.Garbage(word);
                    address = new IpWords([word == "to" ? words.Next() : word]).NextAddress();
                    break;
            }
        }

        if (address == null || cfg.Dev == null)
            throw new IpCommandException(255, "Device and destination are required arguments.");
        return cfg with
        {
            Key = address.Value,
            Lladdr = lladdr == null ? null : new IpWords([lladdr]).NextLinkAddress(cfg.Dev.DevAddr.Length),
        };
    }

    private static int NextState(IpWords words)
    {
        string word = words.Next();
        int at = Array.FindIndex(States, entry => entry.Name == word);
        if (at >= 0)
            return States[at].State;
        return IpWords.TryUint(word, out uint number) ? (int)number : throw IpCommandException.Wrong(word, "nud state is bad");
    }

    private static void Show(NetNamespace net, IpWords words, IpOutput output)
    {
        (NetDevice? dev, int states, (uint, int)? prefix, bool proxy) = ReadFilter(net, words);
        if (proxy)
        {
            foreach (PneighEntry entry in net.Ipv4.ArpTbl.Proxies.Where(entry => dev == null || entry.Dev == dev))
                output.Write($"{Ipv4Addr.Text((uint)entry.Key)} {(dev == null && entry.Dev != null ? $"dev {entry.Dev.Name} " : "")}proxy \n");
            return;
        }

        foreach (Neighbour n in Select(net, dev, prefix))
        {
            if (states != 0 ? (n.NudState & states) == 0 : n.NudState is Nud.NOARP or Nud.NONE)
                continue;
            output.Write($"{Ipv4Addr.Text((uint)n.Key)} ");
            if (dev == null)
                output.Write($"dev {n.Dev.Name} ");
            if ((n.NudState & Nud.VALID) != 0)
                output.Write($"lladdr {IpWords.Text(n.Ha)} ");
            if (output.Details)
            {
                long now = net.Machine.Clock.Jiffies;
                output.Write(string.Create(CultureInfo.InvariantCulture,
                    $"used {(now - n.Used) / 1000}/{(now - n.Confirmed) / 1000}/{(now - n.Updated) / 1000} probes {n.Probes} "));
            }

            output.Write(Array.Find(States, entry => entry.State == n.NudState).Name.ToUpperInvariant()).Write(" \n");
        }
    }

    private static void Flush(NetNamespace net, IpWords words)
    {
        if (!words.More)
            throw new IpCommandException(255, "Flush requires arguments.");
        (NetDevice? dev, int states, (uint, int)? prefix, _) = ReadFilter(net, words);
        int which = states != 0 ? states : ~(Nud.PERMANENT | Nud.NOARP);
        foreach (Neighbour n in Select(net, dev, prefix).Where(n => (n.NudState & which) != 0).ToArray())
            IpCommandException.ThrowIfFailed(net.Ipv4.ArpTbl.NeighDelete(new NeighConfig { Key = n.Key, Dev = n.Dev }));
    }

    private static (NetDevice? Dev, int States, (uint, int)? Prefix, bool Proxy) ReadFilter(NetNamespace net, IpWords words)
    {
        NetDevice? dev = null;
        int states = 0;
        (uint, int)? prefix = null;
        bool proxy = false;
        while (words.More)
        {
            if (words.Take("dev"))
                dev = words.NextDevice(net);
            else if (words.Take("nud"))
                states |= words.Take("all") ? ~0 : NextState(words);
            else if (words.Take("proxy"))
                proxy = true;
            else
            {
                words.Take("to");
                prefix = words.NextPrefix();
            }
        }

        return (dev, states, prefix, proxy);
    }

    // In the order of devices and addresses, since Linux's is that of a hash table.
    private static IEnumerable<Neighbour> Select(NetNamespace net, NetDevice? dev, (uint Address, int Length)? prefix) =>
        net.Ipv4.ArpTbl.Snapshot()
            .Where(n => (dev == null || n.Dev == dev)
                && (prefix is not { } p || (((uint)n.Key ^ p.Address) & InIfaddr.InetMakeMask(p.Length)) == 0))
            .OrderBy(n => n.Dev.Ifindex).ThenBy(n => n.Key);
}
