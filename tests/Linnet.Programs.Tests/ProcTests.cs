namespace Linnet.Programs.Tests;

/// <summary>Programs that read the network's state from <c>/proc</c>.</summary>
public sealed class ProcTests : IDisposable
{
    private readonly RealLab lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Sysctl_reads_the_hosts_own_settings()
    {
        Need.Programs("sysctl", "python3");
        LabOutcome outcome = await lab.UpAsync("""
            hosts:
              one:
                run: >-
                  sysctl -n net.ipv4.ip_local_port_range net.ipv4.tcp_congestion_control &&
                  python3 -c 'print(open("/proc/sys/net/core/somaxconn").read().strip())' &&
                  ! sysctl net.ipv6.bindv6only 2>&1
            """);
        Assert.Equal(
            ["32768\t60999", "cubic", "4096", "sysctl: \"net.ipv6.bindv6only\" is an unknown key"],
            outcome.Succeeded().Of("one"));
    }

    [Fact]
    public async Task Netstat_and_lsof_name_the_programs_of_sockets()
    {
        Need.Programs("netstat", "lsof", "nc");
        LabOutcome outcome = await lab.UpAsync("""
            hosts:
              one:
                run: >-
                  nc -lk 80 & nc -ul 53 &
                  while ! netstat -tuln | grep ':80 .*LISTEN'; do sleep 0.1; done;
                  sleep 99 | nc 127.0.0.1 80 &
                  while ! netstat -tn | grep ':80 .*ESTABLISHED'; do sleep 0.1; done;
                  netstat -tunap; lsof -nP -i
            """);
        string[] lines = outcome.Succeeded().Of("one");
        Assert.Contains(lines, line => line.StartsWith("tcp", StringComparison.Ordinal) && line.Contains(":80 ") && line.Contains("/nc "));
        Assert.Contains(lines, line => line.StartsWith("udp", StringComparison.Ordinal) && line.Contains(":53 ") && line.Contains("/nc "));
        Assert.Contains(lines, line => line.StartsWith("nc ", StringComparison.Ordinal) && line.EndsWith(":80 (ESTABLISHED)", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("nc ", StringComparison.Ordinal) && line.Contains("UDP *:53"));
    }
}
