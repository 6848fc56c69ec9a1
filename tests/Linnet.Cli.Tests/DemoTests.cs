using Linnet.Testing;

namespace Linnet.Cli.Tests;

public class DemoTests
{
    [Fact]
    public async Task It_shows_the_call_the_packets_and_the_answer()
    {
        CliRun run = await CliRun.RunAsync("demo");
        Assert.Equal((0, ""), (run.Status, run.Error));
        string[] path =
        [
            "__sys_socket", "update_socket_protocol", "__sys_socket_create", "sock_create", "__sock_create", "security_socket_create",
            "sock_alloc", "inet_create", "sk_alloc", "sock_init_data", "tcp_v4_init_sock", "security_socket_post_create",
            "sock_map_fd", "get_unused_fd_flags", "sock_alloc_file", "fd_install",
        ];
        string[] lines = [.. run.Lines.Select(line => line.TrimStart())];
        int at = -1;
        foreach (string symbol in path)
        {
            at = Array.FindIndex(lines, at + 1, line => line.StartsWith(symbol + "(", StringComparison.Ordinal));
            Assert.True(at >= 0, $"{symbol} is missing or out of order");
        }

        int syn = Array.FindIndex(lines, line => line.Contains("Flags [S]", StringComparison.Ordinal));
        Assert.Contains("SYN-SENT", lines[syn]);
        Assert.Contains("LISTEN", lines[syn]);
        Assert.Contains(lines, line => line.Contains("ESTABLISHED", StringComparison.Ordinal));
        Assert.Contains("HTTP/1.1 200 OK", lines);
        Assert.Contains(lines, line => line.StartsWith("linnet trace ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_shows_the_same_each_time()
    {
        CliRun first = await CliRun.RunAsync("demo"), second = await CliRun.RunAsync("demo");
        Assert.Equal(first.Output, second.Output);
    }

    [Fact]
    public async Task The_packets_can_be_captured()
    {
        string file = Path.GetTempFileName();
        try
        {
            CliRun run = await CliRun.RunAsync("demo", "--pcap", file);
            Assert.Equal(0, run.Status);
            Assert.True(File.ReadAllBytes(file).AsSpan().IndexOf("GET / HTTP/1.1"u8) > 0);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_capture_that_cannot_be_written_is_one_line_and_status_1()
    {
        CliRun run = await CliRun.RunAsync("demo", "--pcap", "/no/such/directory/file.pcapng");
        Assert.Equal((1, ""), (run.Status, run.Output));
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
    }
}
