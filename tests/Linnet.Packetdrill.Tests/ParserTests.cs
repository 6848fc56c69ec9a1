using System.Collections.Immutable;
using System.Net;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

public class ParserTests
{
    private static Script Parse(string text, params OptionSetting[] commandLine) => ScriptParser.Parse("t.pkt", text, commandLine);

    private static EventAction Action(string text, params OptionSetting[] commandLine) =>
        Parse("0 " + text, commandLine).Events.Single().Action;

    private static TcpPacket Tcp(string text) => Assert.IsType<TcpPacket>(Action(text));

    private static Expression Argument(string text) => Assert.IsType<SyscallAction>(Action($"f({text}) = 0")).Arguments.Single();

    [Fact]
    public void A_script_has_options_commands_and_events()
    {
        Script script = Parse("""
            // A comment, and options.
            --tolerance_usecs=5000
            --strict_segments
            `../common/defaults.sh
             sysctl -q a.b=1`
            /* An event's line is
               that of its time. */
            0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
            +.1 < S 0:0(0)
                win 1000
            +0 %{
              assert tcpi_state == 1
            }%
            `cleanup`
            """);

        Assert.Equal(5000, script.Options.ToleranceUsecs);
        Assert.True(script.Options.StrictSegments);
        Assert.Equal(["tolerance_usecs", "strict_segments"], script.OptionLines.Select(line => line.Name));
        Assert.Equal(new CommandAction(4, "../common/defaults.sh\n sysctl -q a.b=1"), script.InitCommand);
        Assert.Equal([8, 9, 11], script.Events.Select(e => e.Line));
        Assert.Equal(new CodeAction(12, "assert tcpi_state == 1"), script.Events[2].Action);
        Assert.Equal(new CommandAction(14, "cleanup"), script.CleanupCommand);
    }

    [Theory]
    [InlineData("1.5 > . 1:1(0)", EventTimeKind.Absolute, 1_500_000L, null)]
    [InlineData("0 > . 1:1(0)", EventTimeKind.Absolute, 0L, null)]
    [InlineData("+.000029 > . 1:1(0)", EventTimeKind.Relative, 29L, null)]
    [InlineData("+ 0.29 > . 1:1(0)", EventTimeKind.Relative, 290_000L, null)]
    [InlineData("+.1~+.25 > . 1:1(0)", EventTimeKind.RelativeRange, 100_000L, 250_000L)]
    [InlineData("1 ~ 2 > . 1:1(0)", EventTimeKind.AbsoluteRange, 1_000_000L, 2_000_000L)]
    [InlineData("* > . 1:1(0)", EventTimeKind.Any, 0L, null)]
    public void Times_have_five_forms(string text, EventTimeKind kind, long usecs, long? end) =>
        Assert.Equal(new EventTime(kind, usecs, end), Parse(text).Events.Single().Time);

    [Theory]
    [InlineData(".", TcpFlagBits.Ack, false)]
    [InlineData("-", TcpFlagBits.None, false)]
    [InlineData("S.", TcpFlagBits.Syn | TcpFlagBits.Ack, false)]
    [InlineData("FRPU", TcpFlagBits.Fin | TcpFlagBits.Rst | TcpFlagBits.Psh | TcpFlagBits.Urg, false)]
    [InlineData("SEWA", TcpFlagBits.Syn | TcpFlagBits.Ece | TcpFlagBits.Cwr | TcpFlagBits.Ae, false)]
    [InlineData(".5", TcpFlagBits.Ack | TcpFlagBits.Ece | TcpFlagBits.Ae, true)]
    [InlineData("P.6", TcpFlagBits.Psh | TcpFlagBits.Ack | TcpFlagBits.Cwr | TcpFlagBits.Ae, true)]
    [InlineData("P1.", TcpFlagBits.Psh | TcpFlagBits.Ack | TcpFlagBits.Ece, true)]
    [InlineData("F.0", TcpFlagBits.Fin | TcpFlagBits.Ack, false)]
    public void Flags_are_letters_and_an_ACE_digit(string text, TcpFlagBits bits, bool isAce) =>
        Assert.Equal(new TcpFlags(bits, isAce), Tcp($"> {text} 1:1(0)").Flags);

