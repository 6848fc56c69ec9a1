using Linnet.Testing;

namespace Linnet.Cli.Tests;

public sealed class PacketdrillCommandTests : IDisposable
{
    private const string Passing = """
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        +0 bind(3, ..., ...) = 0
        +0 listen(3, 1) = 0
        +0 < S 0:0(0) win 1000 <mss 1000>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 1000
        +0 accept(3, ..., ...) = 4
        +1 %{ print(tcpi_state) }%
        """;

    private readonly DirectoryInfo directory = Directory.CreateTempSubdirectory();

    public void Dispose() => directory.Delete(recursive: true);

    private string Write(string name, string text)
    {
        string path = Path.Combine(directory.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    [Fact]
    public async Task A_script_that_goes_as_written_prints_what_its_code_prints()
    {
        CliRun run = await CliRun.RunAsync("packetdrill", Write("a.pkt", Passing));
        Assert.Equal((0, "1\n", ""), (run.Status, run.Output, run.Error));
    }

    [Fact]
    public async Task A_script_that_does_not_is_named_with_its_line_and_both_packets()
    {
        string path = Write("a.pkt", Passing.Replace("<mss 1460>", "<mss 1400>"));
        CliRun run = await CliRun.RunAsync("packetdrill", path);
        Assert.Equal(1, run.Status);
        Assert.StartsWith($"{path}:5: error handling packet: ", run.Error);
        Assert.Contains("mss 1400", run.Error);
        Assert.Contains("mss 1460", run.Error);
        Assert.Contains("tcp_v4_send_synack", run.Output);
    }

    [Fact]
    public async Task Options_are_packetdrills_and_win_over_the_scripts()
    {
        string path = Write("a.pkt", "--mtu=1300\n" + Passing.Replace("listen(3, 1)", "listen(FD, 1)").Replace("mss 1460", "mss 960"));
        CliRun run = await CliRun.RunAsync("packetdrill", "--mtu=1000", "-D", "FD=3", "-v", path);
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("passed", run.Output);
        Assert.Matches(@"outbound.* packet: .* S\. \d+:\d+\(0\) ack 1 win \d+ <mss 960>", run.Output);
    }

    [Fact]
    public async Task A_dry_run_reads_only()
    {
        Assert.Equal(0, (await CliRun.RunAsync("packetdrill", "--dry_run", Write("a.pkt", "0 nothing(3) = 5"))).Status);
        CliRun run = await CliRun.RunAsync("packetdrill", "--dry_run", Write("b.pkt", "0 nothing"));
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.EndsWith("b.pkt:1: parse error at 'end of file' (column 10): expected '('\n", run.Error);
    }

    [Fact]
    public async Task A_report_compares_with_Linux()
    {
        Write("a.pkt", Passing);
        Write("b.pkt", Passing.Replace("1460", "1400"));
        Write("c.pkt", Passing.Replace("1460", "1400"));
        Write("d-v6.pkt", "0 nothing");
        string table = Write("expected.tsv",
            "script\tmode\tk6.18_any\tk7.3.4_any\tcause\na.pkt\tv4\tTrue\tTrue\t\nb.pkt\tv4\tFalse\tTrue\t\nc.pkt\tv4\tFalse\tFalse\told\n");
        string page = Write("page.md", "Text.\n");

        CliRun run = await CliRun.RunAsync(
            "packetdrill", "--report", "--expected", table, "--markdown", page, "--jobs", "2", directory.FullName);

        Assert.Equal(1, run.Status);
        Assert.Equal(["pass", "FAIL", "fail", "3", "of"], run.Lines.Select(line => line.Split(' ')[0]));
        Assert.Equal("3 scripts: 1 passed, 2 failed", run.Lines[3]);
        Assert.Equal("of the 2 that Linux 6.18 or Linux 7.3.4 passes, 1 pass here", run.Lines[4]);
        string written = File.ReadAllText(page);
        Assert.StartsWith("Text.\n<!-- results", written);
        Assert.Contains("| **all** | 3 | 1 | 2 | 1 |", written);
        Assert.Contains("| `a.pkt` | pass | pass | pass |", written);
        Assert.Contains("| `b.pkt` | fail | pass | **fail** | line 5: ", written);
        Assert.Contains("; Linux: old |", written);

        await CliRun.RunAsync("packetdrill", "--expected", table, "--markdown", page, directory.FullName);
        Assert.Equal(written, File.ReadAllText(page));
    }

    [Fact]
    public async Task What_cannot_be_done_is_said()
    {
        string path = Write("a.pkt", Passing);
        CliRun run = await CliRun.RunAsync("packetdrill", Path.Combine(directory.FullName, "none"));
        Assert.Equal(1, run.Status);
        Assert.StartsWith("linnet: there is no file ", run.Error);
        run = await CliRun.RunAsync("packetdrill", "--wire_client", path);
        Assert.Equal((1, "Command Line: option 'wire_client' is not offered: there is no wire to a second machine\n"), (run.Status, run.Error));
        run = await CliRun.RunAsync("packetdrill", "--mtu=x", path);
        Assert.Equal((1, "Command Line: bad --mtu: x\n"), (run.Status, run.Error));
        Assert.Equal(2, (await CliRun.RunAsync("packetdrill", "--nothing", path)).Status);
    }
}
