using System.Diagnostics;
using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Linux.Tests.Run;

namespace Linnet.Programs.Tests;

/// <summary>Many connections that are open at once: 1,000, or 4,000 with <c>LINNET_SOAK=1</c> in the environment.</summary>
public sealed class ManyConnectionsTests : IDisposable
{
    private static readonly int Count = Environment.GetEnvironmentVariable("LINNET_SOAK") == "1" ? 4000 : 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    private readonly RealLab folder = new();

    public ManyConnectionsTests()
    {
        Need.Programs("nginx", "python3");
        folder.Write("html/index.html", "a page of nginx\n");
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task All_carry_data_and_nothing_is_left_of_them()
    {
        using ProgramLab lab = new();
        lab.Start(lab.One, Nginx.Configure(folder, "web", "listen 80 backlog=4096; keepalive_timeout 600;"));
        await UntilAsync(() => InUse(lab.One) > 0);
        (int listeners, int descriptors) = (InUse(lab.One), OwnSockets());
        string signal = Path.Combine(folder.Folder, "signal");
        (LinuxProgram client, string output) = lab.Start(lab.Two, $"exec python3 {RealLab.Programs}/many.py 10.0.0.1 {Count} {signal}");
        await UntilAsync(() => File.ReadAllText(output).Length > 0);
        Assert.Equal($"{Count} open\n", await File.ReadAllTextAsync(output));
        Assert.Equal((listeners + Count, Count), (InUse(lab.One), InUse(lab.Two)));

        folder.Write("signal", "");
        Assert.Equal(0, await client.Ended.WaitAsync(Limit));
        Assert.Equal($"{Count} open\n{Count} answered\n", await File.ReadAllTextAsync(output));
        await UntilAsync(() => (InUse(lab.One), InUse(lab.Two)) == (listeners, 0) && OwnSockets() == descriptors);
        Assert.Equal((0, 0), (Sockstat(lab.One, "orphan"), Sockstat(lab.Two, "orphan")));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < Limit, "it did not come about");
            await Task.Delay(20);
        }
    }

    private static int InUse(Host host) => Sockstat(host, "inuse");

    // A number of the line of TCP in /proc/net/sockstat.
    private static int Sockstat(Host host, string name)
    {
        ProcNet.Of(host.Network.Machine).Read(host.Namespace, "sockstat", out string text);
        string[] words = text.Split('\n').Single(line => line.StartsWith("TCP:")).Split(' ');
        return int.Parse(words[Array.IndexOf(words, name) + 1], CultureInfo.InvariantCulture);
    }

    // The supervisor's ends of the programs' sockets are this process's.
    private static int OwnSockets() =>
        Directory.GetFileSystemEntries("/proc/self/fd").Count(fd => new FileInfo(fd).LinkTarget?.StartsWith("socket:") == true);
}
