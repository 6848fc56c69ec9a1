using Linnet.Packetdrill.Reporting;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

public sealed class ScriptSuiteTests : IDisposable
{
    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory();

    public void Dispose() => directory.Delete(recursive: true);

    private string Write(string name, string text)
    {
        string path = Path.Combine(directory.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private static SuiteEntry Run(string path, params OptionSetting[] options) =>
        Assert.Single(ScriptSuite.Run([path], options, 1));

    [Fact]
    public void Init_scripts_and_the_initial_command_run_in_order()
    {
        Write("one.sh", "sysctl -q net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_sack=0\n");
        Write("two.sh", "sysctl -q net.ipv4.tcp_timestamps=0\n");
        string path = Write("a.pkt", """
            `sysctl -q net.ipv4.tcp_sack=1`
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <mss 1460,nop,nop,sackOK>
            """);

        Assert.Null(Run(path, new OptionSetting("init_scripts", "one.sh, two.sh")).Result.Error);
        Assert.Contains("none.sh: not found", Run(path, new OptionSetting("init_scripts", "none.sh")).Result.Error);
    }

    [Fact]
    public void The_cleanup_command_runs_in_any_case_and_its_failure_counts()
    {
        Assert.Contains("error executing `false` command", Run(Write("a.pkt", "0 `true`\n`false`")).Result.Error);
        SuiteEntry entry = Run(Write("b.pkt", "0 `cat /first`\n`cat /second`"));
        Assert.Contains("/first", entry.Result.Error);
        Assert.Equal("line 1: error executing `cat /first` command: non-zero status 1: cat: /first: No such file or directory", entry.Failure);
    }

    [Fact]
    public void A_command_may_let_time_pass()
    {
        SuiteEntry entry = Run(Write("a.pkt", """
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <...>
            +0 `sleep 0.5`
            +.5 > S 0:0(0) <...>
            """));
        Assert.Null(entry.Result.Error);
        Assert.Equal(1.0, entry.Result.VirtualTime.TotalSeconds, 0.01);
    }

    [Fact]
    public void Scripts_do_not_see_each_other()
    {
        string[] paths = [.. Enumerable.Range(0, 20).Select(i => Write($"{i:00}.pkt", $"""
            0 `grep -q 1 /proc/sys/net/ipv4/tcp_sack && sysctl -q net.ipv4.tcp_sack=0`
            {(i == 13 ? "+0 `false`" : "+0 `true`")}
            """))];
        List<string> finished = [];

        IReadOnlyList<SuiteEntry> entries = ScriptSuite.Run(paths, [], 4, entry => finished.Add(entry.Path));

        Assert.Equal(paths, finished);
        Assert.Equal(paths, entries.Select(entry => entry.Path));
        Assert.Equal(paths[13], Assert.Single(entries, entry => !entry.Passed).Path);
    }
}
