namespace Linnet.Programs.Tests;

/// <summary>dig, host and getent.</summary>
public sealed class DnsTests : IDisposable
{
    private readonly RealLab lab = new();

    public DnsTests() => Need.Programs("dig", "host", "getent", "nc");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Names_and_addresses_of_the_lab_are_found_whoever_is_asked()
    {
        LabOutcome outcome = await lab.PairAsync(
            "",
            """
            dig +short server
            dig +short +tcp server
            dig +short @192.0.2.53 server
            dig +short @192.0.2.53 +tcp server
            dig +short -x 10.0.0.1
            dig +short server client nothere
            dig +short server AAAA
            dig nothere | grep -o 'status: [A-Z]*'
            dig @server +tries=1 +timeout=1 client | grep -o 'no servers could be reached'
            getent ahostsv4 server | grep -c '^10.0.0.1 '
            status getent hosts nothere
            status host server
            status host nothere
            host 10.0.0.2
            """);
        Assert.Equal(
        [
            "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "server.", "10.0.0.1", "10.0.0.2", "status: NXDOMAIN",
            "no servers could be reached", "3", "= 2", "server has address 10.0.0.1", "= 0", "Host nothere not found: 3(NXDOMAIN)", "= 1",
            "2.0.0.10.in-addr.arpa domain name pointer client.",
        ], outcome.Of("client"));
    }
}
