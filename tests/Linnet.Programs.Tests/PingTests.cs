namespace Linnet.Programs.Tests;

/// <summary>ping, traceroute and tracepath, through a router.</summary>
public sealed class PingTests : IDisposable
{
    private readonly RealLab lab = new();

    public PingTests() => Need.Programs("ping");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Answers_come_from_names_and_addresses_also_in_fragments()
    {
        string[] lines = await ClientAsync("""
            ping -c 3 -i 0.1 near | grep -o 'from .* ttl=[0-9]*\|[0-9]* received'
            ping -c 2 -i 0.1 -s 4000 10.2.0.2 | grep -o '^40.*ttl=[0-9]*'
            ping -q -f -c 50 far | grep -o '[0-9]* received'
            ping -n -c 1 -R far | sed -n '/RR:/,/^$/p' | tr -d 'R: \t\n'; echo
            """);
        const string Near = "from near (10.1.0.2): icmp_seq=", Far = "4008 bytes from 10.2.0.2: icmp_seq=";
        Assert.Equal(
        [
            $"{Near}1 ttl=64", $"{Near}2 ttl=64", $"{Near}3 ttl=64", "3 received", $"{Far}1 ttl=63", $"{Far}2 ttl=63", "50 received",
            "10.1.0.310.2.0.110.2.0.210.2.0.210.1.0.110.1.0.3",
        ], lines);
    }

    [Fact]
    public async Task Errors_are_printed_with_who_reported_them()
    {
        string[] lines = await ClientAsync("""
            says() { ping -n "$@" 2>&1 | grep -v '^PING\|^$\|^---\|^rtt\|^[0-9]* packets'; }
            says -c 1 -W 5 10.1.0.77 > unreachable &
            says -c 1 -t 1 far
            says -c 1 -W 5 10.3.0.1
            says -c 1 -M do -s 4000 near
            says -c 1 nowhere
            ping -n -c 1 -W 5 10.2.0.77 > behind; echo "= $?"
            wait; cat unreachable; grep From behind
            """);
        Assert.Equal(
        [
            "From 10.1.0.1 icmp_seq=1 Time to live exceeded",
            "From 10.1.0.1 icmp_seq=1 Destination Host Unreachable",
            "ping: local error: message too long, mtu=1500",
            "ping: nowhere: Name or service not known",
            "= 1",
            "From 10.1.0.3 icmp_seq=1 Destination Host Unreachable",
            "From 10.1.0.1 icmp_seq=1 Destination Host Unreachable",
        ], lines);
    }

    [Fact]
    public async Task Tracepath_names_the_routers()
    {
        Need.Programs("tracepath");
        string[] lines = await ClientAsync("tracepath -n far");
        Assert.Equal(["1?:", "1:", "2:"], lines.Select(line => line.Trim().Split(' ')[0]).Where(word => char.IsAsciiDigit(word[0])).Distinct());
        Assert.Contains(lines, line => line.StartsWith(" 1:  10.1.0.1 ", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith(" 2:  10.2.0.2 ", StringComparison.Ordinal) && line.Contains("reached"));
    }

    [Fact]
    public async Task Traceroute_by_tcp_reaches_its_goal()
    {
        Need.Programs("traceroute");
        string[] lines = await ClientAsync("traceroute -n -T -p 9 -q 1 -w 1 -m 4 far");
        Assert.StartsWith(" 2  10.2.0.2  ", lines[^1]);
    }

    private async Task<string[]> ClientAsync(string script)
    {
        LabOutcome outcome = await lab.UpAsync($$"""
            networks:
              left: {subnet: 10.1.0.0/24}
              right: {subnet: 10.2.0.0/24}
            hosts:
              router:
                router: true
                networks: [left, right]
                routes: ['unreachable 10.3.0.0/24']
              near:
                networks: [left]
              far:
                networks: [right]
                routes: ['10.1.0.0/24 via 10.2.0.1']
              client:
                networks: [left]
                routes: ['10.2.0.0/15 via 10.1.0.1']
                run: {{lab.Script("client", script)}}
            """);
        return outcome.Succeeded().Of("client");
    }
}
