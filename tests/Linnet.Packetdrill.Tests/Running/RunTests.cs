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
        Assert.Equal(TimeSpan.FromMicroseconds(600_110_030), result.VirtualTime);
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
    public void The_cleanup_command_runs_after_a_failure_too()
    {
        RunResult result = Scripts.Run(Failing + "\n`frobnicate`\n");
        Assert.Contains("live packet field tcp_psh", result.Error, StringComparison.Ordinal);
        RunResult passing = Scripts.Run("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n`frobnicate`\n");
        Assert.Contains("frobnicate", passing.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Commands_work_on_the_namespace_under_test()
    {
        Scripts.Passes("`sysctl -q net.ipv4.tcp_sack=0`\n" + Scripts.Listener + """
            +0 < S 0:0(0) win 1000 <mss 1000,sackOK,nop,nop>
            +0 > S. 0:0(0) ack 1 <mss 1460>
            +0 `sysctl -q net.ipv4.tcp_sack=1`
            +0 < . 1:1(0) ack 1 win 1000
            """);
    }

    [Fact]
    public void Calls_open_files_that_commands_made()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 `dd if=/dev/zero of=greeting bs=1 count=5`
            +0 open("greeting", O_RDONLY) = 5
            +0 sendfile(4, 5, [2], 10) = 3
            +0 open("gone", O_RDONLY) = -1 ENOENT (No such file or directory)
            """);
    }

    [Fact]
    public void What_happens_is_logged_when_asked_for()
    {
        RunResult result = Scripts.Passes(Scripts.Accepted, new OptionSetting("verbose", null));
        Assert.Contains(result.Log, line => line.StartsWith("inbound injected packet:  0.100020 S 0:0(0) win 32792 <mss 1000,", StringComparison.Ordinal));
        Assert.Contains(result.Log, line => line.StartsWith("outbound sniffed packet:  0.100020 S. ", StringComparison.Ordinal));
        Assert.Contains("accept syscall:  0.110020", result.Log);
        Assert.Empty(Scripts.Passes(Scripts.Accepted).Log);
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
