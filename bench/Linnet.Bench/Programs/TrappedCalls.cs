using System.Globalization;

namespace Linnet.Bench.Programs;

/// <summary>What a call costs that stops until a supervisor answers it, beside the host's bare notification.</summary>
internal sealed class TrappedCalls(bool quick) : Measurement("calls", "µs a call")
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public override bool LowerIsBetter => true;

    public override string Baseline => "bare notification";

    public override void RunOnce()
    {
        string count = (quick ? 20_000 : 60_000).ToString(CultureInfo.InvariantCulture);
        string bare = Tools.Run(Limit, Tools.Self, "bare", "--", Tools.Self, "caller", "--one", count);
        Add(Baseline, Parse(bare.Trim().Split('\t')[1]));
        foreach (string line in Tools.Run(Limit, Tools.Linnet, "run", "--no-egress", "--", Tools.Self, "caller", count)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Add(line.Split('\t')[0], Parse(line.Split('\t')[1]));
    }

    private static double Parse(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out double value)
        ? value : throw new FailedException(text);
}
