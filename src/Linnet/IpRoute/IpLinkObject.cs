using System.Globalization;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;

namespace Linnet.IpRoute;

/// <summary><c>ip link</c>.</summary>
internal static class IpLinkObject
{
    // In ip's order.
    private static readonly (uint Flag, string Name)[] FlagNames =
    [
        (IFF_LOOPBACK, "LOOPBACK"), (IFF_BROADCAST, "BROADCAST"), (IFF_POINTOPOINT, "POINTOPOINT"), (IFF_MULTICAST, "MULTICAST"),
        (IFF_NOARP, "NOARP"), (IFF_ALLMULTI, "ALLMULTI"), (IFF_PROMISC, "PROMISC"), (IFF_MASTER, "MASTER"), (IFF_SLAVE, "SLAVE"),
        (IFF_DEBUG, "DEBUG"), (IFF_DYNAMIC, "DYNAMIC"), (IFF_AUTOMEDIA, "AUTOMEDIA"), (IFF_PORTSEL, "PORTSEL"),
        (IFF_NOTRAILERS, "NOTRAILERS"), (IFF_UP, "UP"), (IFF_LOWER_UP, "LOWER_UP"),
    ];

    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        string command = words.More ? words.Next() : "list";
        if (IpWords.Abbreviates(command, "add"))
            Add(net, words);
        else if (IpWords.Abbreviates(command, "set") || IpWords.Abbreviates(command, "change"))
            Set(net, words);
        else if (IpWords.Abbreviates(command, "delete"))
            Delete(net, words);
        else if (IpWords.Abbreviates(command, "show") || IpWords.Abbreviates(command, "list") || command == "lst")
            Show(net, words, output);
        else
            throw new IpCommandException(255, $"Command \"{command}\" is unknown, try \"ip link help\".");
    }

    /// <summary>The lines that describe a device.</summary>
    /// <param name="dev">The device.</param>
    /// <param name="output">Where they go.</param>
    /// <param name="mode">Whether the link mode is shown, as <c>ip link</c> does and <c>ip address</c> does not.</param>
    public static void Print(NetDevice dev, IpOutput output, bool mode)
    {
        string qdisc = dev.Qdisc?.Id ?? (dev.IsUp ? "noqueue" : "noop");
        string qlen = dev.TxQueueLen > 0 ? string.Create(CultureInfo.InvariantCulture, $" qlen {dev.TxQueueLen}") : "";
        output.Write(string.Create(CultureInfo.InvariantCulture,
            $"{dev.Ifindex}: {NameOf(dev)}: <{Flags(dev)}> mtu {dev.Mtu} qdisc {qdisc} state {State(dev)} {(mode ? "mode DEFAULT " : "")}group default{qlen}"));
        output.Write(output.LineBreak);
        if (dev.Type is ARPHRD_ETHER or ARPHRD_LOOPBACK)
            output.Write($"    link/{(dev.Type == ARPHRD_ETHER ? "ether" : "loopback")} {IpWords.Text(dev.DevAddr)} brd {IpWords.Text(dev.Broadcast)}\n");
        else
            output.Write("    link/none \n");
    }

    /// <summary>How a line of <c>ip -brief</c> begins.</summary>
    public static string BriefHead(NetDevice dev) => $"{NameOf(dev),-16} {State(dev),-14} ";

    private static void Show(NetNamespace net, IpWords words, IpOutput output)
    {
        foreach (NetDevice dev in words.TakeShown(net))
        {
            if (output.Brief)
                output.Write($"{BriefHead(dev)}{IpWords.Text(dev.DevAddr)} <{Flags(dev)}> \n");
            else
                Print(dev, output, mode: true);
        }
    }

    private static void Set(NetNamespace net, IpWords words)
    {
        words.Take("dev");
        NetDevice dev = words.NextDevice(net);
        while (words.More)
        {
            string word = words.Next();
            int err = word switch
            {
                "up" => Dev.DevOpen(dev),
                "down" => Close(dev),
                "mtu" => Dev.DevSetMtu(dev, (int)words.NextUint("mtu")),
                "address" => Dev.DevSetMacAddress(dev, words.NextLinkAddress(dev.DevAddr.Length)),
                "name" => Dev.DevChangeName(dev, words.Next()),
                "txqueuelen" or "txqlen" or "qlen" => Dev.DevChangeTxQueueLen(dev, words.NextUint("txqueuelen")),
                "arp" => SetFlag(dev, IFF_NOARP, !words.NextOnOff()),
                "multicast" => SetFlag(dev, IFF_MULTICAST, words.NextOnOff()),
                "promisc" => SetFlag(dev, IFF_PROMISC, words.NextOnOff()),
                "allmulticast" => SetFlag(dev, IFF_ALLMULTI, words.NextOnOff()),
                "carrier" => SetCarrier(dev, words.NextOnOff()),
                _ => throw new IpCommandException(255, $"Error: either \"dev\" is duplicate, or \"{word}\" is a garbage."),
            };
            IpCommandException.ThrowIfFailed(err);
        }
    }

    private static void Add(NetNamespace net, IpWords words)
    {
        string? name = null;
        while (words.More)
        {
            string word = words.Next();
            if (word == "type")
            {
                AddType(net, words, name);
                return;
            }

            name = word is "name" or "dev" ? words.Next() : word;
        }

        throw new IpCommandException(255, "Not enough information: \"type\" argument is required");
    }

    private static void AddType(NetNamespace net, IpWords words, string? name)
    {
        string type = words.Next();
        if (type != "veth")
            throw new IpCommandException(2, $"Error: Unknown device type.");
        string peer = "veth%d";
        if (words.Take("peer"))
        {
            if (words.Take("name") || words.More)
                peer = words.Next();
        }

        if (words.More)
            throw IpCommandException.Garbage(words.Next());
        IpCommandException.ThrowIfFailed(Veth.VethNewlink(net, name ?? "veth%d", net, peer, out _, out _));
    }

    private static void Delete(NetNamespace net, IpWords words)
    {
        words.Take("dev");
        NetDevice dev = words.NextDevice(net);
        if (words.Take("type"))
            words.Next();
        if (words.More)
            throw IpCommandException.Garbage(words.Next());
        if (dev == net.LoopbackDev)
            IpCommandException.ThrowIfFailed(-EOPNOTSUPP);
        Dev.UnregisterNetdev(dev);
    }

    private static int Close(NetDevice dev)
    {
        Dev.DevClose(dev);
        return 0;
    }

    private static int SetFlag(NetDevice dev, uint flag, bool on) =>
        Dev.DevChangeFlags(dev, on ? Dev.DevGetFlags(dev) | flag : Dev.DevGetFlags(dev) & ~flag);

    private static int SetCarrier(NetDevice dev, bool on)
    {
        if (on)
            Dev.NetifCarrierOn(dev);
        else
            Dev.NetifCarrierOff(dev);
        return 0;
    }

    private static string NameOf(NetDevice dev) => dev is not { Ops: Veth, Priv: NetDevice peer }
        ? dev.Name
        : peer.Net == dev.Net ? $"{dev.Name}@{peer.Name}" : string.Create(CultureInfo.InvariantCulture, $"{dev.Name}@if{peer.Ifindex}");

    private static string State(NetDevice dev)
    {
        if ((dev.Flags & IFF_LOOPBACK) != 0)
            return dev.IsUp ? "UNKNOWN" : "DOWN";
        return dev.IsRunning ? "UP" : "DOWN";
    }

    private static string Flags(NetDevice dev)
    {
        uint flags = Dev.DevGetFlags(dev);
        List<string> names = [.. FlagNames.Where(entry => (flags & entry.Flag) != 0).Select(entry => entry.Name)];
        if (dev.IsUp && !dev.IsRunning)
            names.Insert(0, "NO-CARRIER");
        return string.Join(',', names);
    }
}
