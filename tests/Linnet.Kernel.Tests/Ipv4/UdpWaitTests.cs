using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>UDP calls that wait, in virtual time.</summary>
public class UdpWaitTests : InetFixture
{
    private unsafe long BlockingRecv(TestSocket s, byte[] buffer)
    {
        using KernelEntry entry = Root.Enter();
        fixed (byte* at = buffer)
        {
            MsgHdr msg = new();
            msg.Reset(new IovIter(Sockptr.Kernel(at), buffer.Length), 0);
            return SocketWait.Recvmsg(s.Sock, msg, 0);
        }
    }

    [Fact]
    public void A_reader_wakes_for_a_datagram()
    {
        TestSocket server = BoundUdp(7000);
        byte[] buffer = new byte[10];
        long result = 0;
        Test.Start("reader", () => result = BlockingRecv(server, buffer));
        Test.RunReady();
        Assert.Equal(0, result);
        Udp().SendTo("hi"u8, Localhost, 7000);
        Test.RunReady();
        Assert.Equal(2, result);
        Assert.Equal((byte)'h', buffer[0]);
    }

    [Fact]
    public void A_waiting_reader_sees_the_end_after_shutdown()
    {
        TestSocket server = BoundUdp(7000);
        long result = -1;
        Test.Start("reader", () => result = BlockingRecv(server, new byte[10]));
        Test.RunReady();
        Assert.Equal(-ENOTCONN, server.Shutdown(SHUT_RD));
        Test.RunReady();
        Assert.Equal(0, result);
        Assert.Equal(-EAGAIN, server.Recv().Result);
    }

    [Fact]
    public void A_waiting_reader_is_told_of_an_error()
    {
        TestSocket client = Udp();
        client.Connect(Localhost, 7009);
        long result = 0;
        Test.Start("reader", () => result = BlockingRecv(client, new byte[10]));
        Test.RunReady();
        client.Send("x"u8);
        Test.RunReady();
        Assert.Equal(-ECONNREFUSED, result);
    }

    [Fact]
    public void Waiting_ends_with_SO_RCVTIMEO()
    {
        TestSocket server = BoundUdp(7000);
        server.Set(SOL_SOCKET, SO_RCVTIMEO, [0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x0D, 3, 0, 0, 0, 0, 0]);
        long result = 0;
        Test.Start("reader", () => result = BlockingRecv(server, new byte[10]));
        Test.RunFor(TimeSpan.FromMilliseconds(199));
        Assert.Equal(0, result);
        Test.RunFor(TimeSpan.FromMilliseconds(2));
        Assert.Equal(-EAGAIN, result);
    }

    [Fact]
    public unsafe void No_free_port_ends_a_blocking_send_at_once()
    {
        Net.Ipv4.IpLocalPortRange = 40000u << 16 | 40000;
        Assert.Equal(0, Udp().Bind(Localhost, 0));
        TestSocket s = Udp();
        long result = 0;
        Test.Start("sender", () =>
        {
            using KernelEntry entry = Root.Enter();
            byte data = 1;
            MsgHdr msg = new();
            msg.Reset(new IovIter(Sockptr.Kernel(&data), 1), 0);
            msg.HasName = true;
            TestSocket.Sin(Localhost, 9).CopyTo(msg.NameBuffer);
            msg.MsgNamelen = 16;
            result = SocketWait.Sendmsg(s.Sock, msg);
        });
        Test.RunReady();
        Assert.Equal(-EAGAIN, result);
    }
}
