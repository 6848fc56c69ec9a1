using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests.Running;

/// <summary>Calls of scripts: made, and their results compared.</summary>
public class CallTests
{
    [Theory]
    [InlineData("write(4, ..., 1000) = 999", "runtime error in write call: Expected result 999 but got 1000")]
    [InlineData("read(4, ..., 10) = 0", "runtime error in read call: Expected result 0 but got -1 with errno 11 (Resource temporarily unavailable)")]
    [InlineData("read(4, ..., 10) = -1 EPIPE (Broken pipe)", "runtime error in read call: Expected errno 32 (Broken pipe) but got 11 (Resource temporarily unavailable)")]
    [InlineData("read(9, ..., 10) = 0", "runtime error in read call: unable to find fd with script fd 9")]
    [InlineData("read(4, 5, 10) = 0", "runtime error in read call: Expected ... or NULL for buffer")]
    [InlineData("listen(4) = 0", "runtime error in listen call: Expected 2 args but got 1")]
    [InlineData("frobnicate(4) = 0", "runtime error in frobnicate call: Unknown system call: 'frobnicate'")]
    [InlineData("fcntl(4, F_NOSUCH) = 0", "runtime error in fcntl call: unknown symbol: 'F_NOSUCH'")]
    [InlineData("fcntl(4, F_GETFL) = 2", "runtime error in fcntl call: Expected result 2 but got 2050")]
    [InlineData("ioctl(4, SIOCINQ, [7]) = 0", "runtime error in ioctl call: Bad ioctl optval: expected: 7 actual: 0")]
    [InlineData("getsockopt(4, SOL_SOCKET, SO_ERROR, [1], [4]) = 0", "runtime error in getsockopt call: Bad getsockopt optval: expected: 1 actual: 0")]
    [InlineData("getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [8]) = 0", "runtime error in getsockopt call: Bad getsockopt optlen: expected: 8 actual: 4")]
    [InlineData("poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1", "runtime error in poll call: Expected revents of POLLIN but got POLLOUT for pollfd 0")]
    [InlineData("poll([{fd=4, events=POLLIN, revents=0}], 2, 0) = 0", "runtime error in poll call: nfds 2 does not match 1-element pollfd array")]
    [InlineData("sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}], msg_flags=0}, 0) = 10", "runtime error in sendmsg call: msg_iovlen 2 does not match 1-element iovec array")]
    [InlineData("socket(..., SOCK_STREAM, IPPROTO_TCP) = -1 EMFILE (Too many open files)", "runtime error in socket call: Expected result -1 but got ")]
    [InlineData("open(\"nothere\", O_RDONLY) = 7", "runtime error in open call: Expected non-negative result but got -1 with errno 2 (No such file or directory)")]
    public void What_is_not_as_written_is_said(string call, string message)
    {
        RunResult result = Scripts.FailsAt(call, Scripts.Accepted + $"""
            +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 {call}
            """);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Calls_on_descriptors()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0
            +0 fcntl(4, F_GETFL) = 0x802
            +0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1
            +0 epoll_create(1) = 5
            +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
            +0 < P. 1:1001(1000) ack 1 win 257
            +0 > . 1:1(0) ack 1001
            +0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
            +0 ioctl(4, SIOCINQ, [1000]) = 0
            +0 recv(4, ..., 100, MSG_PEEK) = 100
            +0 readv(4, [{..., 100}, {..., 200}], 2) = 300
            +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 700}], msg_flags=0}, 0) = 700
            +0 read(4, ..., 1) = -1 EAGAIN (Resource temporarily unavailable)
            +0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
            +0 writev(4, [{..., 100}, {..., 200}], 2) = 300
            +0 > P. 1:301(300) ack 1001
            +0 pipe([6, 7]) = 0
            +0 write(7, ..., 100) = 100
            +0 splice(6, NULL, 4, NULL, 100, 0) = 100
            +0 > P. 301:401(100) ack 1001
            +0 shutdown(4, SHUT_WR) = 0
            +0 > F. 401:401(0) ack 1001
            """);
    }

    [Fact]
    public void Null_buffers_and_bad_values_answer_as_Linux_does()
    {
        Scripts.Passes(Scripts.Accepted + """
            +0 write(4, NULL, 1000) = -1 EFAULT (Bad address)
            +0 send(4, 0, 1000, 0) = -1 EFAULT (Bad address)
            +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
            +0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, [8]) = 0
            +0 setsockopt(4, SOL_TCP, 4711, [1], 4) = -1 ENOPROTOOPT (Protocol not available)
            +0 close(4) = 0
            +0 > R. 1:1(0) ack 1
            """);
    }

    [Fact]
    public void Control_messages_are_compared()
    {
        const string text = Scripts.Accepted + """
            +0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
            +0 < P. 1:1001(1000) ack 1 win 257
            +0 > . 1:1(0) ack 1001
            +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 400}], msg_flags=0, msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=600}]}, 0) = 400
            """;
        Scripts.Passes(text);
        RunResult wrong = Scripts.FailsAt("recvmsg(4", text.Replace("cmsg_data=600", "cmsg_data=601", StringComparison.Ordinal));
        Assert.Contains("runtime error in recvmsg call: Bad data in cmsg 0: expected=59020000 actual=58020000", wrong.Error, StringComparison.Ordinal);
        RunResult type = Scripts.FailsAt("recvmsg(4", text.Replace("cmsg_type=TCP_CM_INQ", "cmsg_type=7", StringComparison.Ordinal));
        Assert.Contains("Bad type in cmsg 0: expected=7 actual=36", type.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_call_that_blocks_ends_when_it_should()
    {
        Scripts.Passes(Scripts.Listener + """
            +0...0.110 accept(3, ..., ...) = 4
            +.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
            +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>
            +.01 < . 1:1(0) ack 1 win 257
            +0...0.2 read(4, ..., 100) = 100
            +.2 < P. 1:101(100) ack 1 win 257
            """);
    }

    [Theory]
    [InlineData("+0...0.1", "timing error: expected system call return at 0.210025 sec but happened at 0.310025 sec; tolerance 0.012500 sec")]
    [InlineData("+0...0.3", "timing error: expected system call return at 0.410025 sec but happened at 0.310025 sec; tolerance 0.037500 sec")]
    public void A_call_that_ends_at_another_time_is_said(string time, string message)
    {
        RunResult result = Scripts.FailsAt("read(4", Scripts.Accepted + $"""
            {time} read(4, ..., 100) = 100
            +.2 < P. 1:101(100) ack 1 win 257
            +1 close(4) = 0
            """);
        Assert.EndsWith(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_call_that_never_ends_is_said()
    {
        RunResult result = Scripts.FailsAt("read(4", Scripts.Accepted + "+0...0.1 read(4, ..., 100) = 100\n");
        Assert.EndsWith("runtime error: exiting while a blocking system call is in progress", result.Error, StringComparison.Ordinal);
        RunResult two = Scripts.FailsAt("read(4, ..., 7", Scripts.Accepted + """
            +0...0.1 read(4, ..., 100) = 100
            +0...0.1 read(4, ..., 7) = 7
            """);
        Assert.EndsWith(
            "runtime error in read call: blocking system call while another blocking system call is already in progress",
            two.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_call_that_blocks_where_the_script_has_none_blocks_the_script()
    {
        RunResult result = Scripts.Run(Scripts.Listener + "+0 accept(3, ..., ...) = 4\n");
        Assert.EndsWith("runtime error in accept call: it waits for something that will never happen", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_capability_that_is_taken_away_is_missed()
    {
        Scripts.Passes("""
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +0 setsockopt(3, SOL_SOCKET, SO_MARK, [1], 4) = 0
            +0 cap_set(CAP_EFFECTIVE, CAP_NET_ADMIN, CAP_CLEAR) = 0
            +0 cap_set(CAP_EFFECTIVE, CAP_NET_RAW, CAP_CLEAR) = 0
            +0 setsockopt(3, SOL_SOCKET, SO_MARK, [1], 4) = -1 EPERM (Operation not permitted)
            """);
    }

    [Fact]
    public void Mismatches_of_calls_can_be_let_pass()
    {
        RunResult result = Scripts.Passes(
            Scripts.Accepted + "+0 write(4, ..., 1000) = 999\n", new OptionSetting("non_fatal", "syscall"));
        Assert.Contains("Expected result 999 but got 1000", Assert.Single(result.Warnings), StringComparison.Ordinal);
    }
}
