using System.Globalization;
using System.Text;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.PktSchedH;

namespace Linnet;

/// <summary>What a <c>tc</c> command did.</summary>
/// <param name="ExitStatus">0 done, 1 words that make no sense, 2 refused by the kernel.</param>
/// <param name="Output">What it prints.</param>
/// <param name="Error">What it prints to say what is wrong.</param>
public readonly record struct TcResult(int ExitStatus, string Output, string Error);

/// <summary>
/// The command <c>tc</c> for queueing disciplines: <c>tc qdisc add|change|replace|link|del|show dev NAME root|parent CLASS [handle N:]
/// KIND OPTIONS</c>, with the words, the printing and the exit statuses of iproute2's.
/// </summary>
public static class Tc
{
    /// <summary>Performs a command.</summary>
    /// <param name="net">The namespace whose devices it is about.</param>
    /// <param name="commandLine">The words; a leading <c>tc</c> is skipped.</param>
    public static TcResult Run(NetNamespace net, string commandLine)
    {
        string[] words = commandLine.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return Run(net, words is ["tc", ..] ? words[1..] : words);
    }

    /// <summary>Performs a command.</summary>
    /// <param name="net">The namespace whose devices it is about.</param>
    /// <param name="words">The words after <c>tc</c>.</param>
    public static TcResult Run(NetNamespace net, IReadOnlyList<string> words)
    {
        TcWords reader = new(words);
        bool statistics = false;
        while (reader.Peek is { } option && option.StartsWith('-'))
        {
            if (option is not ("-s" or "-stats" or "-statistics"))
                return new TcResult(1, "", $"Option \"{option}\" is unknown, try \"tc -help\".\n");
            reader.Next();
            statistics = true;
        }

        using KernelEntry entry = net.Machine.Enter();
        try
        {
            return reader.Next() switch
            {
                "qdisc" or "qdiscs" or "q" => Qdisc(net, reader, statistics),
                var unknown => new TcResult(1, "", $"Object \"{unknown}\" is unknown, try \"tc help\".\n"),
            };
        }
        catch (TcWordException e)
        {
            return new TcResult(1, "", e.Message + "\n");
        }
    }

    private static TcResult Qdisc(NetNamespace net, TcWords words, bool statistics)
    {
        switch (words.Peek == null ? "show" : words.Next())
        {
            case "add":
                return Modify(net, words, new QdiscRequest { Create = true, Exclusive = true });
            case "change" or "chg":
                return Modify(net, words, new QdiscRequest());
            case "replace":
                return Modify(net, words, new QdiscRequest { Create = true, Replace = true });
            case "link":
                return Modify(net, words, new QdiscRequest { Replace = true });
            case "delete" or "del":
                return Modify(net, words, null);
            case "list" or "show" or "lst":
                return Show(net, words, statistics);
            case var unknown:
                throw new TcWordException($"Command \"{unknown}\" is unknown, try \"tc qdisc help\".");
        }
    }

    // A request of null ends the discipline.
    private static TcResult Modify(NetNamespace net, TcWords words, QdiscRequest? start)
    {
        QdiscRequest request = start ?? new QdiscRequest();
        string? device = null;
        while (words.Peek is { } word)
        {
            words.Next();
            switch (word)
            {
                case "dev":
                    device = device == null ? words.Next() : throw TcWordException.Twice("dev", words.Next());
                    break;
                case "root" when request.Parent == 0:
                    request = request with { Parent = TC_H_ROOT };
                    break;
                case "parent" when request.Parent == 0:
                    request = request with { Parent = Handle(words.Next(), "invalid parent ID") };
                    break;
                case "root" or "parent":
                    throw new TcWordException("Error: \"root\" is duplicate parent ID.");
                case "handle":
                    request = request with { Handle = Handle(words.Next(), "invalid qdisc ID") };
                    break;
                default:
                    request = request with { Kind = word };
                    if (words.Peek != null)
                        request = request with { Configure = TcQdisc.Parse(word, words) };
                    break;
            }
        }

        if (device == null || net.Devices.DevGetByName(device) is not { } dev)
            return new TcResult(1, "", $"Cannot find device \"{device}\"\n");
        int err = start == null
            ? SchApi.TcGetQdisc(dev, request, out string message)
            : SchApi.TcModifyQdisc(dev, Required(request, start), out message);
        if (err == 0)
            return new TcResult(0, "", "");
        return new TcResult(2, "", message.Length > 0 ? $"Error: {message}.\n" : $"RTNETLINK answers: {Describe(-err)}\n");
    }

