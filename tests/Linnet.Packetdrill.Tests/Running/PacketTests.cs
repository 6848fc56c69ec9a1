using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests.Running;

/// <summary>Packets of scripts: sent byte for byte, and compared with those of the stack field by field.</summary>
public class PacketTests
{
    [Fact]
    public void A_connection_that_the_script_opens()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 write(4, ..., 1000) = 1000
            +0 > P. 1:1001(1000) ack 1
            +.01 < . 1:1(0) ack 1001 win 257
            +0 < P. 1:501(500) ack 1001 win 257
            +0 > . 1001:1001(0) ack 501
            +0 read(4, ..., 1000) = 500
            +0 close(4) = 0
            +0 > F. 1001:1001(0) ack 501
            +.01 < F. 501:501(0) ack 1002 win 257
            +0 > . 1002:1002(0) ack 502
            """);
    }

    [Fact]
    public void A_connection_that_the_program_opens()
    {
        Scripts.Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>
            +.02 < S. 5000:5000(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
            +0 > . 1:1(0) ack 1 <nop,nop,TS val 120 ecr 700>
            +0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
            +0 write(3, ..., 100) = 100
            +0 > P. 1:101(100) ack 1 <nop,nop,TS val 120 ecr 700>
            +.02 < R. 1:1(0) ack 101 win 0
            +0 write(3, ..., 100) = -1 ECONNRESET (Connection reset by peer)
            """);
    }

    [Theory]
    [InlineData("> . 1:1001(1000) ack 1", "live packet field tcp_psh: expected: 0 (0x0) vs actual: 1 (0x1)")]
    [InlineData("> FP. 1:1001(1000) ack 1", "live packet field tcp_fin: expected: 1 (0x1) vs actual: 0 (0x0)")]
    [InlineData("> P. 2:1002(1000) ack 1", "live packet field tcp_seq: expected: 2 (0x2) vs actual: 1 (0x1)")]
    [InlineData("> P. 1:1001(1000) ack 2", "live packet field tcp_ack_seq: expected: 2 (0x2) vs actual: 1 (0x1)")]
    [InlineData("> P. 1:1001(1000) ack 1 win 1", "live packet field tcp_window: expected: 1 (0x1) vs actual: ")]
    [InlineData("> P. 1:1001(1000) ack 1 urg 3", "live packet field tcp_urg_ptr: expected: 3 (0x3) vs actual: 0 (0x0)")]
    [InlineData("> P. 1:901(900) ack 1", "live packet payload: expected 900 bytes vs actual 1000 bytes")]
    [InlineData("> P. 1:1001(1000) ack 1 <nop,nop,nop,nop>", "live packet field ipv4_total_length: expected: 1044")]
    [InlineData("> PE. 1:1001(1000) ack 1", "live packet field tcp_ece: expected: 1 (0x1) vs actual: 0 (0x0)")]
    [InlineData("> P.5 1:1001(1000) ack 1", "live packet field tcp_ace: expected: 5 (0x5) vs actual: 0 (0x0)")]
    [InlineData("> [ect0] P. 1:1001(1000) ack 1", "live packet field ip_ecn: expected: 2 (0x2) vs actual: 0 (0x0)")]
    [InlineData("> [tos 0x10] P. 1:1001(1000) ack 1", "live packet field tos: expected: 16 (0x10) vs actual: 0 (0x0)")]
    public void A_field_that_differs_is_named(string expectation, string message)
    {
        RunResult result = Scripts.FailsAt(expectation, Scripts.Accepted + $"""
            +0 write(4, ..., 1000) = 1000
            +0 {expectation}
            """);
        Assert.Contains($"error handling packet: {message}", result.Error, StringComparison.Ordinal);
        Assert.Contains("\nscript packet:  0.110030 ", result.Error, StringComparison.Ordinal);
        Assert.Contains("\nactual packet:  0.110025 P.", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<mss 1460,nop,wscale 10>", null)]
    [InlineData("<...>", null)]
    [InlineData("<mss 1400,nop,wscale 10>", "bad value in outbound TCP option (kind=2): expected: mss 1400 actual: mss 1460")]
    [InlineData("<nop,wscale 10,mss 1460>", "bad outbound TCP options")]
    [InlineData("<mss 1460,nop,nop,sackOK>", "bad outbound TCP options")]
    public void Options_are_compared_in_their_order(string options, string? message)
    {
        string text = Scripts.Listener + $"""
            +0 < S 0:0(0) win 1000 <mss 1000,nop,wscale 7>
            +0 > S. 0:0(0) ack 1 {options}
            """;
        RunResult result = Scripts.Run(text);
        Assert.Equal(message == null, result.Passed);
        if (message != null)
            Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Segments_are_joined_until_they_are_as_long_as_the_script_has_them()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 write(4, ..., 4000) = 4000
            +0 > P. 1:4001(4000) ack 1
            """);
        Scripts.Passes(Scripts.Accepted + """
            +0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
            +0 write(4, ..., 100) = 100
            +0 write(4, ..., 100) = 100
            +0 > P. 1:201(200) ack 1
            """);
        RunResult strict = Scripts.FailsAt("> P. 1:201", """
            --strict_segments

            """ + Scripts.Accepted + """
            +0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
            +0 write(4, ..., 100) = 100
            +0 write(4, ..., 100) = 100
            +0 > P. 1:201(200) ack 1
            """);
        Assert.Contains("live packet payload: expected 200 bytes vs actual 100 bytes", strict.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_packet_that_does_not_come_is_waited_for_and_missed()
    {
        RunResult result = Scripts.FailsAt("> R", Scripts.Accepted + "+.1 > R 1:1(0)\n");
        Assert.Contains("error handling packet: Timed out waiting for packet", result.Error, StringComparison.Ordinal);
        Assert.Contains("script packet:  0.210025 R 1:1(0)", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_packet_that_the_script_does_not_have_breaks_the_next_expectation()
    {
        string text = Scripts.Accepted + """
            +0 < P. 1:501(500) ack 1 win 257
            +.1 < P. 501:1001(500) ack 1 win 257
            +.1 write(4, ..., 1000) = 1000
            +0 > P. 1:1001(1000) ack 1001
            """;
        RunResult result = Scripts.FailsAt("> P. 1:1001", text);
        Assert.Contains("live packet field tcp_ack_seq: expected: 501 (0x1f5) vs actual: 1001 (0x3e9)", result.Error, StringComparison.Ordinal);
        Assert.Contains("\nactual #0 packet:  0.110025 . 1:1(0) ack 501", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("+1", true)]
    [InlineData("+1.004", true)]
    [InlineData("+.9", true)]
    [InlineData("+.85", false)]
    [InlineData("+1.2", false)]
    [InlineData("+.9~+1.1", true)]
    [InlineData("+.5~+.7", false)]
    [InlineData("*", true)]
    [InlineData("1", true)]
    [InlineData("0.8", false)]
    [InlineData("0.9~1", true)]
    [InlineData("0.5~0.7", false)]
    public void Times_of_packets_are_compared_within_the_tolerance(string time, bool passes)
    {
        // A SYN without an answer is sent again after a second.
        string text = $"""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <...>
            {time} > S 0:0(0) <...>
            """;
        RunResult result = Scripts.Run(text);
        Assert.True(result.Passed == passes, result.Error);
        if (!passes)
            Assert.Contains("timing error: expected outbound packet ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Inbound_numbers_and_SACK_blocks_are_mapped()
    {
        Scripts.Passes(Scripts.Listener + """
            +.1 < S 777:777(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
            +0 > S. 333:333(0) ack 778 <mss 1460,nop,nop,sackOK,nop,wscale 10>
            +.01 < . 1:1(0) ack 1 win 257
            +0 accept(3, ..., ...) = 4
            +0 write(4, ..., 5000) = 5000
            +0 > P. 1:5001(5000) ack 1
            +.01 < . 1:1(0) ack 1 win 257 <sack 1001:2001,nop,nop>
            +0 %{ assert tcpi_sacked == 1, tcpi_sacked }%
            +0 < . 1001:2001(1000) ack 1 win 257
            +0 > . 5001:5001(0) ack 1 <nop,nop,sack 1001:2001>
            """);
    }

    [Fact]
    public void An_echo_has_to_be_of_a_time_stamp_that_was_sent()
    {
        const string text = """
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>
            +.02 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 99,nop,wscale 7>
            """;
        RunResult result = Scripts.FailsAt("< S.", text);
        Assert.Contains("unable to infer live TS ecr for script TS ecr 99;", result.Error, StringComparison.Ordinal);
        Scripts.Passes(text, new OptionSetting("tcp_ts_ecr_scaled", null));
    }

    [Theory]
    [InlineData("1000", "TS val 120 ecr 700", true)]
    [InlineData("1000", "TS val 150 ecr 700", false)]
    [InlineData(null, "TS val 150 ecr 700", true)]
    [InlineData("1000", "TS val 120 ecr 1", true)]
    public void Time_stamps_are_compared_where_their_clock_is_known(string? tick, string stamp, bool passes)
    {
        string text = $"""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>
            +.02 < S. 0:0(0) ack 1 win 5792 <mss 1460,sackOK,TS val 700 ecr 100,nop,wscale 7>
            +0 > . 1:1(0) ack 1 <nop,nop,{stamp}>
            """;
        RunResult result = tick == null ? Scripts.Run(text) : Scripts.Run(text, new OptionSetting("tcp_ts_tick_usecs", tick));
        Assert.True(result.Passed == passes, result.Error);
        if (!passes)
            Assert.Contains("bad outbound TCP timestamp value", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ICMP_messages_speak_of_the_connection()
    {
        Scripts.Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
            +0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 10>
            +.01 < icmp unreachable host_unreachable [0:0(0)]
            +0 getsockopt(3, SOL_SOCKET, SO_ERROR, [EHOSTUNREACH], [4]) = 0
            """);
        Scripts.Passes(Scripts.Accepted + """
            +0 write(4, ..., 1000) = 1000
            +0 > P. 1:1001(1000) ack 1
            +.01 < icmp unreachable frag_needed mtu 700 [1:1001(1000)]
            +0 > P. 1:1001(1000) ack 1
            +0 %{ assert tcpi_snd_mss == 660, tcpi_snd_mss }%
            """);
    }

    [Fact]
    public void A_packet_above_the_MTU_comes_in_as_several_segments()
    {
        Scripts.Passes("--mss=1000\n\n" + Scripts.Accepted + """
            +0 < P. 1:10001(10000) ack 1 win 257
            +0 > . 1:1(0) ack 10001
            +0 %{ assert tcpi_rcv_mss == 1000, tcpi_rcv_mss }%
            +0 read(4, ..., 20000) = 10000
            """);
    }

    [Fact]
    public void The_next_listener_gets_a_connection_of_its_own()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 close(3) = 0
            +0 close(4) = 0
            +0 > F. 1:1(0) ack 1
            +.01 < . 1:1(0) ack 2 win 257
            +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
            +0 bind(3, ..., ...) = 0
            +0 listen(3, 1) = 0
            +.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
            +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>
            +.01 < . 1:1(0) ack 1 win 257
            +0 accept(3, ..., ...) = 4
            +0 write(4, ..., 10) = 10
            +0 > P. 1:11(10) ack 1
            """);
    }
}
