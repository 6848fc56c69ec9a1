using System.CommandLine;
using Linnet.Bench;

Option<bool> quick = new("--quick") { Description = "Fewer and shorter runs: done within a minute, and less exact." };
Option<int> runs = new("--runs") { Description = "Runs of each figure; the median counts.", DefaultValueFactory = _ => 5 };
Option<string?> only = new("--only") { Description = "Only the workloads whose name contains this." };
Option<FileInfo?> json = new("--json") { Description = "Write the figures to this file." };
Option<bool> hostile = new("--hostile") { Description = "Measure what packets of hostile peers cost, instead." };
RootCommand root = new("Measures Linnet against the host kernel's loopback, the same work in the same run.")
{
    quick, runs, only, json, hostile,
};
root.SetAction(parsed => parsed.GetValue(hostile)
    ? HostilePeers.Run(parsed.GetValue(quick), parsed.GetValue(only))
    : Comparison.Run(parsed.GetValue(quick), parsed.GetValue(runs), parsed.GetValue(only), parsed.GetValue(json)));
ParseResult result = root.Parse(args);
if (result.Errors.Count > 0)
{
    Console.Error.WriteLine($"bench: {result.Errors[0].Message} See --help.");
    return 2;
}

return result.Invoke();
