using Linnet.IpRoute;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;

namespace Linnet;

/// <summary>How an <see cref="IpCommand"/> ended.</summary>
/// <param name="ExitCode">0; 1 or 255 where the words make no sense; 2 where the kernel refused.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Error">What it complained about; empty when it succeeded.</param>
public readonly record struct IpResult(int ExitCode, string Output, string Error)
{
    /// <summary>Whether it did what was asked for.</summary>
    public bool Succeeded => ExitCode == 0;
}

/// <summary>
/// The words of iproute2's <c>ip</c>, carried out on a network namespace: <c>ip route</c>, <c>ip rule</c>, <c>ip neigh</c>, <c>ip addr</c>, <c>ip link</c>,
///
/// with iproute2's abbreviations, output and exit statuses. A word that is not known is an error, never ignored.
/// </summary>
public static class IpCommand
{
    /// <summary>Carries out a command line.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="commandLine">As in a shell but without quoting, with or without the leading <c>ip</c>: <c>route add
    /// 10.0.0.0/8 via 192.0.2.1 mtu lock 1200</c>.</param>
    public static IpResult Run(NetNamespace net, string commandLine) =>
        Run(net, commandLine.Split((char[])[' ', '\t', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Carries out a command.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="words">Its words, with or without the leading <c>ip</c>.</param>
    public static IpResult Run(NetNamespace net, IReadOnlyList<string> words)
    {
        IpOutput output = new();
        try
        {
            using KernelEntry entry = net.Machine.Enter();
            Dispatch(net, new IpWords(words), output);
            return new IpResult(0, output.ToString(), "");
        }
        catch (IpCommandException e)
        {
            return new IpResult(e.ExitCode, output.ToString(), e.Message);
        }
    }

    private static void Dispatch(NetNamespace net, IpWords words, IpOutput output)
    {
        if (words.Peek == "ip")
            words.Skip();
        while (words.Peek is ['-', ..] option)
        {
            output.Apply(option, words);
            words.Skip();
        }

        if (!words.More)
            throw new IpCommandException(255, "Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }");
        string name = words.Next();
        foreach ((string Name, Action<NetNamespace, IpWords, IpOutput> Run) candidate in Objects)
        {
            if (!IpWords.Abbreviates(name, candidate.Name))
                continue;
            candidate.Run(net, words, output);
            return;
        }

        throw new IpCommandException(1, $"Object \"{name}\" is unknown, try \"ip help\".");
    }

    // In iproute2's order: the first that a word abbreviates is meant.
    private static readonly (string Name, Action<NetNamespace, IpWords, IpOutput> Run)[] Objects =
    [
        ("address", IpAddressObject.Run),
        ("route", IpRouteObject.Run),
        ("rule", IpRuleObject.Run),
        ("neighbor", IpNeighObject.Run),
        ("neighbour", IpNeighObject.Run),
        ("link", IpLinkObject.Run),
    ];
}
