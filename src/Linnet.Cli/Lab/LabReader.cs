using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Linnet.Linux;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Linnet.Cli.Lab;

/// <summary>Reads a lab from YAML. What is wrong is told with line and column.</summary>
/// <param name="path">The file's name, for messages.</param>
internal sealed class LabReader(string path)
{
    private const int FirstPrivateSubnet = 0;

    /// <summary>What a lab has; so have those below of their places. docs/lab.schema.json has them too.</summary>
    public static readonly string[] LabKeys = ["networks", "hosts", "events", "main", "egress", "publish"];

    /// <summary>What a network has.</summary>
    public static readonly string[] NetworkKeys = ["subnet", "link"];

    /// <summary>What a host has.</summary>
    public static readonly string[] HostKeys = ["networks", "run", "cwd", "environment", "wait_for", "wait_timeout", "routes", "router"];

    /// <summary>What an event has.</summary>
    public static readonly string[] EventKeys = ["at", "cut", "heal", "link", "on"];

    private readonly Dictionary<string, LabNetwork> networks = [];
    private readonly Dictionary<string, YamlNode> hostNames = [];
    private readonly List<(string Server, YamlNode Node)> awaited = [];
    private readonly HashSet<(string Network, IPAddress Address)> taken = [];

    /// <summary>Reads a lab.</summary>
    /// <param name="path">The file's name, for messages.</param>
    /// <param name="text">What is in it.</param>
    /// <exception cref="UsageException">It is no lab; the message begins with file, line and column.</exception>
    public static LabFile Read(string path, string text)
    {
        YamlStream stream = [];
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            // Where it was noticed; a mapping that is wrong may have begun long before.
            throw new UsageException($"{path}:{e.End.Line}:{e.End.Column}: {e.InnerException?.Message ?? e.Message}");
        }

