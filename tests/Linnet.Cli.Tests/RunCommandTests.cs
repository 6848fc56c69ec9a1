using System.Net;
using System.Net.Sockets;
using Linnet.Testing;

namespace Linnet.Cli.Tests;

/// <summary><c>linnet run</c> as a user sees it.</summary>
public sealed class RunCommandTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-run-");

    public void Dispose() => root.Delete(recursive: true);

    [Theory]
    [InlineData(3, "run", "--", "sh", "-c", "exit 3")]
    [InlineData(3, "run", "sh", "-c", "exit 3")]
    [InlineData(3, "run", "--seed", "7", "--link", "delay 1ms", "--no-egress", "--trace", "calls", "sh", "-c", "test $1 = --watch && exit 3", "--", "--watch")]
    [InlineData(3, "run", "--seed=7", "--trace", "sh", "-c", "test $1 = -- && test $2 = --pcap && exit 3", "0", "--", "--pcap")]
    [InlineData(2, "run", "--nonsense", "sh", "-c", "exit 3")]
    [InlineData(127, "run", "--", "no-such-program")]
    [InlineData(126, "run", "--", "/etc/passwd")]
    [InlineData(2, "run")]
    [InlineData(2, "run", "--link", "delay 50xx", "--", "true")]
    [InlineData(2, "run", "--publish", "80", "--", "true")]
    [InlineData(2, "run", "--trace=everything", "--", "true")]
    [InlineData(2, "run", "--policy", "/no/such/file", "--", "true")]
    public async Task The_exit_status_says_what_happened(int expected, params string[] arguments)
    {
        CliRun run = await CliRun.RunAsync(arguments);
        Assert.Equal(expected, run.Status);
        Assert.Equal(expected == 3 ? 0 : 1, run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task A_program_gets_out_and_its_calls_are_shown()
    {
        using TcpListener outside = new(IPAddress.Loopback, 0);
        outside.Start();
        int port = ((IPEndPoint)outside.LocalEndpoint).Port;
        Task<string> served = ServeOnceAsync(outside);
        string page = Path.Combine(root.FullName, "page");
        FileInfo capture = new(Path.Combine(root.FullName, "out.pcapng"));
        CliRun run = await CliRun.RunAsync(
            "run", "--trace=calls", "--report", "--pcap", capture.FullName, "--", "curl", "-s", "-o", page, $"http://host.linnet:{port}/x");
        Assert.Equal(0, run.Status);
        Assert.Equal("from outside", await File.ReadAllTextAsync(page));
        Assert.StartsWith("GET /x ", await served.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Matches(@"curl\[\d+\] socket\(family: AF_INET, type: SOCK_STREAM.*\) = (\d+) <[\d.]+>\n(.*\n)*.*curl\[\d+\] connect\(fd: \1, .*\.port: " + port, run.Error);
        Assert.Contains("sent(fd: ", run.Error);
        Assert.Contains("\"GET /x HTTP/1.1\\r\\nHost: ", run.Error);
        Assert.Contains("received(fd: ", run.Error);
        Assert.Matches(@"\n  curl  sockets of AF_INET6( \(\d+ times\))?\n", run.Error);
        capture.Refresh();
        Assert.True(capture.Length > 1000);
    }

    [Fact]
    public async Task A_refusal_outside_is_one_inside()
    {
        using TcpListener closed = new(IPAddress.Loopback, 0);
        closed.Start();
        int port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        const int CouldNotConnect = 7, CouldNotResolve = 6;
        Assert.Equal(CouldNotConnect, (await CliRun.RunAsync("run", "--", "curl", "-s", "-m", "20", $"http://host.linnet:{port}/")).Status);
        Assert.Equal(CouldNotConnect, (await CliRun.RunAsync("run", "--no-egress", "--", "curl", "-s", "-m", "20", "http://192.0.2.1/")).Status);
        Assert.Equal(CouldNotResolve, (await CliRun.RunAsync("run", "--no-egress", "--", "curl", "-s", "-m", "20", "http://nowhere.test/")).Status);
    }

    [Fact]
    public async Task A_policy_holds_the_program()
    {
        string policy = Path.Combine(root.FullName, "policy");
        await File.WriteAllTextAsync(policy, "deny program=curl operation=connect port=81 name=not-there\n");
        CliRun run = await CliRun.RunAsync("run", "--policy", policy, "--", "curl", "-s", "-m", "20", "http://10.0.2.2:81/");
        Assert.Equal(7, run.Status);
        Assert.Contains("not-there", run.Error);
        Assert.Contains("may not connect 10.0.2.2:81", run.Error);
    }

    [Fact]
    public async Task A_report_says_which_program_asked_for_what()
    {
        const string Program = """
            import socket, fcntl
            s = socket.socket()
            def ask(what, *arguments):
                try: what(*arguments)
                except OSError as e: print(e.errno, end=' ')
            ask(s.setsockopt, socket.IPPROTO_TCP, 200, 1)
            ask(s.setsockopt, socket.IPPROTO_TCP, 200, 1)
            ask(socket.socket, socket.AF_INET6)
            ask(open, '/proc/net/ip_vs')
            ask(open, '/proc/sys/net/ipv4/ip_forward', 'w')
            ask(fcntl.ioctl, s, 0x8980, bytes(64))
            raise SystemExit(7)
            """;
        string output = Path.Combine(root.FullName, "output");
        CliRun run = await CliRun.RunAsync("run", "--report", "--", "sh", "-c", $"/usr/bin/python3 -c \"$0\" >{output}", Program);
        Assert.Equal(7, run.Status);
        Assert.Equal("92 92 97 2 13 25 ", await File.ReadAllTextAsync(output));
        Assert.Equal("""
            linnet: what programs asked for that Linnet lacks:
              python3  sockets of AF_INET6
              python3  socket option 200 at SOL_TCP (2 times)
              python3  ioctl SIOCADDDLCI
              python3  file /proc/net/ip_vs
              python3  file /proc/sys/net/ipv4/ip_forward (to write)

            """, run.Error);
    }

    [Theory]
    [InlineData("send", 55)]
    [InlineData("receive", 56)]
    public async Task A_policy_holds_data_too(string operation, int status)
    {
        using TcpListener outside = new(IPAddress.Loopback, 0);
        outside.Start();
        int port = ((IPEndPoint)outside.LocalEndpoint).Port;
        Task<string> served = ServeOnceAsync(outside);
        string policy = Path.Combine(root.FullName, "policy");
        await File.WriteAllTextAsync(policy, $"deny program=curl type=stream port={port} operation={operation} name=no-data\n");
        CliRun run = await CliRun.RunAsync("run", "--policy", policy, "--", "curl", "-s", "-m", "20", $"http://host.linnet:{port}/");
        Assert.Equal(status, run.Status);
        Assert.Matches($@"^linnet: policy: curl\[\d+\] may not {operation} 10.0.2.2:{port} \(inet stream tcp\): no-data\n$", run.Error);
        await Task.WhenAny(served);
    }

    [Fact]
    public async Task A_policy_that_lets_only_curl_connect_leaves_curl_all_that_it_needs()
    {
        using TcpListener outside = new(IPAddress.Loopback, 0);
        outside.Start();
        int port = ((IPEndPoint)outside.LocalEndpoint).Port;
        Task<string> served = ServeOnceAsync(outside);
        string policy = Path.Combine(root.FullName, "policy"), page = Path.Combine(root.FullName, "page");
        await File.WriteAllTextAsync(policy, "# only curl\nallow program=curl\ndefault deny errno=EPERM\n");
        string script = $"curl -s -m 20 -o {page} http://host.linnet:{port}/x && exec 2>{root.FullName}/nc && nc -z 10.0.2.2 {port}";
        CliRun run = await CliRun.RunAsync("run", "--policy", policy, "--", "sh", "-c", script);
        Assert.Equal(1, run.Status);
        Assert.Equal("from outside", await File.ReadAllTextAsync(page));
        Assert.StartsWith("GET /x ", await served.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Matches($@"^linnet: policy: nc\[\d+\] may not create \(inet stream tcp\): default \({policy}:3\)\n", run.Error);
    }

    [Fact]
    public async Task Errors_of_a_policy_are_all_told_with_line_and_column()
    {
        string policy = Path.Combine(root.FullName, "policy");
        await File.WriteAllTextAsync(policy, "allow program=curl\ndeny prot=tcp\ndeny port=80,http\n");
        CliRun run = await CliRun.RunAsync("run", "--policy", policy, "--", "true");
        Assert.Equal(2, run.Status);
        string[] lines = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith($"linnet: {policy}:2:6: unknown key 'prot'; known are ", lines[0]);
        Assert.StartsWith($"linnet: {policy}:3:14: 'http' is no port", lines[1]);
    }

    private static async Task<string> ServeOnceAsync(TcpListener listener)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        await using NetworkStream stream = client.GetStream();
        byte[] request = new byte[4096];
        int length = await stream.ReadAsync(request);
        await stream.WriteAsync("HTTP/1.0 200 OK\r\nContent-Length: 12\r\n\r\nfrom outside"u8.ToArray());
        return System.Text.Encoding.ASCII.GetString(request, 0, length);
    }

    [Fact]
    public async Task What_a_program_sent_arrives_after_its_end()
    {
        const int Megabytes = 4;
        using TcpListener outside = new(IPAddress.Loopback, 0);
        outside.Start();
        int port = ((IPEndPoint)outside.LocalEndpoint).Port;
        Task<CliRun> running = CliRun.RunAsync(
            "run", "--link", "delay 20ms", "--", "bash", "-c", $"head -c {Megabytes}M /dev/zero > /dev/tcp/host.linnet/{port}");
        using Socket connection = await outside.AcceptSocketAsync().WaitAsync(TimeSpan.FromSeconds(30));
        byte[] buffer = new byte[1 << 20];
        long got = 0;
        for (int read; (read = await connection.ReceiveAsync(buffer, SocketFlags.None)) > 0;)
            got += read;
        Assert.Equal(Megabytes << 20, got);
        Assert.Equal(0, (await running).Status);
    }

    [Fact]
    public async Task A_port_of_UDP_is_carried_in()
    {
        using Socket free = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)free.LocalEndPoint!).Port;
        free.Close();
        const string Server = "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 53)); d, a = s.recvfrom(99); s.sendto(d.upper(), a)";
        Task<CliRun> running = CliRun.RunAsync("run", "--publish", $"{port}:53/udp", "--", "python3", "-c", Server);
        using UdpClient client = new("127.0.0.1", port);
        Task<UdpReceiveResult>? answer = null;
        while (!running.IsCompleted)
        {
            // Nobody may be there yet; then the computer says so, or the datagram is lost.
            try
            {
                await client.SendAsync("ask"u8.ToArray());
                answer ??= client.ReceiveAsync();
                await Task.WhenAny(answer, running, Task.Delay(TimeSpan.FromMilliseconds(100)));
                answer = answer.IsFaulted ? null : answer;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100));
            }
        }

        Assert.Equal(0, (await running).Status);
        Assert.Equal("ASK"u8.ToArray(), (await answer!.WaitAsync(TimeSpan.FromSeconds(30))).Buffer);
    }

    [Fact]
    public async Task A_tree_shows_the_layers_and_goes_to_a_file()
    {
        string file = Path.Combine(root.FullName, "trace");
        const string Program = "import socket; s = socket.create_server(('127.0.0.1', 80)); c = socket.create_connection(s.getsockname());"
            + "a, _ = s.accept(); c.sendall(b'hello'); print(a.recv(9))";
        CliRun run = await CliRun.RunAsync("run", "--trace", "--trace-file", file, "--", "python3", "-c", Program);
        Assert.Equal((0, ""), (run.Status, run.Error));
        string trace = await File.ReadAllTextAsync(file);
        Assert.Contains("tcp_v4_connect", trace);
        Assert.Contains("tcp_sendmsg", trace);
        Assert.Matches(@"python3\[\d+\] sent\(fd: \d+, ""hello""\) = 5", trace);
    }

    [Fact]
    public async Task Arguments_and_environment_need_not_be_text()
    {
        (int status, string output, string _) = await RealRun.StartShell(
            "word=$(printf 'a\\377\\342\\202\\254\\342\\202'); NAME=$word $LINNET run -- sh -c 'printf %s \"$1\"; printenv NAME' 0 \"$word\" | od -An -tx1").EndAsync();
        Assert.Equal((0, "61 ff e2 82 ac e2 82 61 ff e2 82 ac e2 82 0a"), (status, string.Join(' ', output.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))));
    }

    [Theory]
    [InlineData("HUP", 1)]
    [InlineData("INT", 2)]
    [InlineData("QUIT", 3)]
    public async Task What_was_ignored_before_stays_ignored(string signal, int number)
    {
        (int status, string output, string _) = await RealRun.StartShell(
            $"trap '' {signal}; exec $LINNET run -- sh -c 'kill -{signal} $PPID; grep SigIgn: /proc/self/status; exit 6'").EndAsync();
        Assert.Equal(6, status);
        Assert.NotEqual(0u, Convert.ToUInt64(output.Split()[^2], 16) >> (number - 1) & 1);
    }

    [Fact]
    public async Task What_a_program_left_running_is_ended_by_signals()
    {
        const string Script = "sh -c 'trap \"\" TERM; sleep 1000' & sleep 0.5; setsid sh -c \"trap '' TERM; sleep 0.5; kill -TERM $PPID; sleep 0.5; kill -TERM $PPID\" & exit 3";
        Assert.Equal(3, (await RealRun.Start(new Dictionary<string, string>(), "run", "--", "sh", "-c", Script).EndAsync()).Status);
    }

    [Fact]
    public async Task A_signal_ends_the_wait_for_what_was_sent()
    {
        using TcpListener outside = new(IPAddress.Loopback, 0);
        outside.Start();
        int port = ((IPEndPoint)outside.LocalEndpoint).Port;
        RealRun run = RealRun.Start(
            new Dictionary<string, string>(),
            "run", "--link", "rate 8kbit", "--", "bash", "-c", $"head -c 100000 /dev/zero > /dev/tcp/host.linnet/{port}; echo sent");
        Assert.Equal("sent", await run.Output.ReadLineAsync());
        Task<(int Status, string Output, string Error)> ended = run.EndAsync();
        do
        {
            // The first may come before the program's end.
            await Task.Delay(300);
            run.Signal("INT");
        }
        while (await Task.WhenAny(ended, Task.Delay(300)) != ended);
        Assert.Equal(130, (await ended).Status);
    }

    [Fact]
    public async Task Signals_of_a_users_own_reach_the_program()
    {
        const string Script = "trap 'exit 9' USR1; kill -USR1 $PPID; while :; do sleep 0.1; done";
        Assert.Equal(9, (await RealRun.Start(new Dictionary<string, string>(), "run", "--", "sh", "-c", Script).EndAsync()).Status);
    }

    [Fact]
    public async Task Each_call_is_a_line_with_its_time_and_what_it_moved()
    {
        string file = Path.Combine(root.FullName, "trace");
        const string Program = """
            import signal, socket, struct
            u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('127.0.0.1', 5000))
            u.setsockopt(0, socket.IP_TTL, 9); u.setsockopt(0, 8, 1)
            u.sendmsg([b'two', b'three'], [(0, socket.IP_TTL, struct.pack('i', 64))], 0, u.getsockname())
            u.recvmsg(100, 100)
            u.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 0, 50000))
            def tried(what):
                try: what()
                except OSError: pass
            tried(lambda: u.recvfrom(9))
            tried(lambda: socket.create_connection(('127.0.0.1', 9)))
            s = socket.create_server(('127.0.0.1', 80))
            waits = False
            def stop(*_):
                if waits: raise OSError()
            def wait():
                global waits
                waits = True
                s.accept()
            signal.signal(signal.SIGALRM, stop); signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
            tried(wait)
            waits = False; signal.setitimer(signal.ITIMER_REAL, 0)
            c = socket.create_connection(('127.0.0.1', 80)); a, _ = s.accept()
            c.shutdown(socket.SHUT_WR); a.recv(9); a.close()
            """;
        CliRun run = await CliRun.RunAsync("run", "--trace-file", file, "--", "/usr/bin/python3", "-c", Program);
        Assert.Equal((0, ""), (run.Status, run.Error));
        string trace = await File.ReadAllTextAsync(file);
        string[] lines = trace.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.Matches(@"^ +\d+\.\d{6} python3\[\d+\] \w+\(", line));
        const string Loopback = @"\{ \.family: AF_INET, \.port: 5000, \.addr: 127\.0\.0\.1 \}", Took = @" <\d+\.\d{6}>\n";
        Assert.Matches($@"sendmsg\(fd: \d+, msg: {{ \.name: {Loopback}, \.iov: \[{{ ""two"", 3 }}, {{ ""three"", 5 }}\], "
            + $@"\.control: \[{{ SOL_IP, IP_TTL, \[64\] }}\] }}, flags: 0\) = 8{Took}", trace);
        Assert.Matches($@"recvmsg\(fd: \d+, msg: {{ \.name: {Loopback}, \.iov: \[{{ ""twothree"", 100 }}\], \.control: \[{{ SOL_IP, IP_PKTINFO, "
            + $@"{{ \.ifindex: 1, \.spec_dst: 127\.0\.0\.1, \.addr: 127\.0\.0\.1 }} }}\] }}, flags: 0\) = 8{Took}", trace);
        Assert.Matches($@"getsockname\(fd: \d+, usockaddr: {Loopback}, usockaddrLen: \[16\]\) = 0{Took}", trace);
        Assert.Matches(@"recvfrom\(.*\) = -1 EAGAIN \(Resource temporarily unavailable\) <0\.0[5-9]", trace);
        Assert.Matches(@"connect\(fd: \d+, .*\.port: 9, .*\) = -1 ECONNREFUSED \(Connection refused\) <", trace);
        Assert.Matches(@"accept4\(fd: \d+, .*\) = \? \(a signal ended it\) <", trace);
        Assert.Matches(@"shutdown\(fd: (\d+), how: SHUT_WR\) = 0(.*\n)+.*sent\(fd: \1, end of stream\) = 0\n", trace);
        Assert.Matches(@"received\(fd: (\d+), end of stream\) = 0(.*\n)+.*closed\(fd: \1\) = 0\n", trace);

        // Those that waited too are there once.
        Assert.Single(lines, line => line.Contains("connect(", StringComparison.Ordinal) && line.Contains(".port: 80,", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_takes_the_time_that_it_wants_with_a_signal()
    {
        const string Script = "trap '' INT; kill -INT $PPID; sleep 2.5; exit 7";
        Assert.Equal(7, (await RealRun.Start(new Dictionary<string, string>(), "run", "--", "sh", "-c", Script).EndAsync()).Status);
    }
}
