using System.Diagnostics;
using System.Text.RegularExpressions;
using Linnet.Testing;

namespace Linnet.Programs.Tests;

/// <summary><c>ss</c>, which asks by netlink.</summary>
public sealed partial class SsTests : IDisposable
{
    // A listener, a connection to it on which something is unread, a UDP socket, and one that is only bound.
    private const string Sockets = """
        import socket, subprocess, sys
        l = socket.socket(); l.setsockopt(1, 2, 1); l.bind(('127.0.0.1', 80)); l.listen(7)
        c = socket.create_connection(('127.0.0.1', 80)); s, _ = l.accept(); c.send(b'abc'); s.recv(3, socket.MSG_PEEK)
        u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('127.0.0.1', 53))
        b = socket.socket(); b.bind(('127.0.0.1', 5000))
        for command in sys.argv[1:]:
            print('#', command)
            sys.stdout.flush()
            subprocess.run(command, shell=True, stderr=subprocess.STDOUT)
        """;

    private readonly RealLab lab = new();

    public SsTests() => Need.Programs("ss", "python3");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Prints_the_same_as_on_the_hosts_kernel()
    {
        Need.Programs("unshare", "ip", "netstat");
        if (Environment.UserName != "root")
            Assert.Skip("a network namespace needs root");
        string[] commands =
        [
            "ss -Htan", "ss -Huan", "ss -Htuln", "ss -Htan state established", "ss -Htln sport = :80", "ss -Htln sport = :81",
            "ss -Htan dst 127.0.0.0/8 and sport gt :1000", "ss -Htan not sport = :80 or dport = :80", "ss -Htan autobound",
            "ss -Htane", "ss -Htanpi | grep -oE 'users|mss:[0-9]+'", "ss -Ht0a", "netstat -tan | tail -n +3", "ss -HKt dport = :80", "ss -Htan",
        ];
        string script = $"python3 {lab.Write("sockets.py", Sockets)} {string.Join(' ', commands.Select(command => $"\"{command}\""))}";
        string onHost = Alike(Run("unshare", "-n", "sh", "-c", $"ip link set lo up; {script}"));
        CliRun run = await CliRun.RunAsync("up", lab.Write("lab.yaml", $"hosts: {{one: {{run: [sh, -c, {Yaml(script)}]}}}}"));
        string onLinnet = Alike(string.Join('\n', run.Lines.Select(line => line.Split(" | ", 2)[1])));
        Assert.Contains("127.0.0.1:80", onHost);
        Assert.True(onHost == onLinnet, $"on the host:\n{onHost}\non Linnet:\n{onLinnet}{run.Error}");
    }

    [Fact]
    public async Task Names_the_programs_and_counts_the_sockets()
    {
        string script = lab.Write("sockets.py", Sockets);
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              one:
                run: python3 {script} 'ss -tlnpe' 'ss -s' 'ss -H' 'ss -E'
            """);
        string text = outcome.Succeeded().TextOf("one");
        Assert.Matches(@"LISTEN 0 +7 +127\.0\.0\.1:80 .*users:\(\(""python3"",pid=\d+,fd=3\)\) ino:\d+ sk:", text);
        Assert.Matches(@"TCP: +\d+ \(estab 2, closed \d+, orphaned 0, timewait 0\)", text);
        Assert.Contains("Cannot bind netlink socket: Operation not supported", text);
    }

    // Numbers differ from run to run, and the host lists in the order of its hashes.
    private static string Alike(string text) => string.Join('#', Differing().Replace(text, "").Replace(" ", "").Split('#')
        .Select(section => string.Join('\n', section.Split('\n').Order(StringComparer.Ordinal))));

    [GeneratedRegex(@"ino:\d+ sk:\S+|(?<=127\.0\.0\.1:)[3456]\d{4}|cgroup:\S+|mss:\d+|timer:\(\S+\)")]
    private static partial Regex Differing();

    private static string Yaml(string text) => $"'{text.Replace("'", "''")}'";

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output.TrimEnd('\n');
    }
}
