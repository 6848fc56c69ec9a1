using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Linux.Tests.Run;

/// <summary>Tests that look at all descriptors of their process: no other runs beside them.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class Alone;

/// <summary>Programs that come and go, also by force, leave nothing behind.</summary>
[Collection<Alone>]
public sealed class ChurnTests
{
    private const string Soak = "LINNET_SOAK_TIME";

    // Each round: processes and threads that connect, and are killed in the midst of it as often as not.
    private const string Program = """
        import os, random, signal, socket, threading, time
        random.seed(5)
        with socket.create_server(('127.0.0.1', 0), backlog=64) as server:
            address = server.getsockname()
            for _ in range(10):
                pids = []
                for _ in range(8):
                    pid = os.fork()
                    if pid == 0:
                        def talk():
                            with socket.create_connection(address) as s, socket.socket(type=socket.SOCK_DGRAM) as d:
                                d.connect(address)
                                s.sendall(bytes(random.randrange(100000)))
                                s.recv(1)
                        threads = [threading.Thread(target=talk, daemon=True) for _ in range(3)]
                        for thread in threads:
                            thread.start()
                        time.sleep(random.random() / 50)
                        os._exit(0)
                    pids.append(pid)
                server.settimeout(0.05)
                try:
                    while True:
                        connection, _ = server.accept()
                        with connection:
                            connection.settimeout(0.01)
                            connection.recv(random.randrange(1, 200000))
                            connection.send(b'x')
                except OSError:
                    pass
                for pid in pids:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
        """;

    [Fact]
    public async Task Nothing_is_left_of_programs_that_come_and_go()
    {
        // LINNET_SOAK_TIME=01:00:00 goes on for an hour.
        TimeSpan length = TimeSpan.TryParse(Environment.GetEnvironmentVariable(Soak), out TimeSpan asked) ? asked : TimeSpan.Zero;
        using ProgramLab lab = new();
        string script = Path.GetTempFileName();
        await File.WriteAllTextAsync(script, Program, TestContext.Current.CancellationToken);
        try
        {
            await RunAsync(lab, script);
            string[] before = await RestAsync(lab);
            long start = Environment.TickCount64;
            do
            {
                await RunAsync(lab, script);
            }
            while (Environment.TickCount64 - start < length.TotalMilliseconds);
            string[] after = await RestAsync(lab);
            Assert.True(after.Length <= before.Length, $"{before.Length} then {after.Length} descriptors, among them {string.Join(", ", after.Except(before))}");
        }
        finally
        {
            File.Delete(script);
        }
    }

    [Fact]
    public async Task Each_is_served_on_its_own_host()
    {
        // One ends as the next begins, and its descriptors' numbers are the next one's.
        using ProgramLab lab = new();
        lab.Two.AddRoute(IPNetworkAddress.Parse("192.168.7.0/24"), lab.One.Address);
        for (int i = 0; i < 200; i++)
        {
            (_, string output) = await lab.RunAsync(i % 2 == 0 ? lab.One : lab.Two, "grep -c 0007A8C0 /proc/net/route");
            Assert.Equal($"{i % 2}\n", output);
        }
    }

    private static async Task RunAsync(ProgramLab lab, string script)
    {
        (int status, string output) = await lab.RunAsync(lab.One, $"python3 {script} 2>&1 | grep -c Error; true");
        Assert.True(status == 0, output);
    }

    /// <summary>Waits until no socket is left, and lists the supervisor's sockets, pidfds and the like.</summary>
    private static async Task<string[]> RestAsync(ProgramLab lab)
    {
        string[] descriptors = [];
        int same = 0;
        for (int i = 0; i < 500 && same < 20; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
            string[] now = [.. Directory.GetFileSystemEntries("/proc/self/fd").Select(name => new FileInfo(name).LinkTarget ?? "")
                .Where(target => target.Contains(":["))];
            same = now.Length == descriptors.Length && Sockets(lab) == 0 ? same + 1 : 0;
            descriptors = now;
        }

        Assert.Equal(0, Sockets(lab));
        return descriptors;
    }

    private static int Sockets(ProgramLab lab) =>
        lab.One.Namespace.Ipv4.TcpInuse + TcpMachine.Of(lab.Network.Machine).OrphanCount;
}
