using System.Buffers.Binary;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;
using Linnet.Testing;
using NetDev = Linnet.Kernel.Net.Core.Dev;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>
/// A cable whose one end sends through a queueing discipline; the other end's tap notes what comes when. Packets are UDP over IPv4, with
/// their numbers in them.
/// </summary>
internal sealed class QdiscBench : IDisposable
{
    /// <summary>Bytes of headers.</summary>
    public const int Headers = 14 + 20 + 8;

    private readonly TestMachine machine;

    public QdiscBench(ulong seed = 7)
    {
        machine = new TestMachine(seed);
        using KernelEntry entry = machine.Machine.Enter();
        NetNamespace net = machine.Machine.InitNsproxy.NetNs;
        Assert.Equal(0, Veth.VethNewlink(net, "a", net, "b", out NetDevice sender, out NetDevice receiver));
        Dev = sender;
        Assert.Equal(0, NetDev.DevOpen(sender));
        Assert.Equal(0, NetDev.DevOpen(receiver));
        NetDev.AddTap(receiver, new Tap(this));
    }

    /// <summary>A packet that came.</summary>
    public readonly record struct Arrival(int Flow, int Number, long Time, int Length, int Ecn);

    public NetDevice Dev { get; }

    public Machine Machine => machine.Machine;

    public long Now => machine.Now;

    public List<Arrival> Arrivals { get; } = [];

    public Qdisc Qdisc => Dev.Qdisc!;

    public IEnumerable<int> Numbers => Arrivals.Select(a => a.Number);

    public IEnumerable<long> Times => Arrivals.Select(a => a.Time);

    /// <summary>Performs a tc command that has to succeed.</summary>
    public string Tc(string words)
    {
        TcResult result = Linnet.Tc.Run(Dev.Net, words);
        Assert.True(result.ExitStatus == 0, result.Error);
        return result.Output;
    }

    /// <summary>Sends a packet of so many bytes with its link header.</summary>
    public int Send(int number, int length = 100, int flow = 0, int ecn = 0, uint priority = 0, long tstamp = 0, Sock? owner = null)
    {
        using KernelEntry entry = Machine.Enter();
        SkBuff skb = Dev.Net.SkbPool.Alloc(length + 64);
        skb.Reserve(64);
        Span<byte> packet = skb.Put(length - 14);
        packet.Clear();
        packet[0] = 0x45;
        packet[1] = (byte)ecn;
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], (ushort)packet.Length);
        packet[8] = 64;
        packet[9] = (byte)IPPROTO_UDP;
        BinaryPrimitives.WriteUInt32BigEndian(packet[12..], 0x0A000001);
        BinaryPrimitives.WriteUInt32BigEndian(packet[16..], 0x0A000002);
        BinaryPrimitives.WriteUInt16BigEndian(packet[20..], (ushort)(1000 + flow));
        BinaryPrimitives.WriteUInt16BigEndian(packet[22..], 9);
        BinaryPrimitives.WriteUInt16BigEndian(packet[24..], (ushort)(packet.Length - 20));
        BinaryPrimitives.WriteInt32BigEndian(packet[28..], number);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], Linnet.Kernel.Net.Ipv4.Iphdr.FastCsum(packet[..20]));
        skb.Dev = Dev;
        skb.Protocol = ETH_P_IP;
        skb.Priority = priority;
        skb.Tstamp = tstamp;
        skb.ResetNetworkHeader();
        skb.ResetTransportHeader(20);
        if (owner != null)
        {
            skb.Sk = owner;
            skb.Destructor = static _ => { };
        }

        Dev.HeaderOps.Create(skb, Dev, ETH_P_IP, Dev.Broadcast, []);
        return NetDev.DevQueueXmit(skb);
    }

    public void SendMany(int count, int length = 100, int flow = 0, int ecn = 0)
    {
        for (int i = 0; i < count; i++)
            Send(i, length, flow, ecn);
    }

    public void Run() => machine.Run();

    public void RunFor(TimeSpan duration) => machine.RunFor(duration);

    /// <summary>Sends packets of a flow at even intervals, from now on, while the bench runs for a time.</summary>
    public void Offer(TimeSpan duration, params (int Flow, TimeSpan Interval, int Length, int Ecn)[] senders)
    {
        long end = Now + duration.Ticks * 100;
        foreach ((int flow, TimeSpan interval, int length, int ecn) in senders)
        {
            int number = 0;
            TimerList timer = null!;
            timer = new TimerList(
                Machine.Timers,
                _ =>
                {
                    Send(number++, length, flow, ecn);
                    if (Now + interval.Ticks * 100 < end)
                        timer.Mod(Now + interval.Ticks * 100);
                },
                this);
            timer.Mod(Now + 1);
        }

        RunFor(duration);
    }

    public void Dispose()
    {
        using (Machine.Enter())
            NetDev.DevClose(Dev);
        machine.Dispose();
    }

    private sealed class Tap(QdiscBench bench) : PacketTap
    {
        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
        {
            byte[] frame = new byte[skb.Len + 14];
            skb.MacHeaderSpan.CopyTo(frame);
            if (frame[12] != 8 || outgoing)
                return;
            ReadOnlySpan<byte> ip = frame.AsSpan(14);
            if (Linnet.Kernel.Net.Ipv4.Iphdr.FastCsum(ip[..20]) != 0)
                Assert.Fail("a packet whose header's sum is wrong came");
            bench.Arrivals.Add(new Arrival(
                BinaryPrimitives.ReadUInt16BigEndian(ip[20..]) - 1000, BinaryPrimitives.ReadInt32BigEndian(ip[28..]), bench.Now,
                frame.Length, ip[1] & 3));
        }
    }
}
