using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Sockets that come and go on several threads while datagrams look for them.</summary>
public class UdpStressTests : InetFixture
{
    [Fact]
    public void Every_datagram_is_read_refused_or_thrown_away_with_its_socket()
    {
        const int threads = 4;
        const int rounds = 1500;
        TestSocket steady = BoundUdp(7100);
        steady.Set(SOL_SOCKET, SO_RCVBUF, 1 << 20);
        long received = 0;
        Thread[] workers =
            [.. Enumerable.Range(0, threads).Select(number => new Thread(() => Work(number, rounds, ref received)))];
        foreach (Thread worker in workers)
            worker.Start();
        long fromSteady = 0;
        while (workers.Any(worker => worker.IsAlive))
        {
            if (steady.Recv(2048).Result >= 0)
                fromSteady++;
        }

        while (steady.Recv(2048).Result >= 0)
            fromSteady++;
        SnmpMib<UdpMib> statistics = Net.Ipv4.UdpStatistics;
        Assert.Equal(threads * rounds * 2, statistics[UdpMib.OutDatagrams]);
        Assert.Equal(fromSteady + received, statistics[UdpMib.InDatagrams]);
        Assert.True(fromSteady > 0 && received > 0);
        Assert.Equal(threads * rounds, fromSteady + steady.Sk.SkDrops);
    }

    private void Work(int number, int rounds, ref long received)
    {
        TaskStruct task = Test.NewTask($"worker{number}");
        for (int i = 0; i < rounds; i++)
        {
            TestSocket s = NewLooseSocket(task);
            Assert.Equal(0, s.Set(SOL_SOCKET, SO_REUSEPORT, 1));
            ushort port = (ushort)(7200 + (i % 3));
            Assert.Equal(0, s.Bind((i & 1) == 0 ? 0 : Localhost, port));
            if ((i & 7) == 0)
                Assert.Equal(0, s.Connect(Localhost, 7100));
            Assert.Equal(4, s.SendTo("work"u8, Localhost, (ushort)(7200 + ((i + number) % 3))));
            Assert.Equal(4, s.SendTo("work"u8, Localhost, 7100));
            while (s.Recv(64).Result is var result && result != -EAGAIN)
            {
                if (result >= 0)
                    Interlocked.Increment(ref received);
            }

            s.Close();
        }
    }
}
