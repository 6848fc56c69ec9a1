using System.Diagnostics;
using Linnet.Cli;

namespace Linnet.Programs.Tests;

/// <summary><c>linnet run</c> needs no rights: here it is the user nobody that runs it.</summary>
public sealed class UnprivilegedTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Nobody_runs_programs_that_open_ports_below_1024()
    {
        Need.Programs("setpriv", "python3", "curl");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "becoming another user needs root");
        using RealLab lab = new();
        string own = Path.GetDirectoryName(typeof(Terminal).Assembly.Location)!;
        foreach (string file in Directory.GetFiles(own))
            File.Copy(file, Path.Combine(lab.Folder, Path.GetFileName(file)));
        string runtime = Path.GetFullPath(Path.Combine(System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory(), "../../.."));
        lab.Write("site/index.html", "a page of nobody's\n");
        string[] command =
        [
            "--reuid=65534", "--regid=65534", "--clear-groups", "--",
            Path.Combine(runtime, "dotnet"), Path.Combine(lab.Folder, "Linnet.Cli.dll"), "run", "--",
            "sh", "-c", $"/usr/bin/python3 -m http.server -d {lab.Folder}/site 80 >/dev/null 2>&1 & server=$!; "
                + "curl -s --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1/index.html; id -u; kill $server",
        ];
        using Process process = Process.Start(new ProcessStartInfo("setpriv", command)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = lab.Folder,
            Environment = { ["HOME"] = lab.Folder },
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Limit);
        Assert.SkipWhen(output.Length == 0 && (await errors).Contains("denied"), "nobody may not read the .NET runtime here");
        Assert.Equal("a page of nobody's\n65534\n", output);
    }
}
