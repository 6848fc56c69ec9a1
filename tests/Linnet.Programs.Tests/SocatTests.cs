namespace Linnet.Programs.Tests;

/// <summary>socat.</summary>
public sealed class SocatTests : IDisposable
{
    private const int Large = 24 << 20;

    private readonly RealLab lab = new();

    public SocatTests() => Need.Programs("socat", "nc");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Much_goes_both_ways_at_once()
    {
        string there = lab.WriteRandom("there", Large, 1), back = lab.WriteRandom("back", Large, 2);
        LabOutcome outcome = await lab.PairAsync(
            """
            socat -b 65536 -t 10 TCP-LISTEN:9001 'OPEN:back,rdonly!!CREATE:arrived' &
            until_tcp 9001
            """,
            """
            socat -b 65536 -t 10 'OPEN:there,rdonly!!STDOUT' TCP:server:9001 | sha256sum
            """);
        Assert.Equal([$"{back}  -"], outcome.Of("client"));
        Assert.Equal(there, lab.Sha256Of("arrived"));
    }

    [Fact]
    public async Task Each_connection_has_a_process_that_answers_after_half_a_close()
    {
        LabOutcome outcome = await lab.PairAsync(
            """
            socat TCP-LISTEN:9001,fork,reuseaddr EXEC:'tr a-z A-Z' &
            socat UDP-LISTEN:9002,fork EXEC:cat &
            socat -u UDP-RECV:9003 STDOUT &
            until_tcp 9001; until_udp 9002 9003
            """,
            """
            for i in $(seq 12); do echo "line $i" | socat - TCP:server:9001 & done; wait
            echo datagram | socat -t 1 - UDP:server:9002
            echo one way | socat -u - UDP-SENDTO:server:9003
            status socat - TCP:server:9009 2>&1 | grep -o 'Connection refused\|^=.*'
            sleep 0.2
            """);
        string[] lines = outcome.Of("client");
        Assert.Equal(Enumerable.Range(1, 12).Select(i => $"LINE {i}").Order(StringComparer.Ordinal), lines[..12].Order(StringComparer.Ordinal));
        Assert.Equal(["datagram", "Connection refused", "= 1"], lines[12..]);
        Assert.Contains("one way", outcome.Of("server"));
    }

    [Fact]
    public async Task Tls_carries_a_file()
    {
        Need.Programs("openssl");
        string sum = lab.WriteRandom("large", 4 << 20, 3);
        LabOutcome outcome = await lab.PairAsync(
            """
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -keyout key -out certificate 2> /dev/null
            socat -u OPEN:large OPENSSL-LISTEN:9001,cert=certificate,key=key,verify=0 &
            until_tcp 9001
            """,
            """
            socat -u OPENSSL:server:9001,cafile=certificate STDOUT | sha256sum
            """);
        Assert.Equal([$"{sum}  -"], outcome.Of("client"));
    }
}