    [Fact]
    public void A_segment_has_fields_and_options()
    {
        TcpPacket packet = Tcp("< [ect0] 1000 > 2000 P. 1:1001(1000) ack 7 win 65535 urg 5 "
            + "<mss 1460,nop,nop,sackOK,nop,wscale 8,TS val 100 ecr 4294967295,eol,nop,nop,nop,nop,nop>");

        Assert.Equal(PacketDirection.Inbound, packet.Direction);
        Assert.Equal(new IpInfo(TosCheck.Ecn, 2), packet.Ip);
        Assert.Equal(new PortPair(1000, 2000), packet.Ports);
        Assert.Equal((1u, 1000, 7u, (ushort)65535, (ushort)5),
            (packet.Sequence, packet.PayloadBytes, packet.Ack!.Value, packet.Window!.Value, packet.UrgentPointer));
        Assert.Equal(
            [new MssOption(1460), new NopOption(), new NopOption(), new SackPermittedOption(), new NopOption(),
                new WindowScaleOption(8), new TimestampOption(100, uint.MaxValue), new EolOption()],
            packet.Options!.Value.Take(8));
        Assert.Equal(28, packet.OptionBytes);
    }

    [Fact]
    public void What_is_left_out_is_not_compared()
    {
        TcpPacket packet = Tcp("> . 1:1(0) <...>");
        Assert.Null(packet.Options);
        Assert.Null(packet.Window);
        Assert.Null(packet.Ack);
        Assert.Null(packet.Ports);
        Assert.Equal(TosCheck.None, packet.Ip.Check);
        Assert.Empty(Tcp("> . 1:1(0)").Options!.Value);
    }

    [Fact]
    public void SACK_has_several_blocks()
    {
        var sack = Assert.IsType<SackOption>(Tcp("> . 1:1(0) ack 1 <nop,nop,sack 1:1001 2001:3001>").Options!.Value[2]);
        Assert.Equal([new SackRange(1, 1001), new SackRange(2001, 3001)], sack.Blocks);
        Assert.Equal(18, sack.Length);
    }

    [Theory]
    [InlineData("FO", "", false)]
    [InlineData("FO 3021b9d889017eeb", "3021B9D889017EEB", false)]
    [InlineData("FO 12345678", "12345678", false)]
    [InlineData("FOEXP abcd1234", "ABCD1234", true)]
    [InlineData("FO COOKIE", "0011223344556677", false)]
    [InlineData("FO TFO_COOKIE", "3021B9D889017EEB", false)]
    public void Cookies_are_hexadecimal_or_symbols(string text, string cookie, bool experimental)
    {
        int padding = (4 - (cookie.Length / 2 + (experimental ? 4 : 2)) % 4) % 4;
        string nops = string.Concat(Enumerable.Repeat(",nop", padding));
        var packet = (TcpPacket)Action($"> S 0:0(0) <{text}{nops}>", new OptionSetting("define", "COOKIE=0011223344556677"));
        var option = Assert.IsType<FastOpenOption>(packet.Options!.Value[0]);
        Assert.Equal(cookie, Convert.ToHexString(option.Cookie.AsSpan()));
        Assert.Equal(experimental, option.Experimental);
    }

    [Fact]
    public void AccECN_counters_come_in_two_orders_and_may_be_cut()
    {
        var option = Assert.IsType<AccEcnOption>(Tcp("> . 1:1(0) <ECN e1b 1 ceb 2 e0b 3,nop>").Options!.Value[0]);
        Assert.True(option.E1First);
        Assert.Equal([1u, 2u, 3u], option.Counters);
        option = Assert.IsType<AccEcnOption>(Tcp("> . 1:1(0) <ECN e0b 1 ceb 2>").Options!.Value[0]);
        Assert.False(option.E1First);
        Assert.Equal(8, option.Length);
        Assert.Equal(5, Assert.IsType<AccEcnOption>(Tcp("> . 1:1(0) <ECN e0b 1,nop,nop,nop>").Options!.Value[0]).Length);
    }

    [Theory]
    [InlineData("[noecn]", TosCheck.Ecn, 0)]
    [InlineData("[ect1]", TosCheck.Ecn, 1)]
    [InlineData("(ce)", TosCheck.Ecn, 3)]
    [InlineData("[ect01]", TosCheck.Ect01, 0)]
    [InlineData("[tos 0x1c]", TosCheck.Tos, 0x1c)]
    public void IP_fields_stand_before_the_flags(string text, TosCheck check, byte tos) =>
        Assert.Equal(new IpInfo(check, tos), Tcp($"> {text} . 1:1(0)").Ip);

