using System.Globalization;
using System.Text.Json;

namespace Linnet.Bench.Programs;

/// <summary>Measures real programs on Linnet beside the same programs on the host's kernel and on other ways out of a sandbox.</summary>
internal static class ProgramComparison
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public static int Run(bool quick, int runs, string? only, FileInfo? json)
    {
        if (runs < 1)
        {
            Console.Error.WriteLine("bench: --runs takes 1 or more.");
            return 2;
        }

        using WorkFolder folder = new();
        int seconds = quick ? 1 : 4;
        Measurement[] all =
        [
            new TrappedCalls(quick), new Transfers(folder, seconds), new WebRequests(folder, seconds), new RedisRequests(folder, quick),
        ];
        Measurement[] chosen = [.. all.Where(m => only == null || m.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        if (chosen.Length == 0)
        {
            Console.Error.WriteLine($"bench: nothing is called like '{only}'; there are {string.Join(", ", all.Select(m => m.Name))}.");
            return 2;
        }

        Console.WriteLine($"{runs} runs in turn, medians; {Environment.ProcessorCount} CPUs, Linux {Environment.OSVersion.Version}, .NET {Environment.Version}");
        int status = 0;
        foreach (Measurement measurement in chosen)
            status |= Take(measurement, runs) ? 0 : 1;
        if (json != null)
            File.WriteAllText(json.FullName, JsonSerializer.Serialize(chosen.Select(m => new { m.Name, m.Unit, m.Figures }), Indented));
        return status;
    }

    private static bool Take(Measurement measurement, int runs)
    {
        if (Tools.Missing(measurement.Programs) is { Length: > 0 } missing)
        {
            Console.WriteLine($"\n{measurement.Name}: {string.Join(", ", missing)}: not installed");
            return true;
        }

        bool succeeded = true;
        for (int run = 0; run < runs && succeeded; run++)
        {
            try
            {
                measurement.RunOnce();
            }
            catch (FailedException e)
            {
                Console.Error.WriteLine($"bench: {measurement.Name}: {e.Message}");
                succeeded = false;
            }
        }

        Print(measurement);
        return succeeded;
    }

    private static void Print(Measurement measurement)
    {
        bool costs = measurement.Figures.Any(figure => figure.Cost != null);
        string ratio = $"ratio to {measurement.Baseline}" + (measurement.LowerIsBetter ? " (below 1: faster)" : " (above 1: faster)");
        Console.WriteLine($"\n{measurement.Name,-38} {measurement.Unit,12} {"min",10} {"max",10}{(costs ? $" {"CPU s/GB",10}" : "")}   {ratio}");
        foreach (Figure figure in measurement.Figures)
        {
            string cost = !costs ? "" : figure.Cost is { } seconds ? $" {Text(seconds),10}" : $" {"",10}";
            Console.WriteLine(
                $"{figure.Name,-38} {Text(figure.Median),12} {Text(figure.Values.Min()),10} {Text(figure.Values.Max()),10}{cost}   {Ratio(measurement, figure)}");
        }
    }

    private static string Ratio(Measurement measurement, Figure figure) =>
        measurement.Figures.FirstOrDefault(other => other.Name == figure.Baseline) is { } baseline
            ? (figure.Median / baseline.Median).ToString("0.00", CultureInfo.InvariantCulture) : "-";

    private static string Text(double value) =>
        value.ToString(value >= 1000 ? "N0" : value >= 10 ? "N1" : "N2", CultureInfo.InvariantCulture);
}

/// <summary>A folder for what programs read and write, gone at the end.</summary>
internal sealed class WorkFolder : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-bench-");

    // Servers that give up root's rights read it too.
    public WorkFolder() => File.SetUnixFileMode(root.FullName, (UnixFileMode)0b111_101_101);

    /// <summary>The full name of a file in it.</summary>
    public string this[string name] => Path.Combine(root.FullName, name);

    /// <summary>Writes a file.</summary>
    /// <returns>Its full name.</returns>
    public string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[name])!);
        File.WriteAllText(this[name], text);
        return this[name];
    }

    public void Dispose() => root.Delete(recursive: true);
}
