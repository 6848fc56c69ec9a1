namespace Linnet.Linux.Tests.Run;

/// <summary>Programs of the computer's with Linnet's sockets.</summary>
public class SupervisedProgramTests
{
    [Fact]
    public async Task A_program_sees_the_same_as_on_the_hosts_kernel()
    {
        using ProgramLab lab = new();
        string command = $"python3 {ProgramLab.Programs}/sockets.py";
        (int hostStatus, string onHost) = await ProgramLab.RunOnHostAsync(command);
        (int status, string onLinnet) = await lab.RunAsync(lab.One, command);
        Assert.Equal(0, hostStatus);
        Assert.True(onHost == onLinnet, $"on the host:\n{onHost}\non Linnet:\n{onLinnet}");
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
        while (!(await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken)).Contains("up"))
            await Task.Yield();
        program.Signal(SIGKILL);
        Assert.Equal(128 + 9, await program.Ended);
        (int status, string said) = await lab.RunAsync(lab.One, "python3 -c 'import socket; s = socket.socket(); s.bind((\"\", 7000)); s.listen(); print(\"bound\")'");
        Assert.Equal("bound\n", said);
        Assert.Equal(0, status);
    }
}
