using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip address</c>.</summary>
internal static class IpAddressObject
{
    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        string command = words.More ? words.Next() : "list";
        if (IpWords.Abbreviates(command, "add"))
            Change(net, words, NLM_F_CREATE | NLM_F_EXCL);
        else if (IpWords.Abbreviates(command, "change") || command == "chg")
            Change(net, words, NLM_F_REPLACE);
        else if (IpWords.Abbreviates(command, "replace"))
            Change(net, words, NLM_F_CREATE | NLM_F_REPLACE);
        else if (IpWords.Abbreviates(command, "delete"))
            IpCommandException.ThrowIfFailed(Devinet.InetRtmDeladdr(net, Read(net, words, delete: true)));
        else if (IpWords.Abbreviates(command, "list") || IpWords.Abbreviates(command, "show") || command == "lst")
            Show(net, words, output);
        else if (IpWords.Abbreviates(command, "flush"))
            Flush(net, words);
        else
            throw new IpCommandException(255, $"Command \"{command}\" is unknown, try \"ip address help\".");
    }

    private static void Change(NetNamespace net, IpWords words, int flags) =>
        IpCommandException.ThrowIfFailed(Devinet.InetRtmNewaddr(net, Read(net, words, delete: false) with { NlFlags = flags }));

    private static InetAddressConfig Read(NetNamespace net, IpWords words, bool delete)
    {
        InetAddressConfig cfg = new();
        bool lastAsBroadcast = false, hasLocal = false, hasPeer = false, hasLength = false;
        byte? scope = null;
        string? label = null;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "dev":
                    cfg = cfg with { Ifindex = words.NextDevice(net).Ifindex };
                    break;
                case "peer" or "remote":
                    (uint peer, int peerLength) = words.NextPrefix();
                    cfg = cfg with { Address = peer, PrefixLength = peerLength };
                    hasPeer = true;
                    break;
                case "broadcast" or "brd" when words.Take("+"):
                    lastAsBroadcast = true;
                    break;
                case "broadcast" or "brd":
                    cfg = cfg with { Broadcast = words.NextAddress() };
                    break;
                case "scope":
                    scope = IpNames.NextScope(words);
                    break;
                case "label":
                    label = words.Next();
                    break;
                case "metric" or "priority" or "preference":
                    cfg = cfg with { Priority = words.NextUint("metric") };
                    break;
                case "noprefixroute":
                    cfg = cfg with { Flags = cfg.Flags | InIfaddr.IFA_F_NOPREFIXROUTE };
                    break;
                default:
                    if (hasLocal)
                        throw new IpCommandException(255, $"Error: either \"local\" is duplicate, or \"{word}\" is a garbage.");
                    if (word == "local")
                        word = words.Next();
                    if (!IpWords.TryPrefix(word, out uint local, out int length))
                        throw new IpCommandException(1, $"Error: any valid prefix is expected rather than \"{word}\".");
                    cfg = cfg with { Local = local, PrefixLength = hasPeer ? cfg.PrefixLength : length };
                    hasLocal = true;
                    hasLength = word.Contains('/', StringComparison.Ordinal);
                    break;
            }
        }

        if (cfg.Ifindex == 0)
            throw new IpCommandException(255, "Not enough information: \"dev\" argument is required.");
        return Complete(net, cfg, anyLength: delete && !hasLength, hasPeer, lastAsBroadcast, scope, label);
    }

    private static InetAddressConfig Complete(
        NetNamespace net, InetAddressConfig cfg, bool anyLength, bool hasPeer, bool lastAsBroadcast, byte? scope, string? label)
    {
        string dev = net.Devices.DevGetByIndex(cfg.Ifindex)!.Name;
        if (label != null && !label.StartsWith(dev, StringComparison.Ordinal))
            throw new IpCommandException(255, $"\"dev\" ({dev}) must match \"label\" ({label}).");
        if (lastAsBroadcast && cfg.PrefixLength <= 30)
            cfg = cfg with { Broadcast = cfg.Local | ~InIfaddr.InetMakeMask(cfg.PrefixLength) };
        return cfg with
        {
            Address = hasPeer ? cfg.Address : anyLength ? null : cfg.Local,
            PrefixLength = cfg.PrefixLength,
            Scope = scope ?? (byte)(Ipv4Addr.IsLoopback(cfg.Local) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE),
            Label = label,
        };
    }

    private static void Flush(NetNamespace net, IpWords words)
    {
        if (!words.More)
            throw new IpCommandException(255, "Flush requires arguments.");
        words.Take("dev");
        NetDevice dev = words.NextDevice(net);
        End(words);
        while (InDevice.Get(dev)?.IfaList is [var first, ..])
            IpCommandException.ThrowIfFailed(Devinet.InetAddrDel(dev, first.IfaLocal, first.IfaPrefixlen));
    }

    private static void Show(NetNamespace net, IpWords words, IpOutput output)
    {
        foreach (NetDevice dev in words.TakeShown(net))
        {
            InIfaddr[] list = InDevice.Get(dev)?.IfaList ?? [];
            if (output.Brief)
            {
                output.Write(IpLinkObject.BriefHead(dev)).Write(string.Concat(list.Select(ifa => Ipv4Addr.Text(ifa.IfaLocal) + Peer(ifa) + " "))).Write("\n");
                continue;
            }

            if (!output.OneLine)
                IpLinkObject.Print(dev, output, mode: false);
            foreach (InIfaddr ifa in list)
                Print(dev, ifa, output);
        }
    }

    private static void Print(NetDevice dev, InIfaddr ifa, IpOutput output)
    {
        output.Write(output.OneLine
            ? string.Create(CultureInfo.InvariantCulture, $"{dev.Ifindex}: {dev.Name}    ")
            : "    ");
        output.Write($"inet {Ipv4Addr.Text(ifa.IfaLocal)}{Peer(ifa)} ");
        if (ifa.IfaRtPriority != 0)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"metric {ifa.IfaRtPriority} "));
        if (ifa.IfaBroadcast != 0)
            output.Write($"brd {Ipv4Addr.Text(ifa.IfaBroadcast)} ");
        output.Write($"scope {IpNames.Scope(ifa.IfaScope)} ");
        if (ifa.IsSecondary)
            output.Write("secondary ");
        if ((ifa.IfaFlags & InIfaddr.IFA_F_PERMANENT) == 0)
            output.Write("dynamic ");
        if ((ifa.IfaFlags & InIfaddr.IFA_F_NOPREFIXROUTE) != 0)
            output.Write("noprefixroute ");
        output.Write(ifa.IfaLabel).Write(output.LineBreak);
        output.Write("       valid_lft forever preferred_lft forever\n");
    }

    private static string Peer(InIfaddr ifa) => string.Create(CultureInfo.InvariantCulture,
        $"{(ifa.IfaAddress != ifa.IfaLocal ? " peer " + Ipv4Addr.Text(ifa.IfaAddress) : "")}/{ifa.IfaPrefixlen}");

    private static void End(IpWords words)
    {
        if (words.More)
            throw IpCommandException.Garbage(words.Next());
    }
}