    // What has to be said even when nothing is, as tbf's rate.
    private static QdiscRequest Required(QdiscRequest request, QdiscRequest start)
    {
        if (start.Create && request.Kind == "tbf" && request.Configure == null)
            TcQdisc.Parse("tbf", new TcWords([]));
        return request;
    }

    private static TcResult Show(NetNamespace net, TcWords words, bool statistics)
    {
        string? device = null;
        while (words.Peek is { } word)
        {
            words.Next();
            if (word != "dev")
                throw new TcWordException($"What is \"{word}\"? Try \"tc qdisc help\".");
            device = words.Next();
        }

        if (device != null && net.Devices.DevGetByName(device) == null)
            return new TcResult(1, "", $"Cannot find device \"{device}\"\n");
        StringBuilder output = new();
        foreach (NetDevice dev in net.Devices.All)
        {
            if (device != null && dev.Name != device)
                continue;
            string name = device == null ? $"dev {dev.Name} " : "";
            if (dev.Qdisc == null)
                Noqueue(output, name, statistics);
            foreach (Qdisc qdisc in SchGeneric.All(dev))
                Print(output, qdisc, name, statistics);
        }

        return new TcResult(0, output.ToString(), "");
    }

    private static void Noqueue(StringBuilder output, string name, bool statistics)
    {
        output.Append(CultureInfo.InvariantCulture, $"qdisc noqueue 0: {name}root refcnt 2 \n");
        if (statistics)
            TcQdisc.PrintStatistics(output, default);
    }

    private static void Print(StringBuilder output, Qdisc qdisc, string name, bool statistics)
    {
        // Parts that were not asked for, as tbf's own queue, have no number and are not shown.
        if (qdisc.Parent != null && qdisc.Handle == 0)
            return;
        string place = qdisc.Parent == null ? "root refcnt 2 "
            : $"parent {Short(qdisc.Parent.Handle >> 16)}:{Short(qdisc.ParentClass & TC_H_MIN_MASK)} ";
        output.Append(CultureInfo.InvariantCulture, $"qdisc {qdisc.Id} {Short(qdisc.Handle >> 16)}: {name}{place}");
        TcQdisc.PrintOptions(output, qdisc.Dump);
        output.Append('\n');
        if (!statistics)
            return;
        TcQdisc.PrintStatistics(output, qdisc.Stats);
        TcQdisc.PrintXstats(output, qdisc);
    }

    private static string Short(uint number) => number.ToString("x", CultureInfo.InvariantCulture);

    // "8001:", "1:1" in hexadecimal, or "root".
    private static uint Handle(string text, string problem)
    {
        string[] parts = text.Split(':');
        if (parts.Length <= 2 && TryHex(parts[0], out uint major) && TryHex(parts.Length == 2 ? parts[1] : "", out uint minor))
            return major << 16 | minor;
        throw new TcWordException($"Error: argument \"{text}\" is wrong: {problem}");
    }

    private static bool TryHex(string text, out uint number)
    {
        number = 0;
        return text.Length == 0
            || (uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number) && number <= 0xFFFF);
    }

    private static string Describe(int errno) => errno switch
    {
        EOPNOTSUPP => "Operation not supported",
        EEXIST => "File exists",
        ENOENT => "No such file or directory",
        _ => "Invalid argument",
    };
}
