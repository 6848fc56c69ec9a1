namespace Linnet.Programs.Tests;

/// <summary>Policies in a lab: rules by host and by program, and for data however it is moved.</summary>
public sealed class PolicyTests : IDisposable
{
    // Tries each call that moves data on a connected socket, and prints what it says.
    private const string Movers = """
        import os, socket, sys, tempfile
        address = ('server', 7)
        def tried(name, call):
            try: call(); print(name, 'ok')
            except OSError as e: print(name, os.strerror(e.errno))
        file = tempfile.TemporaryFile(); file.write(b'z' * 8); file.flush()
        def spliced(into):
            r, w = os.pipe(); os.write(w, b's'); os.splice(r, into.fileno(), 1)
        def taken(from_):
            r, w = os.pipe(); os.splice(from_.fileno(), w, 1)
        s = socket.create_connection(address)
        u = socket.socket(type=socket.SOCK_DGRAM); u.connect(address)
        for name, end in (('tcp', s), ('udp', u)):
            n = end.fileno()
            tried(name + ' write', lambda: os.write(n, b'a'))
            tried(name + ' writev', lambda: os.writev(n, [b'a', b'b']))
            tried(name + ' send', lambda: end.send(b'a'))
            tried(name + ' sendmsg', lambda: end.sendmsg([b'a']))
            tried(name + ' sendfile', lambda: os.sendfile(n, file.fileno(), 0, 8))
            tried(name + ' splice', lambda: spliced(end))
            if sys.argv[1] == 'send': continue
            tried(name + ' read', lambda: os.read(n, 1))
            tried(name + ' readv', lambda: os.readv(n, [bytearray(1)]))
            tried(name + ' recv', lambda: end.recv(1))
            tried(name + ' recvfrom', lambda: end.recvfrom(1))
            tried(name + ' recvmsg', lambda: end.recvmsg(1))
            tried(name + ' splice in', lambda: taken(end)) if end is s else None
        """;

    private const string Server = """
        import socket, threading
        u = socket.socket(type=socket.SOCK_DGRAM); u.bind(('', 7))
        def answer():
            while True: u.sendto(b'datagram', u.recvfrom(9)[1])
        threading.Thread(target=answer, daemon=True).start()
        l = socket.create_server(('', 7))
        kept = []
        while True:
            c, _ = l.accept(); c.sendall(b'x' * 100); kept.append(c)
        """;

    private readonly RealLab lab = new();

    public void Dispose() => lab.Dispose();

    [Theory]
    [InlineData("send", 12, new[] { "write", "writev", "send", "sendmsg", "sendfile", "splice" })]
    [InlineData("receive", 23, new[] { "read", "readv", "recv", "recvfrom", "recvmsg", "splice in" })]
    public async Task Data_is_refused_at_each_call_that_moves_it(string operation, int calls, string[] refused)
    {
        string policy = lab.Write("policy", $"deny host=client port=7 operation={operation} errno=EPERM name=silence\n");
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              server:
                run: python3 {lab.Write("server.py", Server)}
              client:
                wait_for: ['server:7']
                run: python3 {lab.Write("movers.py", Movers)} {operation}
            egress: false
            """, 60, "--policy", policy);
        string[] lines = [.. outcome.Succeeded().Of("client")];
        Assert.True(lines.Length == calls, outcome.All);
        foreach (string line in lines)
        {
            string[] words = line.Split(' ', 2);
            bool isRefused = refused.Any(name => words[1].StartsWith(name + " Oper", StringComparison.Ordinal));
            bool shouldBe = refused.Any(name => words[1] == name + " ok" || words[1].StartsWith(name + " Oper", StringComparison.Ordinal));
            Assert.True(isRefused == shouldBe && (isRefused || line.EndsWith(" ok", StringComparison.Ordinal)), outcome.All);
        }

        Assert.Matches($@"linnet: client: policy: python3\[\d+\] may not {operation} 10\.0\.0\.\d+:7 \(inet stream tcp\): silence\n", outcome.All);
        Assert.Matches($@"linnet: client: policy: python3\[\d+\] may not {operation} 10\.0\.0\.\d+:7 \(inet dgram udp\): silence \(\d+ times\)\n", outcome.All);
    }

    [Fact]
    public async Task Rules_are_of_hosts_and_programs()
    {
        Need.Programs("curl", "nginx");
        lab.Write("html/index.html", "a page of nginx\n");
        string policy = lab.Write("policy", """
            allow host=web program=nginx
            deny host=web
            allow host=client program=curl
            deny host=client operation=connect port=80 name=only-curl-surfs
            """);
        string script = lab.Script("client", "curl -sS http://web/; bash -c 'exec 3<>/dev/tcp/web/80' 2>&1");
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {Nginx.Configure(lab, "web", "listen 80;")}
              client:
                wait_for: ['web:80']
                run: {script}
            """, 60, "--policy", policy);
        Assert.Equal(1, outcome.Status);
        Assert.StartsWith("a page of nginx\n", outcome.TextOf("client"));
        Assert.Contains("Permission denied", outcome.TextOf("client"));
        Assert.Matches(@"linnet: client: policy: bash\[\d+\] may not connect 10\.0\.0\.\d+:80 \(inet stream tcp\): only-curl-surfs\n", outcome.All);
        Assert.DoesNotContain("web: policy:", outcome.All);
    }
}
