using System.Buffers.Binary;
using System.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>
/// Requirements of RFC 9293 that no other test shows; docs/requirements.md has the list of all. The windows, urgent data,
/// options, addresses and ICMP messages are here.
/// </summary>
public sealed class TcpRequirementTests
{
    private const int IcmpUnreachable = 3;
    private const int IcmpSourceQuench = 4;
    private const int IcmpTimeExceeded = 11;
    private const int IcmpParameterProblem = 12;

    [Fact]
    public void A_window_above_half_of_its_field_is_not_negative()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 65535, setup: listener => bench.Set(listener, SOL_SOCKET, SO_SNDBUF, 200_000));
        bench.Write(fd, 200_000);
        uint acked = 1;
        long flight = 0;
        for (int round = 0; round < 7; round++)
        {
            int sent = bench.TakeAll().Sum(segment => segment.Length);
            flight = Math.Max(flight, sent);
            acked += (uint)sent;
            bench.In($". 1:1(0) ack {acked} win 65535");
        }

        bench.TakeAll();
        Assert.InRange(flight, 64_000, 65_535);
    }

    [Fact]
    public void A_window_that_shrinks_stops_new_data_and_no_retransmission_within_it()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 5000);
        bench.Write(fd, 9000);
        Assert.Equal(5, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 1001 win 2000");
        bench.Nothing();

        // Nothing new; what is between SND.UNA and the right edge is sent again, however long it takes.
        List<TcpSegment> sent = [];
        for (int i = 0; i < 6; i++)
        {
            bench.Wait(1000 << i);
            sent.AddRange(bench.TakeAll());
        }

        Assert.NotEmpty(sent);
        Assert.All(sent, segment => Assert.InRange(segment.Seq + (uint)segment.Length, 1001u, 3001u));
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.In(". 1:1(0) ack 5001 win 5000");
        Assert.Equal(5001u, bench.Take().Seq);
        bench.TakeAll();
    }

    [Fact]
    public void A_window_may_stay_closed_for_hours_while_probes_are_answered()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 2000);
        bench.Write(fd, 3000);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.In(". 1:1(0) ack 2001 win 0");
        for (int minutes = 0; minutes < 300; minutes++)
        {
            bench.Wait(60_000);
            foreach (TcpSegment probe in bench.TakeAll())
                bench.In(". 1:1(0) ack 2001 win 0");
        }

        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.In(". 1:1(0) ack 2001 win 2000");
        bench.Out("P. 2001:3001(1000) ack 1");
    }

    [Fact]
    public void A_closed_window_keeps_neither_urgent_data_nor_resets_out()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_RCVBUF, 2304));
        uint next = FillWindow(bench);
        List<int> signals = Signals(bench, fd);
        bench.In($"U. {next}:{next}(0) ack 1 win 65535 urg 1");
        Assert.Equal([SignalH.SIGURG], signals);
        bench.TakeAll();
        bench.In($"R {next}:{next}(0) win 0");
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        Assert.Equal(ECONNRESET, bench.Error(fd));
    }

    [Fact]
    public void Urgent_data_may_be_of_any_length()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(3500, bench.Calls.Send(fd, new byte[3500], MSG_OOB));
        uint at = 1;
        foreach (TcpSegment segment in bench.TakeAll())
        {
            // Each points behind the last urgent octet.
            Assert.Contains('U', segment.Flags);
            Assert.Equal(at, segment.Seq);
            Assert.Equal(3501u, segment.Seq + (uint)segment.Urgent!.Value);
            at += (uint)segment.Length;
        }

        Assert.Equal(3501u, at);
    }

    [Fact]
    public void A_program_is_told_of_urgent_data_by_a_signal_and_of_more_by_another()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        List<int> signals = Signals(bench, fd);
        bench.In("PU. 1:11(10) ack 1 win 65535 urg 10");
        Assert.Equal([SignalH.SIGURG], signals);
        bench.In("PU. 11:21(10) ack 1 win 65535 urg 10");
        Assert.Equal([SignalH.SIGURG, SignalH.SIGURG], signals);
    }

    [Fact]
    public void Unknown_options_are_passed_over_in_any_segment_and_at_any_offset()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpTimestamps = 1);
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <nop,raw FD04ABCD,mss 1000,nop,raw FE030A,TS val 5 ecr none>");
        Assert.Contains("TS val", bench.Take().Options);
        bench.In(". 1:1(0) ack 1 win 1000 <raw FD03AA,TS val 6 ecr 0>");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        bench.In("P. 1:11(10) ack 1 win 1000 <nop,nop,nop,TS val 7 ecr 0,raw FD0401020304,eol>");
        bench.Read(fd, 10);
        bench.TakeAll();
    }

    [Theory]
    [InlineData("raw FD00")]
    [InlineData("raw FD01")]
    [InlineData("raw FDFF")]
    [InlineData("raw 0200")]
    [InlineData("raw 0301")]
    public void Options_of_impossible_length_do_no_harm(string option)
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In($"P. 1:11(10) ack 1 win 1000 <{option}>");
        bench.Read(fd, 10);
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.TakeAll();
    }

    [Fact]
    public void The_MSS_offered_follows_from_the_MTU_and_is_in_SYNs_only()
    {
        using TcpBench bench = new(mtu: 1280);
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1 <mss 1240>");
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.In("P. 1:11(10) ack 1 win 1000");
        bench.Wait(300);
        bench.Out(". 1:1(0) ack 11 <>");
    }

    [Fact]
    public void What_a_segment_may_hold_is_less_by_its_options()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpTimestamps = 1);
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 65535 <mss 1000,TS val 5 ecr none>");
        bench.Take();
        bench.In(". 1:1(0) ack 1 win 65535 <nop,nop,TS val 6 ecr 0>");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        bench.Write(fd, 2000);
        bench.Out(". 1:989(988) ack 1");

        // And never more than the link carries, whatever the peer could take.
        using TcpBench narrow = new(mtu: 576);
        int other = narrow.Accepted(options: "mss 1460");
        narrow.Write(other, 2000);
        narrow.Out(". 1:537(536) ack 1");
        narrow.TakeAll();
        bench.TakeAll();
    }

    [Fact]
    public void Initial_sequence_numbers_follow_a_clock_for_one_peer_and_tell_nothing_of_others()
    {
        using TcpBench bench = new();
        bench.Listener();
        uint first = AnswerTo(bench, 1000);
        bench.Wait(100);
        uint later = AnswerTo(bench, 1000);

        // One each 64 ns, of which 2^32 pass in 4.55 minutes (RFC 6528 with Linux's clock).
        Assert.InRange(later - first, 100_000_000u / 64 - 1000, 100_000_000u / 64 + 200_000);
        HashSet<uint> others = [.. Enumerable.Range(2000, 200).Select(port => AnswerTo(bench, (ushort)port) >> 16)];
        Assert.True(others.Count > 150, "they are close to each other");

        using TcpBench another = new(seed: 2);
        another.Listener();
        Assert.NotEqual(first >> 16, AnswerTo(another, 1000) >> 16);
    }

    [Fact]
    public void Nothing_is_opened_to_a_broadcast_address_or_a_group()
    {
        using TcpBench bench = new();
        foreach (string address in new[] { "192.0.2.255", "255.255.255.255", "224.0.0.1" })
        {
            int fd = bench.Socket();
            Assert.Equal(-ENETUNREACH, bench.Calls.Connect(fd, Syscalls.Sockaddr(new IPEndPoint(IPAddress.Parse(address), 80))));
        }

        bench.Nothing();
    }

    [Theory]
    [InlineData(0xC00002FF, 0xC0000202)]
    [InlineData(0xFFFFFFFF, 0xC0000202)]
    [InlineData(0xE0000001, 0xC0000202)]
    [InlineData(0xC0000201, 0xE0000001)]
    [InlineData(0xC0000201, 0xFFFFFFFF)]
    [InlineData(0xC0000201, 0x7F000001)]
    public void A_SYN_to_or_from_an_address_of_many_is_dropped_in_silence(uint to, uint from)
    {
        using TcpBench bench = new();
        bench.Listener();
        bench.In(TcpSegment.Parse("S 0:0(0) win 1000 <mss 1000>").ToPacket(new TcpFlow { HostAddress = to, PeerAddress = from }));
        bench.Nothing();
        Assert.Equal("LISTEN", TcpStates.Of(bench.Ipv4));
    }

    [Fact]
    public void Listeners_of_one_port_at_several_addresses_do_not_disturb_each_other()
    {
        using TcpBench bench = new();
        using (KernelEntry entry = bench.Machine.Enter())
            Assert.Equal(0, Devinet.InetAddrAdd(bench.Calls.Host.Namespace.Devices.All.First(dev => dev.Name == "tun0"), 0xC0000203, 24));
        int[] fds = new int[2];
        for (int i = 0; i < 2; i++)
        {
            fds[i] = bench.Socket();
            Assert.Equal(0, bench.Calls.Bind(fds[i], Syscalls.Sockaddr(new IPEndPoint(IPAddress.Parse($"192.0.2.{1 + 2 * i}"), 80))));
            Assert.Equal(0, bench.Calls.Listen(fds[i], 4));
        }

        bench.Flow = new TcpFlow { HostAddress = 0xC0000203 };
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.In(". 1:1(0) ack 1 win 1000");
        Assert.Equal(-EAGAIN, bench.Calls.Accept4(fds[0], 0));
        Assert.True(bench.Calls.Accept4(fds[1], 0) >= 0);
    }

    [Fact]
    public void A_reset_may_carry_data()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("R. 1:21(20) ack 1 win 0");
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        Assert.Equal(ECONNRESET, bench.Error(fd));
        Assert.Equal(0, bench.TryRead(fd));
    }

    [Fact]
    public void TTL_and_type_of_service_are_the_programs_to_choose_at_any_time()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, SOL_IP, InH.IP_TTL, 7);
        bench.Set(fd, SOL_IP, InH.IP_TOS, 0xB8);
        bench.Write(fd, 10);
        bench.Take();
        Assert.Equal((0xB8, 7), (bench.LastTaken[1], bench.LastTaken[8]));
        bench.Set(fd, SOL_IP, InH.IP_TOS, 0x20);
        bench.Write(fd, 10);
        bench.In(". 1:1(0) ack 11 win 65535");
        bench.Take();
        Assert.Equal(0x20, bench.LastTaken[1]);
    }

    [Theory]
    [InlineData(IcmpUnreachable, 0, ENETUNREACH)]
    [InlineData(IcmpUnreachable, 1, EHOSTUNREACH)]
    [InlineData(IcmpUnreachable, 5, EOPNOTSUPP)]
    [InlineData(IcmpTimeExceeded, 0, EHOSTUNREACH)]
    [InlineData(IcmpParameterProblem, 0, EPROTO)]
    public void A_complaint_of_a_router_ends_no_connection_but_can_be_asked_for(byte type, byte code, int error)
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Take();
        bench.InIcmp(type, code);

        // A soft error is told once, to who asks; calls do not fail by it.
        Assert.Equal(100, bench.Calls.Send(fd, new byte[100], 0));
        Assert.Equal((TCP_ESTABLISHED, error), (bench.State(fd), bench.Error(fd)));
        Assert.Equal(0, bench.Error(fd));
        bench.Set(fd, SOL_IP, InH.IP_RECVERR, 1);
        bench.InIcmp(type, code);
        Assert.Equal((TCP_ESTABLISHED, -error), (bench.State(fd), (int)bench.Calls.Send(fd, new byte[100], 0)));
        bench.TakeAll();
        bench.In(". 1:1(0) ack 101 win 65535");
    }

    [Theory]
    [InlineData(2, ENOPROTOOPT)]
    [InlineData(3, ECONNREFUSED)]
    [InlineData(1, EHOSTUNREACH)]
    public void A_complaint_about_a_SYN_ends_the_attempt(byte code, int error)
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.InIcmp(IcmpUnreachable, code);
        Assert.Equal((TCP_CLOSE, error), (bench.State(fd), bench.Error(fd)));
    }

    [Fact]
    public void Source_quench_is_passed_over()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        uint before = bench.Info(fd).TcpiSndCwnd;
        bench.Write(fd, 100);
        bench.Take();
        bench.Set(fd, SOL_IP, InH.IP_RECVERR, 1);
        bench.InIcmp(IcmpSourceQuench, 0);
        Assert.Equal((TCP_ESTABLISHED, 0, before), (bench.State(fd), bench.Error(fd), bench.Info(fd).TcpiSndCwnd));
        bench.Nothing();
    }

    [Fact]
    public void IP_options_that_are_not_known_are_passed_over()
    {
        using TcpBench bench = new();
        bench.Listener();

        // Security (RFC 1108), which nobody understands, and padding.
        bench.In(WithOptions(bench, "S 0:0(0) win 1000 <mss 1000>", [0x82, 3, 0x61, 0]));
        bench.Out("S. 0:0(0) ack 1");
    }

    [Fact]
    public void A_program_may_choose_the_route_of_its_segments()
    {
        using TcpBench bench = new();
        bench.Connecting(fd => Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_IP, InH.IP_OPTIONS, [131, 7, 4, 192, 0, 2, 254])));
        bench.Out("S 0:0(0)");

        // To the first hop, with the end of the way in the option.
        Assert.Equal([192, 0, 2, 254], bench.LastTaken[16..20].ToArray());
        Assert.Equal([131, 7, 4, 192, 0, 2, 2, 0], bench.LastTaken[20..28].ToArray());
    }

    [Fact]
    public void An_answer_goes_back_the_way_that_its_SYN_was_sent()
    {
        using TcpBench bench = new();
        bench.Calls.Host.SetSysctl("net.ipv4.conf.all.accept_source_route", "1");
        bench.Calls.Host.SetSysctl("net.ipv4.conf.tun0.accept_source_route", "1");
        bench.Listener();

        // A route that has been travelled: the pointer is behind the last address.
        bench.In(WithOptions(bench, "S 0:0(0) win 1000 <mss 1000>", [131, 7, 8, 192, 0, 2, 254, 0]));
        bench.Out("S. 0:0(0) ack 1");
        Assert.Equal([192, 0, 2, 254], bench.LastTaken[16..20].ToArray());
        Assert.Equal([131, 7, 4, 192, 0, 2, 2], bench.LastTaken[20..27].ToArray());
    }

    [Fact]
    public void Retransmissions_can_be_seen_long_before_the_end()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Wait(5000);
        Assert.True(bench.Info(fd).TcpiRetransmits >= 3);
        Assert.Equal((TCP_ESTABLISHED, 0), (bench.State(fd), bench.Error(fd)));
        bench.TakeAll();
    }

    [Fact]
    public void Limits_of_retransmission_are_Linuxs()
    {
        using TcpBench bench = new();
        Assert.Equal((3, 15), (bench.Ipv4.SysctlTcpRetries1, bench.Ipv4.SysctlTcpRetries2));
    }

    private static List<int> Signals(TcpBench bench, int fd)
    {
        List<int> signals = [];
        bench.Calls.Task.SignalSent = signals.Add;
        Assert.Equal(0, bench.Calls.Fcntl(fd, F_SETOWN, bench.Calls.Task.Pid));
        return signals;
    }

    // The peer's segment with options in its IP header.
    private static byte[] WithOptions(TcpBench bench, string segment, byte[] options)
    {
        byte[] plain = TcpSegment.Parse(segment).ToPacket(bench.Flow);
        byte[] packet = [.. plain.AsSpan(0, Iphdr.Size), .. options, .. plain.AsSpan(Iphdr.Size)];
        packet[0] = (byte)(0x45 + options.Length / 4);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        packet[10] = packet[11] = 0;
        Span<byte> header = packet.AsSpan(0, Iphdr.Size + options.Length);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], Checksum.CsumFold(Checksum.CsumPartial(header, 0)));
        return packet;
    }

    private static uint AnswerTo(TcpBench bench, ushort port)
    {
        bench.Flow = new TcpFlow { PeerPort = port };
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Take();
        uint isn = bench.Flow.HostIsn;
        bench.In("R 1:1(0) win 0");
        return isn;
    }

    // Sends until the window is closed; returns the next sequence number.
    private static uint FillWindow(TcpBench bench)
    {
        uint next = 1;
        for (int i = 0; i < 200; i++)
        {
            bench.In($"P. {next}:{next + 100}(100) ack 1 win 65535");
            bench.Wait(300);
            TcpSegment answer = bench.TakeAll()[^1];
            next = answer.Ack!.Value;
            if (answer.Window == 0)
                return next;
        }

        Assert.Fail("the window never closes");
        return 0;
    }
}
