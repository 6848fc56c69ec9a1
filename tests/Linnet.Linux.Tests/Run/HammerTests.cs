using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Linux.Tests.Run;

/// <summary>Programs whose calls have bad pointers, lengths and vectors.</summary>
[Collection<Alone>]
public sealed class HammerTests
{
    private const int Size = 3_000_000;

    // Carries data from one host to the other and back beside the hammering program, and compares what comes.
    private const string Echo = """
        import hashlib, socket, sys
        with socket.create_server(('', 5000)) as server:
            connection, _ = server.accept()
            while data := connection.recv(1 << 16):
                connection.sendall(data)
        """;

    private const string Transfer = """
        import hashlib, random, socket, sys, threading
        data = random.Random(11).randbytes(int(sys.argv[1]))
        s = socket.socket()
        while s.connect_ex(('10.0.0.1', 5000)):
            s.close()
            s = socket.socket()
        got = hashlib.sha256()
        def read():
            while part := s.recv(1 << 16):
                got.update(part)
        reader = threading.Thread(target=read)
        reader.start()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        reader.join()
        print(got.hexdigest() == hashlib.sha256(data).hexdigest())
        """;

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

    [Fact]
    public async Task Threads_that_pull_the_memory_away_hurt_no_other_program()
    {
        using ProgramLab lab = new();
        string echo = lab.Write(Echo), transfer = lab.Write(Transfer);
        await RunAsync(lab, echo, transfer, seed: 1);
        (int sockets, int descriptors) = await RestAsync(lab);
        Assert.Equal(0, sockets);
        await RunAsync(lab, echo, transfer, seed: 2);
        (sockets, int left) = await RestAsync(lab);
        Assert.Equal(0, sockets);
        Assert.True(left <= descriptors, $"{descriptors} then {left} descriptors");
    }

    private static async Task RunAsync(ProgramLab lab, string echo, string transfer, int seed)
    {
        // On the same host, so that they share a supervisor and all of Linnet.
        Task<(int Status, string Output)>[] running =
        [
            lab.RunAsync(lab.One, $"python3 {echo}"),
            lab.RunAsync(lab.One, $"python3 {transfer} {Size}"),
            lab.RunAsync(lab.One, $"python3 {ProgramLab.Programs}/chaos.py {seed} 100"),
        ];
        (int Status, string Output)[] ended = await Task.WhenAll(running);
        Assert.Equal((0, ""), ended[0]);
        Assert.Equal((0, "True\n"), ended[1]);
        Assert.Equal((0, "wrong []\n"), ended[2]);
    }

    /// <summary>Waits until what is left stays the same.</summary>
    private static async Task<(int Sockets, int Descriptors)> RestAsync(ProgramLab lab)
    {
        (int Sockets, int Descriptors) before = default;
        int same = 0;
        for (int i = 0; i < 500 && same < 20; i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken);
            int descriptors = Directory.GetFileSystemEntries("/proc/self/fd").Count(name => new FileInfo(name).LinkTarget is { } target && target.Contains(":["));
            (int, int) now = (lab.One.Namespace.Ipv4.TcpInuse + TcpMachine.Of(lab.Network.Machine).OrphanCount, descriptors);
            same = now == before && now.Item1 == 0 ? same + 1 : 0;
            before = now;
        }

        return before;
    }
}
