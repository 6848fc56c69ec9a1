namespace Linnet.Programs.Tests;

/// <summary>nc, OpenBSD's.</summary>
public sealed class NetcatTests : IDisposable
{
    private const int Large = 32 << 20;

    private readonly RealLab lab = new();

    public NetcatTests() => Need.Programs("nc");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Files_arrive_whole_both_ways()
    {
        string sum = lab.WriteRandom("large", Large, 1);
        LabOutcome outcome = await lab.PairAsync(
            """
            { nc -l 9001 | sha256sum; } &
            nc -N -l 9002 < large &
            until_tcp 9001 9002
            """,
            """
            nc -N server 9001 < large
            nc server 9002 | sha256sum
            """);
        Assert.Equal([$"{sum}  -"], outcome.Of("client"));
        Assert.Contains($"{sum}  -", outcome.Of("server"));
    }

    [Fact]
    public async Task Ports_are_scanned_and_datagrams_exchanged()
    {
        LabOutcome outcome = await lab.PairAsync(
            """
            nc -lk 8002 > /dev/null &
            nc -lk 8005 > /dev/null &
            nc -u -l 9001 &
            until_tcp 8002 8005; until_udp 9001
            """,
            """
            status nc -zvn 10.0.0.1 8000-8006 2>&1
            status nc -zv server 8006 2>&1
            status nc -w 1 10.0.0.77 80
            echo datagram | nc -u -q 0 server 9001
            sleep 0.2
            """);
        Assert.Equal(
        [
            Refused(8000), Refused(8001), "Connection to 10.0.0.1 8002 port [tcp/*] succeeded!", Refused(8003), Refused(8004),
            "Connection to 10.0.0.1 8005 port [tcp/*] succeeded!", Refused(8006), "= 0",
            "nc: connect to server (10.0.0.1) port 8006 (tcp) failed: Connection refused", "= 1",
            "= 1",
        ], outcome.Of("client"));
        Assert.Contains("datagram", outcome.Of("server"));

        static string Refused(int port) => $"nc: connect to 10.0.0.1 port {port} (tcp) failed: Connection refused";
    }
}