    [Fact]
    public void ICMP_has_type_code_MTU_and_what_it_speaks_of()
    {
        var packet = Assert.IsType<IcmpPacket>(Action("< icmp unreachable frag_needed mtu 1400 [1:1001(1000)]"));
        Assert.Equal((3, 4, 1400u), (packet.Type, packet.Code, packet.Mtu!.Value));
        Assert.Equal(new EchoedPacket(IPPROTO_TCP, 1, 1000), packet.Echoed);
        packet = Assert.IsType<IcmpPacket>(Action("< icmp unreachable CODE [udp (10)]"));
        Assert.Equal((3, 1), (packet.Type, packet.Code));
        Assert.Equal(new EchoedPacket(IPPROTO_UDP, 0, 10), packet.Echoed);
        packet = Assert.IsType<IcmpPacket>(Action("< icmp type_9 code_7"));
        Assert.Equal((9, 7), (packet.Type, packet.Code));
        packet = Assert.IsType<IcmpPacket>(Action("< icmp packet_too_big mtu 1280", new OptionSetting("ip_version", "ipv6")));
        Assert.Equal((2, 0, 1280u), (packet.Type, packet.Code, packet.Mtu!.Value));
    }

    [Fact]
    public void UDP_has_a_length() =>
        Assert.Equal(1000, Assert.IsType<UdpPacket>(Action("< udp 1 > 2 (1000)")).PayloadBytes);

    [Fact]
    public void Tunnels_are_read_so_that_a_run_can_refuse_them()
    {
        TcpPacket packet = Tcp("< ipv6 fd3d::1 > fd3d::2: gre: mpls (label 0, tc 0, [S], ttl 0): encap psp spi 0x1 . 1:1(0) win 1");
        Assert.Equal(["ipv6", "gre", "mpls", "psp"], packet.Outer.Select(outer => outer.Kind));
    }

    [Fact]
    public void A_call_has_a_result_an_error_and_an_end()
    {
        var call = Assert.IsType<SyscallAction>(Action("...0.5 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)"));
        Assert.Equal(("read", 500_000L), (call.Name, call.EndUsecs!.Value));
        Assert.Equal(3, call.Arguments.Length);
        Assert.Equal(new IntegerExpression(1, -1, false), call.Result);
        Assert.Equal(new ErrnoSpec("EAGAIN", "Resource temporarily unavailable"), call.Error);

        call = Assert.IsType<SyscallAction>(Action("fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)"));
        Assert.Equal(new IntegerExpression(1, 2, true), call.Result);
        Assert.Equal("flags O_RDWR", call.Note);
        Assert.Null(call.Error);
        Assert.Empty(Assert.IsType<SyscallAction>(Action("f() = ...")).Arguments);
    }

    [Fact]
    public void Arguments_are_numbers_words_strings_and_lists()
    {
        Assert.IsType<EllipsisExpression>(Argument("..."));
        Assert.Equal(new IntegerExpression(1, 0xffffffff, true), Argument("0xffffffff"));
        var or = Assert.IsType<OrExpression>(Argument("O_RDWR | O_NONBLOCK | 1"));
        Assert.Equal(new OrExpression(1, new WordExpression(1, "O_RDWR"), new WordExpression(1, "O_NONBLOCK")), or.Left);
        Assert.Equal(2, Assert.IsType<ListExpression>(Argument("[5, 6]")).Items.Length);
        var text = Assert.IsType<StringExpression>(Argument("\"a\\x10\\n\" \"\\0z\"..."));
        Assert.Equal("a\u0010\n\0z"u8, text.Bytes.AsSpan());
        Assert.True(text.IsPrefix);
        Assert.Equal(0xC0000201u, Assert.IsType<InetAddrExpression>(Argument("inet_addr(\"192.0.2.1\")")).Address);
    }

    [Fact]
    public void Braces_are_structures_by_their_first_member()
    {
        var poll = (PollfdExpression)Argument("{fd=4, events=POLLIN|POLLOUT}");
        Assert.Equal(new IntegerExpression(1, 0, false), poll.Revents);
        Assert.Equal(EpollDataKind.Ptr, ((EpollEventExpression)Argument("{events=EPOLLIN, ptr=0}")).DataKind);
        Assert.Equal(new LingerExpression(1, 1, 30), Argument("{onoff=1, linger=30}"));
        Assert.Equal(new IovecExpression(1, 1000), Argument("{..., 1000}"));
        Assert.Equal(8080, ((SockaddrExpression)Argument(
            "{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"192.0.2.1\")}")).Port);
        var message = (MsghdrExpression)Argument("""
            {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE,
             msg_control=[{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR,
                           cmsg_data={ee_errno=0, ee_origin=5, ee_type=0, ee_code=1, ee_info=0, ee_data=1}},
                          {cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=1, scm_nsec=5}}]}
            """);
        var error = (CmsgExpression)message.Control.Items[0];
        Assert.Equal("SOL_IP", Assert.IsType<WordExpression>(error.Level).Name);
        Assert.IsType<SockExtendedErrExpression>(error.Data);
        Assert.IsType<ScmTimestampingExpression>(((CmsgExpression)message.Control.Items[1]).Data);
        Assert.IsType<FieldExpression>(((StructExpression)Argument("{a=1, 2}")).Items[0]);
    }

