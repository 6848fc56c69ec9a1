using System.Diagnostics;
using System.Runtime.InteropServices;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Wire;

/// <summary><c>linnet serve</c> as a program of its own, and the host's curl, whose TCP is the host kernel's.</summary>
public sealed partial class ServeTests : IDisposable
{
    private const int SIGINT = 2;

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-serve-");
    private readonly byte[] large = new byte[5_000_000];

    public ServeTests()
    {
        new Random(23).NextBytes(large);
        File.WriteAllBytes(Path.Combine(root.FullName, "large.bin"), large);
        File.WriteAllText(Path.Combine(root.FullName, "small.txt"), "small\n");
    }

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public void Curl_gets_files_over_a_TAP_device()
    {
        using HostNamespace host = HostNamespace.CreateOrSkip();
        string capture = Path.Combine(root.FullName, "wire.pcapng");
        Process serve = Serve(host, "--tap", "lt0", "--pcap", capture);
        Assert.Equal("http://192.0.2.2/", serve.StandardOutput.ReadLine());

        Assert.Equal("small\n", host.Run("curl", "-sf", "http://192.0.2.2/small.txt").ThrowIfFailed().Output);
        string copy = Path.Combine(root.FullName, "copy.bin");
        host.Run("curl", "-sf", "-o", copy, "http://192.0.2.2/large.bin").ThrowIfFailed();
        Assert.Equal(large, File.ReadAllBytes(copy));
        Assert.Contains(" GET /small.txt 200 6", serve.StandardOutput.ReadLine());

        End(serve);
        Assert.NotEqual(0, host.Run("ip", "link", "show", "lt0").ExitCode);
        CheckCapture(capture);
    }

    [Fact]
    public void Curl_gets_files_through_a_published_port()
    {
        using HostNamespace host = HostNamespace.CreateOrSkip();
        Process serve = Serve(host, "--publish", "8080:80");
        Assert.Equal("http://127.0.0.1:8080/", serve.StandardOutput.ReadLine());
        string copy = Path.Combine(root.FullName, "copy.bin");
        host.Run("curl", "-sf", "-o", copy, "http://127.0.0.1:8080/large.bin").ThrowIfFailed();
        Assert.Equal(large, File.ReadAllBytes(copy));
        End(serve);
    }

    private Process Serve(HostNamespace host, params string[] options) =>
        host.Start(Path.Combine(AppContext.BaseDirectory, "Linnet.Cli"), ["serve", root.FullName, .. options]);

    // "ip netns exec" becomes the program that it runs, so this is what Ctrl-C does.
    private static void End(Process serve)
    {
        Assert.Equal(0, Kill(serve.Id, SIGINT));
        Assert.True(serve.WaitForExit(TimeSpan.FromSeconds(20)), "it goes on after Ctrl-C");
        Assert.Equal(0, serve.ExitCode);
    }

    private static void CheckCapture(string capture)
    {
        HostNamespace.Result all = HostNamespace.Execute("tshark", "-r", capture, "-Y", "tcp", "-T", "fields", "-e", "frame.number");
        Assert.True(all.ThrowIfFailed().Output.Split('\n').Length > 100);

        // The host kernel leaves checksums to its device, which is Linnet: only what Linnet sent has to be right here.
        HostNamespace.Result bad = HostNamespace.Execute(
            "tshark", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-r", capture, "-Y",
            "_ws.malformed || (ip.src == 192.0.2.2 && (tcp.checksum.status == 0 || ip.checksum.status == 0))");
        Assert.Equal("", bad.ThrowIfFailed().Output);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int pid, int signal);
}
