using System.Net;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Net;

/// <summary>What a TUN device leaves to the program at its other end, and takes from it.</summary>
public class TunOffloadTests
{
    private static readonly IPAddress Peer = IPAddress.Parse("192.0.2.2");

    [Theory]
    [InlineData(0, 0)]
    [InlineData(TUN_F_CSUM, 0)]
    [InlineData(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, 0)]
    [InlineData(TUN_F_TSO4, -EINVAL)]
    [InlineData(0x10000, -EINVAL)]
    public void Segmentation_needs_checksums(uint offload, int result)
    {
        using Network network = Network.Simulate();
        Host host = network.AddHost("host");
        Tun tun = host.AddTun(tap: false, IPNetworkAddress.Parse("192.0.2.1/24"));
        Assert.Equal(result, tun.SetOffload(offload));
    }

    [Theory]
    [InlineData(0, new[] { 1460, 1460, 1080 })]
    [InlineData(TUN_F_CSUM | TUN_F_TSO4, new[] { 4000 })]
    public void A_program_that_can_segment_gets_segments_in_one_piece(uint offload, int[] payloads)
    {
        using Network network = Network.Simulate();
        Host host = network.AddHost("host");
        Tun tun = host.AddTun(tap: false, IPNetworkAddress.Parse("192.0.2.1/24"));
        Assert.Equal(0, tun.SetOffload(offload));
        List<byte[]> sent = [];
        tun.Transmit = frame => sent.Add(frame.ToArray());
        TcpFlow flow = new() { HostAddress = 0xC0000201, PeerAddress = 0xC0000202, PeerPort = 80 };
        Syscalls calls = host.Syscalls;
        int fd = calls.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        Assert.Equal(-EINPROGRESS, calls.Connect(fd, Syscalls.Sockaddr(new IPEndPoint(Peer, 80))));
        Tcphdr syn = new(sent[^1].AsSpan(Iphdr.Size));
        flow.LearnFromHost(syn);
        tun.Receive(TcpSegment.Parse("S. 0:0(0) ack 1 win 65535 <mss 1460>").ToPacket(flow));
        sent.Clear();

        Assert.Equal(4000, calls.Send(fd, new byte[4000], 0));

        Assert.Equal(payloads, sent.Select(p => p.Length - Iphdr.Size - Tcphdr.Size));
        calls.Close(fd);
    }

    [Fact]
    public void A_packet_of_several_segments_comes_in_as_one()
    {
        using TcpBench bench = new(options: true);
        int fd = bench.Accepted(options: "mss 1000,sackOK,nop,nop");
        bench.In(TcpSegment.Parse("P. 1:5001(5000) ack 1 win 65535"), gsoSize: 1000);

        bench.Read(fd, 5000);
        byte[] info = new byte[System.Runtime.InteropServices.Marshal.SizeOf<TcpInfo>()];
        int length = info.Length;
        Assert.Equal(0, bench.Calls.Getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, ref length));

        // What the sender's segments hold is known by the size that came with the packet, not by the packet's own.
        Assert.Equal(1000u, System.Runtime.InteropServices.MemoryMarshal.Read<TcpInfo>(info).TcpiRcvMss);
        bench.TakeAll();
    }
}