    [Fact]
    public void Symbols_stand_for_numbers_words_strings_and_commands()
    {
        Script script = Parse("""
            --define=PROTO=IPPROTO_TCP
            --define=FD=3
            --define=NAME="reno"
            --define=CLEAN=`rm x`
            0 f(PROTO, FD, NAME) = 0
            CLEAN
            """, new OptionSetting("define", "FD=0x4"));

        ImmutableArray<Expression> arguments = ((SyscallAction)script.Events[0].Action).Arguments;
        Assert.Equal(new WordExpression(5, "IPPROTO_TCP"), arguments[0]);
        Assert.Equal(new IntegerExpression(5, 4, true), arguments[1]);
        Assert.Equal("reno", Assert.IsType<StringExpression>(arguments[2]).Text);
        Assert.Equal("rm x", script.CleanupCommand!.CommandLine);
    }

    [Fact]
    public void The_command_lines_options_win()
    {
        Script script = Parse("--mtu=1400\n--remote_ip=192.0.2.9/24\n--non_fatal=packet,syscall\n0 `true`", new OptionSetting("mtu", "9000"));
        Assert.Equal(9000, script.Options.Mtu);
        Assert.Equal((IPAddress.Parse("192.0.2.9"), 24), (script.Options.RemoteIp, script.Options.RemotePrefixLength));
        Assert.True(script.Options.NonFatalPacket && script.Options.NonFatalSyscall);
    }

    [Theory]
    [InlineData("0 foo", "t.pkt:1: parse error at 'end of file' (column 6): expected '('")]
    [InlineData("\n\n  x", "t.pkt:3: parse error at 'x' (column 3): expected an event's time")]
    [InlineData("0 < . 1:1(0)", "t.pkt:1: semantic error: window must be specified for inbound packets")]
    [InlineData("0 > X. 1:1(0)", "t.pkt:1: semantic error: Invalid TCP flag: 'X'")]
    [InlineData("0 > E.5 1:1(0)", "t.pkt:1: semantic error: Conflicting TCP flag: '5'")]
    [InlineData("0 > . 1:2(0)", "t.pkt:1: semantic error: inconsistent TCP sequence numbers and payload size")]
    [InlineData("0 > . 1:1(0) <mss 1>\n\n0 > . 1:1(0) <nop>", "t.pkt:3: semantic error: TCP options are not padded correctly to ensure TCP header is a multiple of 4 bytes: 1 excess bytes")]
    [InlineData("0 < . 1:1(0) win 1 <...>", "t.pkt:1: semantic error: <...> for TCP options can only be used with outbound packets")]
    [InlineData("0 < . 1:1(0) win 65536", "t.pkt:1: semantic error: TCP window value out of range")]
    [InlineData("* < . 1:1(0) win 1", "t.pkt:1: semantic error: event time <star> can only be used with outbound packets")]
    [InlineData("0~1 close(3) = 0", "t.pkt:1: semantic error: event time range can only be used with outbound packets")]
    [InlineData("2~1 > . 1:1(0)", "t.pkt:1: semantic error: time range is backwards")]
    [InlineData("-1 > . 1:1(0)", "t.pkt:1: semantic error: negative time")]
    [InlineData("0 `true", "t.pkt:1: parse error: the command is not closed")]
    [InlineData("0 < icmp unreachable nowhere", "t.pkt:1: semantic error: bad ICMP code nowhere")]
    [InlineData("0 f({fd=1, revents=2}) = 0", "t.pkt:1: parse error at 'revents' (column 12): expected 'events'")]
    [InlineData("0 `a` `b` `c`", "t.pkt:1: parse error at 'c' (column 11): expected the end of the script, after its last command")]
    [InlineData("--nothing=1\n0 `a`", "t.pkt:1: option 'nothing' unknown")]
    [InlineData("--mtu\n0 `a`", "t.pkt:1: option 'mtu' requires an argument")]
    [InlineData("--verbose=1\n0 `a`", "t.pkt:1: option 'verbose' forbids an argument")]
    [InlineData("--mss=0\n0 `a`", "t.pkt:1: bad --mss: 0")]
    [InlineData("--wire_client\n0 `a`", "t.pkt:1: option 'wire_client' is not offered: there is no wire to a second machine")]
    [InlineData("0 > S 0:0(0) <FO abc,nop>", "t.pkt:1: semantic error: TCP fast open cookie has an odd number of digits")]
    public void Errors_name_file_and_line(string text, string message)
    {
        ScriptException e = Assert.Throws<ScriptException>(() => Parse(text));
        Assert.Equal(message, e.Message);
    }
}
