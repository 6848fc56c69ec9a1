using System.Buffers.Binary;
using Linnet.Kernel.Tests.Ipv4;

namespace Linnet.Kernel.Tests.Sched;

/// <summary><c>SO_TXTIME</c>: a datagram leaves at the time that comes with it.</summary>
public sealed class TxTimeTests : InetFixture
{
    private const long Ms = 1_000_000;

    [Fact]
    public void A_datagram_leaves_at_the_time_that_is_sent_with_it()
    {
        TcResult fq = Tc.Run(Net, "qdisc add dev lo root fq timer_slack 0");
        Assert.Equal("", fq.Error);
        TestSocket to = BoundUdp(7000);
        TestSocket from = Udp();
        Assert.Equal(-EINVAL, from.Sendmsg("early"u8, TestSocket.Sin(Localhost, 7000), 0, TxTime(5 * Ms)));

        // struct sock_txtime: CLOCK_MONOTONIC, no flags.
        Assert.Equal(0, from.Set(SOL_SOCKET, SO_TXTIME, [.. BitConverter.GetBytes(CLOCK_MONOTONIC), 0, 0, 0, 0]));
        long start = Test.Now;
        Assert.Equal(5, from.Sendmsg("later"u8, TestSocket.Sin(Localhost, 7000), 0, TxTime(start + 8 * Ms)));
        Assert.Equal(3, from.Sendmsg("now"u8, TestSocket.Sin(Localhost, 7000), 0, []));
        Assert.Equal("now"u8.ToArray(), to.Recv(100).Data);
        Test.RunFor(TimeSpan.FromMilliseconds(7.9));
        Assert.Equal(-EAGAIN, to.Recv(100).Result);
        Test.RunFor(TimeSpan.FromMilliseconds(0.1));
        Assert.Equal("later"u8.ToArray(), to.Recv(100).Data);

        // Further away than the horizon of ten seconds.
        Assert.Equal(0, from.Set(SOL_IP, IP_RECVERR, 1));
        Assert.Equal(-ENOBUFS, from.Sendmsg("never"u8, TestSocket.Sin(Localhost, 7000), 0, TxTime(Test.Now + 11_000 * Ms)));
        Assert.Equal(0, Tc.Run(Net, "qdisc del dev lo root").ExitStatus);
    }

    private static byte[] TxTime(long time)
    {
        byte[] control = new byte[24];
        BinaryPrimitives.WriteInt64LittleEndian(control, control.Length);
        BinaryPrimitives.WriteInt32LittleEndian(control.AsSpan(8), SOL_SOCKET);
        BinaryPrimitives.WriteInt32LittleEndian(control.AsSpan(12), SCM_TXTIME);
        BinaryPrimitives.WriteInt64LittleEndian(control.AsSpan(16), time);
        return control;
    }
}
