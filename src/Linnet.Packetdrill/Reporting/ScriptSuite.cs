using System.Diagnostics;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Reporting;

/// <summary>Runs many scripts, each on a machine of its own, several at a time.</summary>
public static class ScriptSuite
{
    /// <summary>How long a script may take of real time before it is given up.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    /// <summary>
    /// The scripts that are meant: files as they are, and all <c>*.pkt</c> below directories, sorted. As with packetdrill's own
    /// driver, those of a directory whose names end in <c>v4</c> or <c>v6</c> are for that version only.
    /// </summary>
    /// <param name="paths">Files and directories.</param>
    /// <param name="isV6">Whether they are to be run with IPv6.</param>
    /// <exception cref="FileNotFoundException">There is no such file or directory.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> paths, bool isV6 = false)
    {
        string other = isV6 ? "v4.pkt" : "v6.pkt";
        List<string> found = [];
        foreach (string path in paths)
        {
            if (Directory.Exists(path))
            {
                found.AddRange(Directory.EnumerateFiles(path, "*.pkt", SearchOption.AllDirectories)
                    .Where(file => !file.EndsWith(other, StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            }
            else if (File.Exists(path))
                found.Add(path);
            else
                throw new FileNotFoundException($"there is no file {path}", path);
        }
        return found;
    }

    /// <summary>Runs scripts.</summary>
    /// <param name="paths">Their files.</param>
    /// <param name="commandLine">Options that win over the scripts' own.</param>
    /// <param name="jobs">How many run at a time.</param>
    /// <param name="finished">Called after each, in the order of <paramref name="paths"/>; or null.</param>
    public static IReadOnlyList<SuiteEntry> Run(
        IReadOnlyList<string> paths, IReadOnlyList<OptionSetting> commandLine, int jobs, Action<SuiteEntry>? finished = null)
    {
        SuiteEntry?[] entries = new SuiteEntry?[paths.Count];
        int next = -1;
        int shown = 0;
        Thread[] threads = new Thread[Math.Clamp(jobs, 1, Math.Max(paths.Count, 1))];
        for (int i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work) { IsBackground = true, Name = "packetdrill" };
            threads[i].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        return entries!;

        void Work()
        {
            for (int i = Interlocked.Increment(ref next); i < paths.Count; i = Interlocked.Increment(ref next))
            {
                SuiteEntry entry = RunLimited(paths[i], commandLine);
                lock (entries)
                {
                    entries[i] = entry;
                    for (; shown < entries.Length && entries[shown] is { } done; shown++)
                        finished?.Invoke(done);
                }
            }
        }
    }

    // A script that never ends would be a defect of Linnet's; the others are to be run in any case, so its thread is left behind.
    private static SuiteEntry RunLimited(string path, IReadOnlyList<OptionSetting> commandLine)
    {
        SuiteEntry? entry = null;
        Thread thread = new(() => entry = RunOne(path, commandLine)) { IsBackground = true, Name = path };
        thread.Start();
        return thread.Join(Limit) && entry is not null
            ? entry
            : new SuiteEntry(path, "v4", new RunResult { Path = path, Error = $"no end after {Limit.TotalSeconds:0} seconds" }, Limit);
    }

    private static SuiteEntry RunOne(string path, IReadOnlyList<OptionSetting> commandLine)
    {
        long start = Stopwatch.GetTimestamp();
        string mode = "v4";
        RunResult result;
        try
        {
            Script script = ScriptParser.Parse(path, File.ReadAllText(path), commandLine);
            mode = SuiteEntry.ModeOf(script.Options.IpVersion);
            result = ScriptRunner.Run(script);
        }
        catch (ScriptException e)
        {
            result = new RunResult { Path = path, Error = e.Message, ErrorLine = e.Line };
        }
        catch (Exception e)
        {
            // A defect in one run, which ends with its machine, is not to end the others.
            result = new RunResult { Path = path, Error = $"{path}: defect: {e}" };
        }
        return new SuiteEntry(path, mode, result, Stopwatch.GetElapsedTime(start));
    }
}
