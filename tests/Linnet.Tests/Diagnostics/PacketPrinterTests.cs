using System.Buffers.Binary;
using System.Net;
using System.Net.NetworkInformation;
using CsCheck;
using Linnet.Diagnostics;
using PacketDotNet;

namespace Linnet.Tests.Diagnostics;

public class PacketPrinterTests
{
    private static readonly IPAddress Client = IPAddress.Parse("10.0.0.2");
    private static readonly IPAddress Server = IPAddress.Parse("10.0.0.1");
    private readonly PacketPrinter printer = new();

    [Fact]
    public void Tcp_handshake_and_data_with_relative_numbers()
    {
        byte[] options = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7];
        Assert.Equal(
            "IP 10.0.0.2.40000 > 10.0.0.1.80: Flags [S], seq 1000, win 64240, "
                + "options [mss 1460,sackOK,TS val 7 ecr 0,nop,wscale 7], length 0",
            Print(Tcp(Client, Server, 40000, 80, 1000, 0, syn: true, options: options)));
        Assert.Equal("IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [S.], seq 4294967295, ack 1, win 64240, length 0",
            Print(Tcp(Server, Client, 80, 40000, uint.MaxValue, 1001, syn: true)));
        Assert.Equal("IP 10.0.0.2.40000 > 10.0.0.1.80: Flags [P.], seq 1:19, ack 1, win 64240, length 18: HTTP: GET / HTTP/1.1",
            Print(Tcp(Client, Server, 40000, 80, 1001, 0, payload: "GET / HTTP/1.1\r\n\r\n"u8.ToArray())));
        Assert.Equal("IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [.], ack 19, win 64240, length 0",
            Print(Tcp(Server, Client, 80, 40000, 0, 1019)));
        Assert.Equal("IP 10.0.0.1.80 > 10.0.0.2.40000: Flags [F.], seq 1, ack 19, win 64240, length 0",
            Print(Tcp(Server, Client, 80, 40000, 0, 1019, fin: true)));
    }

    [Fact]
    public void A_new_connection_on_old_ports_counts_from_its_own_beginning()
    {
        Print(Tcp(Client, Server, 40000, 80, 1000, 0, syn: true));
        Print(Tcp(Server, Client, 80, 40000, 5000, 1001, syn: true));
        Print(Tcp(Client, Server, 40000, 80, 777, 0, syn: true));
        Assert.Contains("seq 9000, ack 1,", Print(Tcp(Server, Client, 80, 40000, 9000, 778, syn: true)));
    }

    [Fact]
    public void Selective_acknowledgements()
    {
        byte[] options = [1, 1, 5, 10, 0, 0, 0, 100, 0, 0, 0, 200];
        Assert.Contains("options [nop,nop,sack 1 {100:200}]", Print(Tcp(Client, Server, 1, 2, 5, 6, options: options)));
    }

    [Fact]
    public void Udp()
    {
        var udp = new UdpPacket(5353, 53) { PayloadData = new byte[30] };
        Assert.Equal("IP 10.0.0.2.5353 > 10.0.0.1.53: UDP, length 30", Print(Ip(Client, Server, udp)));
    }

    [Fact]
    public void Arp()
    {
        var mac = PhysicalAddress.Parse("020000000001");
        var request = new ArpPacket(ArpOperation.Request, PhysicalAddress.Parse("000000000000"), Server, mac, Client);
        var reply = new ArpPacket(ArpOperation.Response, mac, Client, mac, Server);
        Assert.Equal("ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28", printer.Print(Ether(request, EthernetType.Arp)));
        Assert.Equal("ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28", printer.Print(Ether(reply, EthernetType.Arp)));
    }

    [Fact]
    public void Icmp_echo_and_port_unreachable()
    {
        var inner = Ip(Server, Client, new UdpPacket(9, 777) { PayloadData = new byte[4] }).AsSpan(14);
        byte[] echo = [8, 0, 0, 0, 0, 5, 0, 6, .. new byte[48]];
        byte[] unreachable = [3, 3, 0, 0, 0, 0, 0, 0, .. inner];
        Assert.Equal("IP 10.0.0.2 > 10.0.0.1: ICMP echo request, id 5, seq 6, length 56", Print(Ipv4(1, echo)));
        Assert.Equal("IP 10.0.0.2 > 10.0.0.1: ICMP 10.0.0.2 udp port 777 unreachable, length 40", Print(Ipv4(1, unreachable)));
    }

    [Fact]
    public void Packets_without_a_link_header() =>
        Assert.Equal("IP 10.0.0.2 > 10.0.0.1: SCTP, length 0", printer.Print(Ipv4(132, []).AsSpan(14), PacketLink.Ip));

    [Fact]
    public void A_packet_cut_short_anywhere_is_printed_without_harm()
    {
        byte[] packet = Tcp(Client, Server, 40000, 80, 1, 1, options: [1, 3, 3, 7], payload: "HTTP/1.1 200"u8.ToArray());
        for (int length = 0; length <= packet.Length; length++)
            Assert.NotEmpty(printer.Print(packet.AsSpan(0, length)));
    }

    [Fact]
    public void No_bytes_make_it_throw()
    {
        byte[] packet = Tcp(Client, Server, 40000, 80, 1, 1, options: [2, 4, 5, 180, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        Gen.Select(Gen.Int[0, packet.Length - 1], Gen.Byte, Gen.Int[0, packet.Length - 1], Gen.Byte, Gen.Bool)
            .Sample((at, value, at2, value2, isRaw) =>
            {
                byte[] mutated = [.. packet];
                mutated[at] = value;
                mutated[at2] = value2;
                Assert.NotEmpty(printer.Print(isRaw ? mutated.AsSpan(14) : mutated, isRaw ? PacketLink.Ip : PacketLink.Ethernet));
            }, threads: 1);
        Gen.Byte.Array[0, 100].Sample(bytes => Assert.NotEmpty(printer.Print(bytes)), threads: 1);
    }

    private string Print(byte[] frame) => printer.Print(frame);

    private static byte[] Tcp(IPAddress from, IPAddress to, ushort fromPort, ushort toPort, uint seq, uint ack,
        bool syn = false, bool fin = false, byte[]? options = null, byte[]? payload = null)
    {
        // By hand: PacketDotNet sets no options that make a header longer than it was.
        int headerLength = 20 + (options?.Length ?? 0);
        byte[] segment = [.. new byte[20], .. options ?? [], .. payload ?? []];
        BinaryPrimitives.WriteUInt16BigEndian(segment, fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), toPort);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), seq);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), ack);
        segment[12] = (byte)(headerLength / 4 << 4);
        bool hasAck = !syn || ack != 0;
        segment[13] = (byte)((fin ? 1 : 0) | (syn ? 2 : 0) | (payload != null ? 8 : 0) | (hasAck ? 16 : 0));
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(14), 64240);
        return Ipv4(6, segment, from, to);
    }

    private static byte[] Ip(IPAddress from, IPAddress to, TransportPacket transport) =>
        Ether(new IPv4Packet(from, to) { PayloadPacket = transport }, EthernetType.IPv4);

    private static byte[] Ipv4(byte protocol, byte[] payload, IPAddress? from = null, IPAddress? to = null) =>
        Ether(new IPv4Packet(from ?? Client, to ?? Server) { Protocol = (ProtocolType)protocol, PayloadData = payload }, EthernetType.IPv4);

    private static byte[] Ether(Packet payload, EthernetType type)
    {
        var frame = new EthernetPacket(PhysicalAddress.Parse("020000000001"), PhysicalAddress.Parse("020000000002"), type)
        {
            PayloadPacket = payload,
        };
        if (payload is IPv4Packet ip)
            ip.UpdateCalculatedValues();
        frame.UpdateCalculatedValues();
        return frame.Bytes;
    }
}
