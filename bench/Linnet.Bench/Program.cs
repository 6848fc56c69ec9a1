using System.CommandLine;
using Linnet.Bench;
using Linnet.Bench.Programs;

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
root.Add(ProgramsCommand());
root.Add(CallerCommand());
root.Add(BareCommand());
ParseResult result = root.Parse(args);
if (result.Errors.Count > 0)
{
    Console.Error.WriteLine($"bench: {result.Errors[0].Message} See --help.");
    return 2;
}

return result.Invoke();

static Command ProgramsCommand()
{
    Option<bool> quick = new("--quick") { Description = "Shorter runs, and less exact." };
    Option<int> runs = new("--runs") { Description = "Runs of each figure; the median counts.", DefaultValueFactory = _ => 5 };
    Option<string?> only = new("--only") { Description = "Only what has this in its name." };
    Option<FileInfo?> json = new("--json") { Description = "Write the figures to this file." };
    Command command = new("programs", "Measures real programs on Linnet beside the host's kernel, slirp4netns and pasta.") { quick, runs, only, json };
    command.SetAction(parsed => ProgramComparison.Run(
        parsed.GetValue(quick), parsed.GetValue(runs), parsed.GetValue(only), parsed.GetValue(json)));
    return command;
}

static Command CallerCommand()
{
    Argument<int> count = new("COUNT");
    Option<bool> one = new("--one") { Description = "Only the first kind of call." };
    Command command = new("caller", "Makes calls that stop, and says how long they took.") { count, one };
    command.Hidden = true;
    command.SetAction(parsed => Caller.Run(parsed.GetValue(count), parsed.GetValue(one)));
    return command;
}

static Command BareCommand()
{
    Argument<string[]> program = new("PROGRAM");
    Command command = new("bare", "Runs a program under the least supervisor.") { program };
    command.Hidden = true;
    command.SetAction(parsed => BareSupervisor.Run(parsed.GetValue(program)!));
    return command;
}
