using Linnet.Kernel.Net.Sched;

namespace Linnet.Linux.Tests.Run;

/// <summary>Programs that write to a connection at the moment when it is there.</summary>
public sealed class EagerProgramTests
{
    [Fact]
    public async Task Nothing_of_it_is_lost()
    {
        using ProgramLab lab = new();
        lab.Link.One.Emulate(new NetemOptions { Delay = TimeSpan.FromMilliseconds(2) });
        using LinnetSocket listener = lab.Two.Listen(7);
        using CancellationTokenSource stop = new();
        Task echo = EchoAsync(listener, stop.Token);
        (int status, string output) = await lab.RunAsync(lab.One, $"python3 {ProgramLab.Programs}/eager.py 10.0.0.2");
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => echo);
        Assert.Equal("500 of 500 came back\n", output);
        Assert.Equal(0, status);
    }

    private static async Task EchoAsync(LinnetSocket listener, CancellationToken stop)
    {
        while (true)
        {
            LinnetSocket connection = await listener.AcceptAsync(stop);
            _ = Task.Run(
                async () =>
                {
                    await using LinnetStream stream = connection.GetStream();
                    await stream.CopyToAsync(stream, stop);
                },
                stop);
        }
    }
}
