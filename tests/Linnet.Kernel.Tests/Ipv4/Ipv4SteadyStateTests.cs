using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class Ipv4SteadyStateTests
{
    [Fact]
    public void ReceivingRoutingAndSendingAllocateNothing()
    {
        using Wire wire = new();
        wire.Introduce();
        long sent = 0;
        wire.Tap.Transmit = _ => sent++;
        byte[] frame = Wire.Frame(wire.Mac, Wire.PeerMac, ETH_P_IP, Wire.Echo(Wire.Peer, Wire.Host, new byte[64]));
        for (int i = 0; i < 2000; i++)
            wire.Tap.Receive(frame);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            wire.Tap.Receive(frame);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(3000, sent);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void ReadersSeeAWholeTableWhileRoutesChange()
    {
        FibTable table = new(RtnetlinkH.RT_TABLE_MAIN);
        FibInfo fallback = new();
        table.Replace(0, 0, [new FibAlias(fallback, 0, RtnetlinkH.RTN_UNICAST)]);
        using CancellationTokenSource stop = new();
        Task<long>[] readers = [.. Enumerable.Range(0, 2).Select(n => Task.Run(() => Read(n, stop.Token)))];
        Random random = new(1);
        for (int i = 0; i < 20_000; i++)
        {
            int length = random.Next(1, 33);
            uint prefix = (uint)random.NextInt64(1L << 32) & InIfaddr.InetMakeMask(length);
            table.Replace(prefix, length, random.Next(2) == 0 ? [] : [new FibAlias(new FibInfo(), 0, RtnetlinkH.RTN_UNICAST)]);
        }

        stop.Cancel();
        Assert.All(readers, reader => Assert.Equal(0, reader.Result));

        long Read(int seed, CancellationToken stopped)
        {
            Random own = new(seed);
            long missed = 0;
            while (!stopped.IsCancellationRequested)
            {
                Flowi4 fl4 = new() { Daddr = (uint)own.NextInt64(1L << 32) };
                int err = table.Lookup(in fl4, out FibResult res, 0);
                if (err != 0 || (fl4.Daddr & InIfaddr.InetMakeMask(res.Prefixlen)) != res.Prefix)
                    missed++;
            }

            return missed;
        }
    }
}
