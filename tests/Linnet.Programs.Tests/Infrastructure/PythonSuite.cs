using System.Diagnostics;
using System.IO.Enumeration;

namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>Tests of Python's own suite, as Debian packages it, on Linnet and on the host's kernel.</summary>
internal sealed class PythonSuite(RealLab lab)
{
    // A test that waits for something which does not come is given up; the longest that pass take 4 s.
    private const int Seconds = 12;

    private const string Interpreter = "/usr/bin/python3";

    /// <summary>Skips the test where the suite is not installed.</summary>
    public static void Need()
    {
        if (!File.Exists(Interpreter))
            Assert.Skip($"{Interpreter}: not installed");
        using Process process = Process.Start(new ProcessStartInfo(Interpreter, ["-c", "import test.test_socket"]) { RedirectStandardError = true })!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            Assert.Skip("the tests of Python's own (libpython3.11-testsuite) are not installed");
    }

    /// <summary>Runs tests on both, and once more those that passed on the kernel only: many measure time.</summary>
    /// <param name="names">Modules, classes or tests; with a minus sign in front, patterns of what to leave out.</param>
    /// <param name="known">Those of which no second run is needed.</param>
    /// <returns>The tests that passed on the kernel, and whether they did on Linnet; and what those that did not printed.</returns>
    public async Task<(Dictionary<string, bool> Passed, string Errors)> CompareAsync(string[] names, PythonDifferences known)
    {
        var (kernel, linnet, errors) = await RunBothAsync(names);
        string[] failed = [.. kernel.Except(linnet).Where(name => !known.MayFail(name))];
        Dictionary<string, bool> passed = kernel.ToDictionary(name => name, linnet.Contains);
        if (failed.Length == 0)
            return (passed, "");
        (kernel, linnet, errors) = await RunBothAsync(failed);
        foreach (string name in failed)
        {
            if (!kernel.Contains(name))
                passed.Remove(name);
            else
                passed[name] = linnet.Contains(name);
        }

        return (passed, errors);
    }

    private async Task<(HashSet<string> Kernel, HashSet<string> Linnet, string Errors)> RunBothAsync(string[] names)
    {
        string program = $"exec {Interpreter} -B {RealLab.Programs}/python-suite.py {Seconds} {string.Join(' ', names.Select(name => $"'{name}'"))}";
        Task<LabOutcome> onLinnet = lab.UpAsync($"""
            hosts:
              one:
                run: {lab.Script("linnet", $"mkdir -p linnet; cd linnet; {program} > outcomes 2> errors")}
            egress: false
            """, 120);
        using Process onKernel = Process.Start("sh", ["-c", $"cd {lab.Folder}; mkdir -p kernel; cd kernel; {program} > outcomes 2> errors"]);
        await onKernel.WaitForExitAsync(TestContext.Current.CancellationToken);
        await onLinnet;

        // What Linnet says it lacks, as IPv6, is skipped there.
        HashSet<string> passed = With("ok", "kernel");
        passed.ExceptWith(With("skipped", "linnet"));
        return (passed, With("ok", "linnet"), lab.Read("linnet/errors"));
    }

    private HashSet<string> With(string outcome, string folder) =>
    [
        .. lab.Read($"{folder}/outcomes").Split('\n').Select(line => line.Split(' ', 2)).Where(words => words[0] == outcome).Select(words => words[1]),
    ];
}

/// <summary>The tests of Python's that are known not to pass on Linnet (<c>docs/python-tests.txt</c>).</summary>
internal sealed class PythonDifferences
{
    private readonly List<(string Pattern, bool Always)> entries = [];

    public PythonDifferences(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            if (line.Length > 0 && line[0] != '#')
                entries.Add((line.Split(' ', 2)[0].TrimStart('?'), line[0] != '?'));
        }
    }

    /// <summary>Whether a test is known to fail, or to fail at times.</summary>
    public bool MayFail(string name) => entries.Exists(entry => FileSystemName.MatchesSimpleExpression(entry.Pattern, name));

    /// <summary>Whether a test is known to fail always.</summary>
    public bool HasToFail(string name) => entries.Exists(entry => entry.Always && FileSystemName.MatchesSimpleExpression(entry.Pattern, name));
}