        if (stream.Documents.Count != 1)
            throw new UsageException($"{path}:1:1: a lab is one document with 'hosts'");
        return new LabReader(path).ReadLab(stream.Documents[0].RootNode);
    }

    private LabFile ReadLab(YamlNode root)
    {
        Dictionary<string, YamlNode> parts = Mapping(root, LabKeys);
        if (parts.TryGetValue("networks", out YamlNode? nets))
        {
            foreach ((string name, YamlNode node) in Names(nets))
                networks.Add(Name(name, node), Apart(ReadNetwork(name, node), node));
        }

        if (networks.Count == 0)
            networks.Add("lan", new LabNetwork("lan", NextSubnet(), null));

        if (!parts.TryGetValue("hosts", out YamlNode? list))
            throw Wrong(root, "a lab has 'hosts'");
        List<LabHost> hosts = [];
        foreach ((string name, YamlNode node) in Names(list))
        {
            if (name == LabNet.GatewayName || networks.ContainsKey(name))
                throw Wrong(node, $"'{name}' is {(name == LabNet.GatewayName ? "the way out" : "a network")} already");
            if (name == Gateway.HostName || hostNames.Keys.Contains(name, StringComparer.OrdinalIgnoreCase))
                throw Wrong(node, $"'{name}' is the name of {(name == Gateway.HostName ? "this computer" : "a host")} already");
            hostNames.Add(Name(name, node), node);
            hosts.Add(ReadHost(name, node));
        }

        foreach ((string server, YamlNode node) in awaited)
        {
            if (hosts.Find(host => host.Name == Known(server, node))!.Run.Count == 0)
                throw Wrong(node, $"{server} has no program to 'run' that could be waited for");
        }

        LabHost? last = hosts.LastOrDefault(host => host.Run.Count > 0) ?? throw Wrong(list, "no host has a program to 'run'");
        string main = last.Name;
        if (parts.TryGetValue("main", out YamlNode? mainNode))
        {
            main = Known(Scalar(mainNode), mainNode);
            if (hosts.Find(host => host.Name == main)!.Run.Count == 0)
                throw Wrong(mainNode, $"{main} has no program to 'run'");
        }

        return new LabFile
        {
            Networks = [.. networks.Values],
            Hosts = hosts,
            Main = main,
            Egress = !parts.TryGetValue("egress", out YamlNode? egress) || Truth(egress),
            Events = parts.TryGetValue("events", out YamlNode? events) ? [.. Items(events).Select(ReadEvent).OrderBy(e => e.At)] : [],
            Publish = parts.TryGetValue("publish", out YamlNode? ports) ? [.. Items(ports).Select(ReadPort)] : [],
        };
    }

    private LabNetwork ReadNetwork(string name, YamlNode node)
    {
        Dictionary<string, YamlNode> parts = IsEmpty(node) ? [] : Mapping(node, NetworkKeys);
        IPNetworkAddress subnet = NextSubnet();
        if (parts.TryGetValue("subnet", out YamlNode? text)
            && (!IPNetworkAddress.TryParse(Scalar(text), out subnet) || subnet.PrefixLength is < 8 or > 29))
            throw Wrong(text, $"'{Scalar(text)}' is no subnet, as 10.0.0.0/24 is");
        return new LabNetwork(name, subnet, parts.TryGetValue("link", out YamlNode? link) ? Link(link) : null);
    }

    private LabHost ReadHost(string name, YamlNode node)
    {
        Dictionary<string, YamlNode> parts = IsEmpty(node) ? [] : Mapping(node, HostKeys);
        return new LabHost(name, parts.TryGetValue("networks", out YamlNode? places) ? [.. ReadPlaces(places)] : [(OnlyNetwork(name, node), null)])
        {
            Place = Place(node),
            Run = parts.TryGetValue("run", out YamlNode? run) ? ReadCommand(run) : [],
            Environment = parts.TryGetValue("environment", out YamlNode? variables)
                ? Names(variables).ToDictionary(pair => pair.Name, pair => Scalar(pair.Node))
                : new Dictionary<string, string>(),
            Folder = parts.TryGetValue("cwd", out YamlNode? folder) ? FullPath(folder) : null,
            WaitTimeout = parts.TryGetValue("wait_timeout", out YamlNode? timeout) ? ReadWaitTimeout(timeout, parts) : null,
            WaitFor = parts.TryGetValue("wait_for", out YamlNode? servers) ? [.. Items(servers).Select(ReadServer)] : [],
            Routes = parts.TryGetValue("routes", out YamlNode? routes) ? [.. Items(routes).Select(node => new LabRoute(Scalar(node), Place(node)))] : [],
            Router = parts.TryGetValue("router", out YamlNode? router) && Truth(router),
        };
    }

    private LabNetwork Apart(LabNetwork network, YamlNode node) =>
        networks.Values.FirstOrDefault(network.Overlaps) is { } other
            ? throw Wrong(node, $"the addresses of {network.Name} are those of {other.Name}: {network.Subnet}")
            : network;

    private string OnlyNetwork(string host, YamlNode node) =>
        networks.Count == 1 ? networks.Keys.First() : throw Wrong(node, $"there are several networks: which 'networks' is {host} on?");

    // A list of names, or names with addresses.
    private IEnumerable<(string, IPAddress?)> ReadPlaces(YamlNode node)
    {
        if (node is YamlSequenceNode { Children.Count: 0 } or YamlMappingNode { Children.Count: 0 })
            throw Wrong(node, "a host is on one network at least");
        if (node is not YamlMappingNode)
        {
            foreach (YamlNode item in Items(node))
                yield return (KnownNetwork(Scalar(item), item), null);
            yield break;
        }

        foreach ((string name, YamlNode value) in Names(node))
        {
            if (!IPAddress.TryParse(Scalar(value), out IPAddress? address) || address.AddressFamily != AddressFamily.InterNetwork)
                throw Wrong(value, $"'{Scalar(value)}' is no IPv4 address");
            if (!networks[KnownNetwork(name, value)].HasRoomFor(address))
                throw Wrong(value, $"{address} is no address for a host of {networks[name].Subnet}, whose last is the gateway's");
            if (!taken.Add((name, address)))
                throw Wrong(value, $"{address} is another host's already");
            yield return (name, address);
        }
    }

    // A text is for a shell; a list is the program and its arguments.
    private IReadOnlyList<string> ReadCommand(YamlNode node) =>
        node is YamlScalarNode ? ["sh", "-c", Scalar(node)]
        : node is YamlSequenceNode { Children.Count: 0 } ? throw Wrong(node, "here stand a program and its arguments")
        : [.. Items(node).Select(Scalar)];

    private (string, ushort) ReadServer(YamlNode node)
    {
        string[] parts = Scalar(node).Split(':');
        if (parts.Length != 2 || !ushort.TryParse(parts[1], out ushort port) || port == 0)
            throw Wrong(node, $"'{Scalar(node)}' is not HOST:PORT, as web:80");
        awaited.Add((parts[0], node));
        return (parts[0], port);
    }

    private TimeSpan ReadWaitTimeout(YamlNode node, Dictionary<string, YamlNode> host) =>
        host.ContainsKey("wait_for") ? ReadTime(node) : throw Wrong(node, "there is nothing to 'wait_for'");

    // What a lab's file names is found where the file is, from wherever the lab is started.
    private string FullPath(YamlNode node) =>
        Scalar(node) is { Length: > 0 } folder
            ? Path.GetFullPath(folder, Path.GetDirectoryName(Path.GetFullPath(path))!)
            : throw Wrong(node, "here belongs a folder");

    private LabPort ReadPort(YamlNode node)
    {
        try
        {
            LabPort port = LabPort.Parse(Scalar(node));
            Known(port.Host, node);
            return port;
        }
        catch (UsageException e) when (!e.Message.StartsWith(path, StringComparison.Ordinal))
        {
            throw Wrong(node, e.Message);
        }
    }

    private LabEvent ReadEvent(YamlNode node)
    {
        Dictionary<string, YamlNode> parts = Mapping(node, EventKeys);
        if (!parts.TryGetValue("at", out YamlNode? at))
            throw Wrong(node, "an event has a time 'at'");
        TimeSpan time = ReadTime(at);
        const string Forms = "an event is 'cut: HOST', 'heal: HOST', or 'link: WORDS' with 'on: HOST or NETWORK'";
        if (parts.Keys.Count(key => key is "cut" or "heal" or "link") != 1 || parts.ContainsKey("on") != parts.ContainsKey("link"))
            throw Wrong(node, Forms);
        if (parts.TryGetValue("cut", out YamlNode? cut))
            return new LabEvent(time, LabAction.Cut, Known(Scalar(cut), cut), null);
        if (parts.TryGetValue("heal", out YamlNode? heal))
            return new LabEvent(time, LabAction.Heal, Known(Scalar(heal), heal), null);
        YamlNode on = parts["on"];
        string target = Scalar(on);
        return new LabEvent(time, LabAction.Link, networks.ContainsKey(target) ? target : Known(target, on), Link(parts["link"]));
    }

    /// <summary>A time as labs have it.</summary>
    public static string Write(TimeSpan time) =>
        time.TotalMilliseconds % 1000 == 0 ? $"{time.TotalSeconds}s" : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds}ms");

    private TimeSpan ReadTime(YamlNode node)
    {
        string text = Scalar(node);
        (double unit, int length) = text.EndsWith("ms", StringComparison.Ordinal) ? (1, 2)
            : text.EndsWith('s') ? (1000, 1)
            : text.EndsWith('m') ? (60_000, 1) : (0, 0);
        return unit > 0 && double.TryParse(text.AsSpan(0, text.Length - length), NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && value >= 0
            ? TimeSpan.FromMilliseconds(value * unit)
            : throw Wrong(node, $"'{text}' is no time, as 500ms, 5s or 2m");
    }

    private string Link(YamlNode node)
    {
        try
        {
            NetemWords.Parse(Scalar(node));
            return Scalar(node);
        }
        catch (FormatException e)
        {
            throw Wrong(node, e.Message.Split('\n')[0]);
        }
    }

    private IPNetworkAddress NextSubnet() => IPNetworkAddress.Parse($"10.0.{FirstPrivateSubnet + networks.Count}.0/24");

    // By which programs find it, and commands name it.
    private string Name(string name, YamlNode node) =>
        name.Length > 0 && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') && char.IsAsciiLetterOrDigit(name[0])
            ? name
            : throw Wrong(node, $"'{name}' is no name of letters, digits, '-', '_' and '.'");

    private string Known(string host, YamlNode node) =>
        hostNames.ContainsKey(host) ? host : throw Wrong(node, $"there is no host '{host}'");

    private string KnownNetwork(string network, YamlNode node) =>
        networks.ContainsKey(network) ? network : throw Wrong(node, $"there is no network '{network}'");

    private bool Truth(YamlNode node) => Scalar(node) switch
    {
        "true" or "yes" or "on" => true,
        "false" or "no" or "off" => false,
        var other => throw Wrong(node, $"'{other}' is neither true nor false"),
    };

    private static bool IsEmpty(YamlNode node) => node is YamlScalarNode { Value: null or "" };

    private string Scalar(YamlNode node) =>
        node is YamlScalarNode { Value: { } value } ? value : throw Wrong(node, "here belongs a word or a text");

    private IEnumerable<YamlNode> Items(YamlNode node) =>
        node is YamlSequenceNode sequence ? sequence.Children : throw Wrong(node, "here belongs a list");

    private IEnumerable<(string Name, YamlNode Node)> Names(YamlNode node) =>
        node is YamlMappingNode mapping
            ? mapping.Children.Select(pair => (Scalar(pair.Key), pair.Value))
            : throw Wrong(node, "here stand names with what belongs to them");

    private Dictionary<string, YamlNode> Mapping(YamlNode node, string[] keys)
    {
        if (node is not YamlMappingNode mapping)
            throw Wrong(node, $"here belong some of {string.Join(", ", keys)}");
        foreach (YamlNode key in mapping.Children.Keys)
        {
            if (!keys.Contains(Scalar(key)))
                throw Wrong(key, $"'{Scalar(key)}' is none of {string.Join(", ", keys)}");
        }

        return mapping.Children.ToDictionary(pair => Scalar(pair.Key), pair => pair.Value);
    }

    private string Place(YamlNode node) => $"{path}:{node.Start.Line}:{node.Start.Column}";

    private UsageException Wrong(YamlNode node, string what) => new($"{Place(node)}: {what}");
}
