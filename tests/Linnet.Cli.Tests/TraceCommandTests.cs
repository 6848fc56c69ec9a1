using System.Text.Json;
using Linnet.Testing;

namespace Linnet.Cli.Tests;

public class TraceCommandTests
{
    private static readonly string[] PathOfSocket =
    [
        "__sys_socket", "update_socket_protocol", "__sys_socket_create", "sock_create", "__sock_create", "security_socket_create",
        "sock_alloc", "inet_create", "sk_alloc", "sock_init_data", "tcp_v4_init_sock", "security_socket_post_create",
        "sock_map_fd", "get_unused_fd_flags", "sock_alloc_file", "fd_install",
    ];

    [Fact]
    public async Task The_path_of_socket_is_the_one_that_the_article_follows()
    {
        CliRun run = await CliRun.RunAsync("trace", "socket(AF_INET, SOCK_STREAM, 0)");
        Assert.Equal((0, ""), (run.Status, run.Error));
        string[] functions = [.. run.Lines.Select(l => l.TrimStart().Split('(')[0])];
        Assert.Equal(PathOfSocket, functions.Where(PathOfSocket.Contains).Distinct());
        Assert.Equal("socket(AF_INET, SOCK_STREAM, 0) = 3", run.Lines[0]);
        string create = run.Lines.Single(l => l.TrimStart().StartsWith("inet_create(", StringComparison.Ordinal));
        Assert.EndsWith("net/ipv4/af_inet.c", create);
        Assert.Contains("protocol: IPPROTO_IP, kern: false) = 0", create);
    }

    [Fact]
    public async Task Depth_cuts_the_tree_and_says_what_is_hidden()
    {
        CliRun run = await CliRun.RunAsync("trace", "socket(AF_INET, SOCK_STREAM, 0)", "--depth", "2");
        Assert.Equal(3, run.Lines.Length);
        Assert.Matches(@"^  __sys_socket\(.* = 3  net/socket\.c  \+\d+ calls$", run.Lines[2]);
    }

