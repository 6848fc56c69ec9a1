using System.Diagnostics;

namespace Linnet.Programs.Tests;

/// <summary>A static program of Go's: system calls without a C library, threads of its own, its own resolver.</summary>
public sealed class GoTests : IDisposable
{
    private static readonly TimeSpan BuildLimit = TimeSpan.FromSeconds(120);

    private readonly RealLab lab = new();

    public GoTests() => Need.Programs("go");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task A_static_binary_serves_and_asks_with_many_goroutines()
    {
        string hello = await BuildAsync();
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: [{hello}, server]
              client:
                wait_for: ['web:80']
                run: [{hello}, client]
            """);
        Assert.Equal(
        [
            "names: [10.0.0.1] <nil>",
            "http: 1000 times 10000 bytes from 10.0.0.2",
            "udp: all echoed, then true",
            "refused: true",
            "timeout: true",
        ], outcome.Succeeded().Of("client"));
    }

    // Only the standard library is needed; nothing may be fetched, and nothing is left behind.
    private async Task<string> BuildAsync()
    {
        string hello = Path.Combine(lab.Folder, "hello");
        ProcessStartInfo start = new("go", ["build", "-o", hello, "main.go"])
        {
            WorkingDirectory = Path.Combine(RealLab.Programs, "hello"),
            RedirectStandardError = true,
        };
        start.Environment["CGO_ENABLED"] = "0";
        start.Environment["GO111MODULE"] = "off";
        start.Environment["GOFLAGS"] = "";
        start.Environment["GOPROXY"] = "off";
        start.Environment["GOTOOLCHAIN"] = "local";
        start.Environment["GOPATH"] = Path.Combine(lab.Folder, "go");
        start.Environment["GOCACHE"] = Path.Combine(lab.Folder, "cache");
        using Process build = Process.Start(start)!;
        string errors = await build.StandardError.ReadToEndAsync().WaitAsync(BuildLimit);
        await build.WaitForExitAsync().WaitAsync(BuildLimit);
        Assert.True(build.ExitCode == 0, errors);
        return hello;
    }
}
