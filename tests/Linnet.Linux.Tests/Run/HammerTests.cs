namespace Linnet.Linux.Tests.Run;

/// <summary>Programs whose calls have bad pointers, lengths and vectors.</summary>
[Collection<Alone>]
public sealed class HammerTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Each_call_returns_what_it_does_on_the_host(int seed)
    {
        using ProgramLab lab = new();
        string command = $"python3 {ProgramLab.Programs}/hammer.py {seed} 2500";
        (int hostStatus, string onHost) = await ProgramLab.RunOnHostAsync(command);
        (int status, string onLinnet) = await lab.RunAsync(lab.One, command);
        Assert.True(hostStatus == 0, onHost);
        Assert.Equal(onHost.Split('\n'), onLinnet.Split('\n'));
        Assert.Equal(0, status);
        Assert.Contains("EFAULT", onHost);
    }
}
