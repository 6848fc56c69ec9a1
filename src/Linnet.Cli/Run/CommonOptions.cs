using System.CommandLine;
using System.CommandLine.Parsing;

namespace Linnet.Cli.Run;

/// <summary>How much <c>--trace</c> shows.</summary>
internal enum TraceDetail
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A line a call.</summary>
    Calls,

    /// <summary>Each call's functions, and the packets.</summary>
    Tree,
}

/// <summary>What <c>linnet run</c> and <c>linnet up</c> can both be asked for.</summary>
internal sealed class CommonOptions
{
    /// <summary>Where the packets are written.</summary>
    public FileInfo? Pcap { get; init; }

    /// <summary>How much is shown of calls.</summary>
    public TraceDetail Trace { get; init; }

    /// <summary>Where that is written; null for standard error.</summary>
    public FileInfo? TraceFile { get; init; }

    /// <summary>Whether the network is shown while it runs.</summary>
    public bool Watch { get; init; }

    /// <summary>A security policy's file.</summary>
    public string? Policy { get; init; }

    /// <summary>Whether to say at the end what was asked for in vain.</summary>
    public bool Report { get; init; }

    /// <summary>What random numbers begin with.</summary>
    public ulong? Seed { get; init; }
}

/// <summary>The options of both commands, as the command line has them.</summary>
internal sealed class CommonOptionSet
{
    /// <summary>The option whose value may be left out.</summary>
    public const string Trace = "--trace";

    private readonly Option<FileInfo?> pcap = new("--pcap") { HelpName = "FILE", Description = "Write the packets to FILE, as pcapng." };
    private readonly Option<TraceDetail> trace = new(Trace)
    {
        HelpName = "calls|tree",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = ParseDetail,
        Description = "Show each call as a tree through the layers, and the packets; --trace=calls shows a line a call.",
    };

    private readonly Option<FileInfo?> traceFile = new("--trace-file")
    {
        HelpName = "FILE",
        Description = "Write the trace to FILE, in place of standard error; without --trace, of the calls.",
    };

    private readonly Option<bool> watch = new("--watch") { Description = "Show sockets, links and packets on the terminal while it runs." };
    private readonly Option<string?> policy = new("--policy") { HelpName = "FILE", Description = "Hold the programs to a security policy." };
    private readonly Option<bool> report = new("--report") { Description = "Say at the end what was asked for that Linnet lacks." };
    private readonly Option<ulong?> seed = new("--seed") { HelpName = "N", Description = "Begin random numbers with N." };

    /// <summary>Whether a word is a value of <see cref="Trace"/>.</summary>
    public static bool IsTraceDetail(string word) => word is "calls" or "tree";

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[pcap, trace, traceFile, watch, policy, report, seed])
            command.Add(option);
    }

    /// <summary>What was given of them.</summary>
    public CommonOptions Read(ParseResult parsed)
    {
        FileInfo? file = parsed.GetValue(traceFile);
        TraceDetail detail = parsed.GetValue(trace);
        return new CommonOptions
        {
            Pcap = parsed.GetValue(pcap),
            Trace = detail == TraceDetail.None && file != null ? TraceDetail.Calls : detail,
            TraceFile = file,
            Watch = parsed.GetValue(watch),
            Policy = parsed.GetValue(policy),
            Report = parsed.GetValue(report),
            Seed = parsed.GetValue(seed),
        };
    }

    private static TraceDetail ParseDetail(ArgumentResult result)
    {
        switch (result.Tokens)
        {
            case [] or [{ Value: "tree" }]:
                return TraceDetail.Tree;
            case [{ Value: "calls" }]:
                return TraceDetail.Calls;
            default:
                result.AddError($"--trace is calls or tree, not '{result.Tokens[0].Value}'");
                return TraceDetail.None;
        }
    }
}