    [Fact]
    public async Task A_policy_refuses_and_says_by_which_rule()
    {
        string path = Path.Combine(Path.GetTempPath(), $"linnet-{Guid.NewGuid():N}.policy");
        try
        {
            await File.WriteAllTextAsync(path, "deny program=nc operation=create family=inet type=raw\n", TestContext.Current.CancellationToken);
            const string Program = "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)";
            CliRun other = await CliRun.RunAsync("trace", Program, "--policy", path);
            CliRun nc = await CliRun.RunAsync("trace", Program, "--policy", path, "--comm", "nc");
            Assert.EndsWith(" = 3", other.Lines[0]);
            Assert.EndsWith(" = -1 EACCES (Permission denied)", nc.Lines[0]);
            Assert.Contains(nc.Lines, l => l.StartsWith("refused in security_socket_create (security/security.c)", StringComparison.Ordinal));
            Assert.StartsWith("policy: nc[", nc.Lines[^1]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public async Task A_refused_call_shows_where_and_what_was_undone()
    {
        CliRun run = await CliRun.RunAsync("trace", "socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)");
        Assert.Equal(0, run.Status);
        Assert.Equal("socket(AF_INET, SOCK_STREAM, IPPROTO_UDP) = -1 EPROTONOSUPPORT (Protocol not supported)", run.Lines[0]);
        Assert.StartsWith("refused in inet_create (net/ipv4/af_inet.c); then undone: module_put, sock_release", run.Lines[^1]);
    }

    [Fact]
    public async Task A_program_without_capabilities_is_refused_raw_sockets()
    {
        const string Program = "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)";
        Assert.Contains("= 3", (await CliRun.RunAsync("trace", Program)).Lines[0]);
        Assert.Contains("= -1 EPERM (Operation not permitted)", (await CliRun.RunAsync("trace", Program, "--drop-caps")).Lines[0]);
        Assert.Contains("= -1 EPERM (Operation not permitted)", (await CliRun.RunAsync("trace", Program, "--uid", "1000")).Lines[0]);
    }

    [Fact]
    public async Task A_connection_over_loopback_carries_data_both_ways()
    {
        CliRun run = await CliRun.RunAsync("trace", """
            s = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); bind(s, 127.0.0.1:80); listen(s, 5)
            c = socket(AF_INET, SOCK_STREAM, 0); connect(c, 127.0.0.1:80); a = accept(s)
            write(c, "hello\n"); read(a, 100)
            getpeername(c); getsockopt(c, SOL_SOCKET, SO_TYPE)
            shutdown(c, SHUT_WR); read(a, 100); close(a); close(c)
            """);
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("connect(c, 127.0.0.1:80) = 0", run.Lines);
        Assert.Contains(run.Lines, l => l.StartsWith("a = accept(s) = 5, from { .family: AF_INET, .port: ", StringComparison.Ordinal));
        Assert.Contains("write(c, \"hello\\n\") = 6", run.Lines);
        Assert.Contains("read(a, 100) = 6, \"hello\\n\"", run.Lines);
        Assert.Contains("getpeername(c) = 0, { .family: AF_INET, .port: 80, .addr: 127.0.0.1 }", run.Lines);
        Assert.Contains("getsockopt(c, SOL_SOCKET, SO_TYPE) = 0, 1", run.Lines);
        Assert.Contains("read(a, 100) = 0, \"\"", run.Lines);
    }

    [Fact]
    public async Task Packets_are_processed_in_softirqs_and_states_are_named()
    {
        CliRun run = await CliRun.RunAsync("trace", """
            s = socket(AF_INET, SOCK_STREAM, 0); bind(s, :80); listen(s); c = socket(AF_INET, SOCK_STREAM, 0); connect(c, 127.0.0.1:80)
            """);
        Assert.Contains(run.Lines, l => l.Contains("[softirq] ", StringComparison.Ordinal));
        Assert.Contains(run.Lines, l => l.Contains("tcp_set_state(", StringComparison.Ordinal) && l.Contains("TCP_ESTABLISHED", StringComparison.Ordinal));
        Assert.Contains(run.Lines, l => l.Contains("tcp_v4_rcv(", StringComparison.Ordinal));
        string[] packets = [.. run.Lines.Where(l => l.StartsWith("packet ", StringComparison.Ordinal))];
        Assert.Equal(3, packets.Length);
        Assert.Contains("> 127.0.0.1.80: Flags [S], seq ", packets[0]);
        Assert.Contains("Flags [S.]", packets[1]);
        Assert.Contains("Flags [.], ack 1,", packets[2]);
    }

    [Fact]
    public async Task A_call_that_nothing_can_wake_is_said_to_wait_for_ever()
    {
        CliRun run = await CliRun.RunAsync("trace", "s = socket(AF_INET, SOCK_DGRAM, 0); bind(s, :53); read(s, 10); close(s)");
        Assert.Equal(1, run.Status);
        Assert.Contains("read(s, 10) would wait for ever: nothing that the program started can wake it", run.Lines);
        Assert.DoesNotContain(run.Lines, l => l.StartsWith("close", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Descriptors_poll_and_epoll()
    {
        CliRun run = await CliRun.RunAsync("trace", """
            p = pipe(); write(p[1], "abc"); poll({p[0], POLLIN}); e = epoll_create1(EPOLL_CLOEXEC)
            epoll_ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN); epoll_wait(e); ioctl(p[0], FIONREAD); fcntl(p[0], F_GETFL); dup(p[0]); read(99, 1)
            write(1, "into nothing")
            """);
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("p = pipe() = 0, [3, 4]", run.Lines);
        Assert.Contains("poll({p[0], POLLIN}) = 1, 3: EPOLLIN", run.Lines);
        Assert.Contains("epoll_wait(e) = 1, 3: EPOLLIN", run.Lines);
        Assert.Contains("ioctl(p[0], FIONREAD) = 0, arg: 3", run.Lines);
        Assert.Contains("dup(p[0]) = 6", run.Lines);
        Assert.Contains("read(99, 1) = -1 EBADF (Bad file descriptor)", run.Lines);
        Assert.Contains("write(1, \"into nothing\") = 12", run.Lines);
    }

    [Fact]
    public async Task Json_has_calls_results_and_trees()
    {
        CliRun run = await CliRun.RunAsync("trace", "s = socket(AF_INET, SOCK_STREAM, 0); bind(s, 203.0.113.1:80)", "--json");
        Assert.Equal((0, ""), (run.Status, run.Error));
        JsonElement calls = JsonDocument.Parse(run.Output).RootElement.GetProperty("calls");
        Assert.Equal(2, calls.GetArrayLength());
        Assert.Equal(3, calls[0].GetProperty("result").GetInt64());
        JsonElement root = calls[0].GetProperty("trace")[0];
        Assert.Equal("net/socket.c", root.GetProperty("file").GetString());
        JsonElement family = root.GetProperty("args")[0];
        Assert.Equal(("family", "AF_INET", 2L),
            (family.GetProperty("name").GetString(), family.GetProperty("text").GetString(), family.GetProperty("value").GetInt64()));
        Assert.Equal("EADDRNOTAVAIL", calls[1].GetProperty("errno").GetString());
        Assert.False(string.IsNullOrEmpty(calls[1].GetProperty("refusedIn").GetString()));
    }

    [Fact]
    public async Task The_same_program_gives_the_same_text()
    {
        const string Program = "s = socket(AF_INET, SOCK_STREAM, 0); bind(s, :80); listen(s); c = socket(AF_INET, SOCK_STREAM, 0); connect(c, 127.0.0.1:80); sleep(10)";
        CliRun first = await CliRun.RunAsync("trace", Program, "--time", "--source");
        CliRun second = await CliRun.RunAsync("trace", Program, "--time", "--source");
        Assert.Equal(0, first.Status);
        Assert.Equal(first.Output, second.Output);
    }

    [Fact]
    public async Task Packets_are_written_as_pcapng()
    {
        string path = Path.Combine(Path.GetTempPath(), $"linnet-{Guid.NewGuid():N}.pcapng");
        try
        {
            CliRun run = await CliRun.RunAsync("trace", "s = socket(AF_INET, SOCK_DGRAM, 0); sendto(s, \"x\", 0, 127.0.0.1:9)", "--pcap", path);
            Assert.Equal(0, run.Status);
            byte[] capture = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
            Assert.Equal(0x0A0D0D0Au, BitConverter.ToUInt32(capture));
            Assert.True(capture.Length > 200);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("trace")]
    [InlineData("trace", "sockett()")]
    [InlineData("trace", "close(AF_NONSENSE)")]
    [InlineData("trace", "p = pipe(); close(p)")]
    [InlineData("trace", "close(1)", "--uid", "many")]
    [InlineData("trace", "close(1)", "--depth", "0")]
    [InlineData("trace", "close(1)", "--nonsense")]
    [InlineData("trace", "close(1)", "--policy", "/no/such/file")]
    public async Task Wrong_usage_is_one_line_and_status_2(params string[] args)
    {
        CliRun run = await CliRun.RunAsync(args);
        Assert.Equal(2, run.Status);
        Assert.StartsWith("linnet: ", Assert.Single(run.Error.TrimEnd('\n').Split('\n')));
    }
}
