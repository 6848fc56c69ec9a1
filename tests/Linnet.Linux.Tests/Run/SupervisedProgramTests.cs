using System.Diagnostics;

namespace Linnet.Linux.Tests.Run;

/// <summary>Programs of the computer's with Linnet's sockets.</summary>
public class SupervisedProgramTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("sockets.py")]
    [InlineData("edges.py")]
    [InlineData("memory.py")]
    [InlineData("numbers.py")]
    [InlineData("killed.py")]
    [InlineData("threads.py")]
    [InlineData("devices.py")]
    [InlineData("blocked.py")]
    [InlineData("halves.py")]
    public async Task A_program_sees_the_same_as_on_the_hosts_kernel(string program)
    {
        using ProgramLab lab = new();
        string command = $"python3 {ProgramLab.Programs}/{program}";
        (int hostStatus, string onHost) = await ProgramLab.RunOnHostAsync(command);
        (int status, string onLinnet) = await lab.RunAsync(lab.One, command);
        Assert.Equal(0, hostStatus);
        Assert.True(onHost == onLinnet, $"on the host:\n{onHost}\non Linnet (status {status}):\n{onLinnet}");
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task Curl_reads_from_a_server_on_another_host()
    {
        using ProgramLab lab = new();
        lab.Start(lab.One, $"python3 -m http.server -d {ProgramLab.Programs} 80");
        (int status, string output) = await lab.RunAsync(
            lab.Two, "curl -s --retry 20 --retry-connrefused --retry-delay 1 http://10.0.0.1/sockets.py");
        Assert.Equal(await File.ReadAllTextAsync($"{ProgramLab.Programs}/sockets.py", TestContext.Current.CancellationToken), output);
        Assert.Equal(0, status);
    }

    [Theory]
    [InlineData("exit 7", 7)]
    [InlineData("kill -TERM $$", 128 + 15)]
    [InlineData("(exit 3)", 3)]
    public async Task The_exit_status_is_the_programs(string command, int expected)
    {
        using ProgramLab lab = new();
        (int status, _) = await lab.RunAsync(lab.One, command);
        Assert.Equal(expected, status);
    }

    [Fact]
    public async Task Sockets_of_a_killed_program_are_gone()
    {
        using ProgramLab lab = new();
        (LinuxProgram program, string output) = lab.Start(
            lab.One, "exec python3 -c 'import socket, time; s = socket.socket(); s.bind((\"\", 7000)); s.listen(); print(\"up\", flush=True); time.sleep(99)'");
        Stopwatch waited = Stopwatch.StartNew();
        while (!(await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken)).Contains("up"))
        {
            Assert.True(waited.Elapsed < Limit, "the program did not come up");
            await Task.Yield();
        }

        program.Signal(SIGKILL);
        Assert.Equal(128 + 9, await program.Ended.WaitAsync(Limit, TestContext.Current.CancellationToken));
        (int status, string said) = await lab.RunAsync(lab.One, "python3 -c 'import socket; s = socket.socket(); s.bind((\"\", 7000)); s.listen(); print(\"bound\")'");
        Assert.Equal("bound\n", said);
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task What_a_program_started_does_not_outlive_the_supervisor()
    {
        using Process supervisor = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "Linnet.Cli"),
            ["run", "--", "sh", "-c", "sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        List<int> children = [];
        for (int i = 0; i < 2; i++)
            children.Add(int.Parse((await supervisor.StandardOutput.ReadLineAsync().WaitAsync(Limit))!));
        supervisor.Kill();
        await supervisor.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Limit);
        Stopwatch waited = Stopwatch.StartNew();
        while (children.Exists(IsRunning))
        {
            Assert.True(waited.Elapsed < Limit, $"{string.Join(' ', children)} still run");
            await Task.Yield();
        }
    }

    // A zombie, which nobody may have looked at yet, has ended.
    private static bool IsRunning(int pid)
    {
        try
        {
            return !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
