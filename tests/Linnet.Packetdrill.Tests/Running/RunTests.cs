using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests.Running;

/// <summary>Runs as a whole.</summary>
public class RunTests
{
    private const string Failing = Scripts.Accepted + """
        +0 write(4, ..., 1000) = 1000
        +0 > . 1:1001(1000) ack 1
        """;

    [Fact]
    public void The_same_script_has_the_same_result()
    {
        RunResult first = Scripts.Run(Failing);
        RunResult second = Scripts.Run(Failing);
        Assert.False(first.Passed);
        Assert.Equal(first.Error, second.Error);
        Assert.Equal(first.Trace, second.Trace);
    }

    [Fact]
    public void A_failure_shows_the_functions_that_led_to_the_packet()
    {
        RunResult result = Scripts.Run(Failing);
        Assert.Contains(result.Trace, line => line.TrimStart().StartsWith("tcp_write_xmit(", StringComparison.Ordinal));
        Assert.Contains(result.Trace, line => line.TrimStart().StartsWith("tun_net_xmit(", StringComparison.Ordinal));
    }

    [Fact]
    public void A_script_of_minutes_takes_no_time()
    {
        RunResult result = Scripts.Passes(Scripts.Accepted + "+600 close(4) = 0\n+0 > F. 1:1(0) ack 1\n");
        Assert.Equal(TimeSpan.FromSeconds(600.11), result.VirtualTime);
    }

    [Fact]
    public void The_first_event_is_at_time_0()
    {
        RunResult result = Scripts.Run("0.5 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n");
        Assert.Equal("test.pkt:1: first event should be at time 0", result.Error);
    }

    [Fact]
    public void Time_does_not_go_backward()
    {
        RunResult result = Scripts.Run("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n2 close(3) = 0\n1 close(3) = 0\n");
        Assert.Equal("test.pkt:3: time goes backward in script from 2000000 usec to 1000000 usec", result.Error);
    }

    [Fact]
    public void Code_sees_the_socket_as_it_was_when_its_event_came()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 %{ before = tcpi_unacked }%
            +0 write(4, ..., 1000) = 1000
            +0 > P. 1:1001(1000) ack 1
            +0 %{ assert before == 0; assert tcpi_unacked == 1 }%
            """);
        RunResult wrong = Scripts.FailsAt("tcpi_unacked == 5", Scripts.Accepted + "+0 %{ assert tcpi_unacked == 5 }%\n");
        Assert.NotNull(wrong.Error);
    }

    [Fact]
    public void Mismatches_of_packets_can_be_let_pass()
    {
        RunResult result = Scripts.Passes(Failing, new OptionSetting("non_fatal", "packet"));
        Assert.Contains("warning handling packet: live packet field tcp_psh", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void What_Linnet_lacks_is_refused()
    {
        Assert.Contains("no IPv6 yet", Scripts.Run(Failing, new OptionSetting("ip_version", "ipv6")).Error, StringComparison.Ordinal);
    }
}
