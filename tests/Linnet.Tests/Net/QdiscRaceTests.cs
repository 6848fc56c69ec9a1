using System.Net;
using Linnet.Kernel.Drivers;
using Linnet.Testing;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Tests.Net;

/// <summary>Several threads send by one device: one of them at a time feeds it, and none may leave a packet behind in its queue.</summary>
public class QdiscRaceTests
{
    [Fact]
    public void No_packet_stays_in_the_queue_when_all_threads_are_done()
    {
        const int Threads = 4;
        const int Rounds = 40;
        const int Burst = 50;
        using ThreadRace race = new();
        Tun tun = race.Host.AddTun(tap: false, IPNetworkAddress.Parse("192.0.2.1/24"));
        Assert.NotNull(tun.Dev.Qdisc);
        long left = 0;
        tun.Transmit = _ => Interlocked.Increment(ref left);
        byte[] to = Syscalls.Sockaddr(new IPEndPoint(IPAddress.Parse("192.0.2.2"), 9));
        int[] fds = [.. Enumerable.Range(0, Threads).Select(_ => race.Calls.Socket(AF_INET, SOCK_DGRAM, 0))];
        for (int round = 1; round <= Rounds; round++)
        {
            race.Run([.. fds.Select((fd, i) => ($"sender {i}", (Action)(() =>
            {
                byte[] data = new byte[20];
                for (int n = 0; n < Burst; n++)
                    Assert.Equal(data.Length, race.Calls.Sendto(fd, data, 0, to));
            })))]);

            // Nobody sends any more, so nobody would take out what the last one left.
            long dropped = Volatile.Read(ref tun.Dev.Stats.TxDropped) + (tun.Dev.Qdisc?.Stats.Drops ?? 0);
            Assert.Equal(0, tun.Dev.Qdisc?.Qlen ?? 0);
            Assert.Equal(round * Threads * Burst, Volatile.Read(ref left) + dropped);
        }
    }
}
