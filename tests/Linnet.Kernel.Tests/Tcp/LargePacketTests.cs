using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Packets of several segments, on devices that cannot cut them.</summary>
public class LargePacketTests
{
    [Fact]
    public void They_are_made_for_every_device_and_cut_before_it()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 4000);

        // Two segments a packet, as slow as the handshake was; each packet says where it ends.
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out(". 1001:2001(1000) ack 1");
        bench.Out(". 2001:3001(1000) ack 1");
        bench.Out("P. 3001:4001(1000) ack 1");
        bench.In(". 1:1(0) ack 4001");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void That_a_packet_ended_somewhere_is_not_remembered()
    {
        using TcpBench bench = new(options: true);
        int fd = bench.Accepted(window: 65535, options: "mss 1000,sackOK,nop,nop", rtt: 100);
        bench.Write(fd, 4000);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.Out(". 2001:3001(1000) ack 1");
        bench.Out("P. 3001:4001(1000) ack 1");

        // The tail is lost and probed for, and with it the hole before it is found: as segments by themselves.
        bench.In(". 1:1(0) ack 1001");
        bench.In(". 1:1(0) ack 1001 <nop,nop,sack 2001:4001>");
        bench.Wait(100);
        bench.Out(". 1001:2001(1000) ack 1");
        bench.In(". 1:1(0) ack 4001");
        bench.Calls.Close(fd);
    }
}
