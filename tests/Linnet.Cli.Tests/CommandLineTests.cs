using Linnet.Testing;

namespace Linnet.Cli.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData]
    [InlineData("nonsense")]
    [InlineData("symbols", "--nonsense")]
    [InlineData("symbols", "one", "two")]
    public async Task Wrong_usage_is_answered_in_one_line_with_status_2(params string[] args)
    {
        var run = await CliRun.RunAsync(args);
        Assert.Equal(2, run.Status);
        Assert.Empty(run.Output);
        string line = Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("linnet: ", line);
        Assert.Contains("--help", line);
    }

    [Fact]
    public async Task Help_lists_the_commands()
    {
        var run = await CliRun.RunAsync("--help");
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("symbols", run.Output);
    }

    [Fact]
    public async Task Symbols_finds_where_a_function_is()
    {
        var run = await CliRun.RunAsync("symbols", "try_module_get");
        Assert.Equal(0, run.Status);
        Assert.Matches(@"^try_module_get  kernel/module\S*  Module\.TryModuleGet  src/Linnet\.Kernel/Kernel/Module\.cs:\d+$",
            Assert.Single(run.Lines));
    }

    [Theory]
    [InlineData("$LINNET symbols tcp_sendmsg > /dev/full", 1, "linnet: No space left on device\n")]
    [InlineData("$LINNET symbols tcp_sendmsg >&-", 1, "linnet: Bad file descriptor\n")]
    [InlineData("$LINNET run -- no-such-program 2>&-", 127, "")]
    [InlineData("$LINNET run -- sh -c 'exit 4' >&- 2>&-", 4, "")]
    public async Task Output_that_cannot_be_written_is_told_where_it_can(string script, int status, string error) =>
        Assert.Equal((status, "", error), await RealRun.StartShell(script).EndAsync());

    [Fact]
    public async Task Symbols_says_when_there_is_none()
    {
        var run = await CliRun.RunAsync("symbols", "no_such_function");
        Assert.Equal(1, run.Status);
        Assert.StartsWith("linnet: no function", run.Error);
    }
}
