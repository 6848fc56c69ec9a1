using System.Diagnostics;
using System.Globalization;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing.Hostile;
using static Linnet.Kernel.Uapi.IcmpH;
using static Linnet.Kernel.Uapi.IpH;
using static Linnet.Testing.Hostile.HostileNet;
using static Linnet.Testing.Hostile.HostilePackets;

namespace Linnet.Bench;

/// <summary>What a server pays for each packet of a hostile peer, on this computer's clock, and the most that it holds for them.</summary>
internal static class HostilePeers
{
    private const int Batch = 100;

    private static readonly Attack[] Attacks =
    [
        new("(datagram to an open port)", OpenPort),
        new("SYN flood, cookies", _ => i => ForgeTcp(Stranger(i), Sport(i), Victim, Port, (uint)i * 977, 0, Syn, options: [2, 4, 5, 180])),
        new("SYN flood, no cookies", net =>
        {
            net.Server.SetSysctl("net.ipv4.tcp_syncookies", "0");
            return i => ForgeTcp(Stranger(i), Sport(i), Victim, Port, (uint)i * 977, 0, Syn, options: [2, 4, 5, 180]);
        }),
        new("ACK flood", _ => i => ForgeTcp(Stranger(i), Sport(i), Victim, Port, (uint)i, 77, Ack)),
        new("RST in the window", net => Established(net, (tp, i) => Honest(tp, Rst, tp.RcvNxt + 1 + (uint)(i % 20000), 0))),
        new("data out of the window", net => Established(net, (tp, i) => Honest(tp, Ack, tp.RcvNxt - 100_000 - (uint)i, 100))),
        new("segments of one byte", net => Stranded(net, (connection, i) => connection.Segment(i, 1))),
        new("every other byte", net => Stranded(net, (connection, i) => connection.Segment(2 + 2 * (int)(i * 7919L % 30000), 1))),
        new("LAND", _ => i => ForgeTcp(Victim, Port, Victim, Port, (uint)i, 0, Syn)),
        new("fragments, never complete", _ => i => ForgeIp(Stranger(i), Victim, IPPROTO_UDP, new byte[1000], i % 65536, IP_MF)),
        new("fragments of eight bytes, backwards", _ => i => ForgeIp(
            Attacker, Victim, IPPROTO_UDP, new byte[8], 1 + i / 4000 % 60000, IP_MF | 1 + 8000 - 2 * (i % 4000))),
        new("datagrams to closed ports", _ => i => ForgeUdp(Stranger(i), Sport(i), Victim, 20000 + i % 10000, 64)),
        new("ICMP about no connection", _ => i => IcmpError(
            Stranger(i), Victim, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 68, ForgeTcp(Victim, Sport(i), Stranger(i), 80, (uint)i, 0, Ack))),
        new("TCP options at random", _ =>
        {
            Random random = new(1);
            return i =>
            {
                byte[] options = new byte[4 * random.Next(0, 11)];
                random.NextBytes(options);
                return ForgeTcp(Stranger(i), Sport(i), Victim, Port, (uint)i, 0, Syn, options: options);
            };
        }),
        new("IP headers at random", _ =>
        {
            Random random = new(2);
            return _ =>
            {
                byte[] packet = new byte[random.Next(1, 100)];
                random.NextBytes(packet);
                packet[0] = (byte)(0x40 | packet[0] & 15);
                return packet;
            };
        }),
        new("ARP requests", _ => i => ArpRequest([2, 9, 0, (byte)(i >> 16), (byte)(i >> 8), (byte)i], 0xC6336500 + (uint)i, Victim), Tap: true),
    ];

    public static int Run(bool quick, string? only)
    {
        int count = quick ? 20_000 : 200_000;
        Console.WriteLine($"{count} packets each, 100 in a virtual millisecond; {Environment.ProcessorCount} CPUs, .NET {Environment.Version}");
        Console.WriteLine(
            $"{"",-36} {"ns/packet",10} {"first 10%",10} {"answers",9} {"requests",9} {"fragments",10} {"neighb.",8} {"TCP memory",11} {"heap",9}");
        foreach (Attack attack in Attacks.Where(a => only == null || a.Name.Contains(only, StringComparison.OrdinalIgnoreCase)))
        {
            Measure(attack, Math.Min(count, 20_000));
            Print(attack.Name, Measure(attack, count));
        }

        return 0;
    }

    private static Figures Measure(Attack attack, int count)
    {
        using HostileNet net = new(tap: attack.Tap);
        net.RunFor(TimeSpan.FromMilliseconds(100));
        Func<int, byte[]?> packet = attack.Prepare(net);
        long heap = GC.GetTotalMemory(forceFullCollection: true);
        byte[]?[] batch = new byte[]?[Batch];
        long first = 0;
        long total = 0;
        for (int at = 0; at < count; at += Batch)
        {
            for (int i = 0; i < Batch; i++)
                batch[i] = packet(at + i);
            long start = Stopwatch.GetTimestamp();
            foreach (byte[]? one in batch)
                net.Inject(one);
            total += Stopwatch.GetTimestamp() - start;
            if (at < count / 10)
                first = total;
            net.RunFor(TimeSpan.FromMilliseconds(1));
            if (at % (50 * Batch) == 0)
                net.Sample();
        }

        heap = GC.GetTotalMemory(forceFullCollection: true) - heap;
        return new Figures(Nanoseconds(total) / count, Nanoseconds(first) / (count / 10.0), net.Answers, net.Peak, heap);
    }

    private static void Print(string name, Figures figures)
    {
        HostileUsage peak = figures.Peak;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name,-36} {figures.PerPacket,10:0} {figures.First,10:0} {figures.Answers,9} {peak.Requests,9} {Size(peak.FragmentMemory),10} {peak.Neighbours,8} {Size(peak.TcpMemory),11} {Size(figures.Heap),9}"));
    }

    private static string Size(long bytes) => bytes < 10_000
        ? bytes.ToString(CultureInfo.InvariantCulture) : (bytes / 1024).ToString(CultureInfo.InvariantCulture) + " KiB";

    private static double Nanoseconds(long ticks) => ticks * 1e9 / Stopwatch.Frequency;

    private static int Sport(int number) => 1024 + number % 60000;

    private static Func<int, byte[]?> OpenPort(HostileNet net)
    {
        LinnetSocket socket = net.Server.CreateSocket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Dgram);
        socket.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Any, 53));
        net.Strangers.Add(socket);
        return i => ForgeUdp(Stranger(i), Sport(i), Victim, 53, 64);
    }

    private static Func<int, byte[]?> Established(HostileNet net, Func<TcpSock, int, byte[]> packet)
    {
        net.StartHonest();
        net.RunFor(TimeSpan.FromMilliseconds(500));
        TcpSock tp = net.HonestEnd;
        return i => packet(tp, i);
    }

    private static Func<int, byte[]?> Stranded(HostileNet net, Func<HostileConnection, int, byte[]> packet)
    {
        net.ReadsStrangers = false;
        HostileConnection connection = net.Connect(5000);
        return i => packet(connection, i);
    }

    private static byte[] Honest(TcpSock tp, byte flags, uint seq, int payload) =>
        ForgeTcp(0x0A000002, tp.SkcDport, 0x0A000001, Port, seq, tp.SndNxt, flags, payload: payload);

    private sealed record Attack(string Name, Func<HostileNet, Func<int, byte[]?>> Prepare, bool Tap = false);

    private readonly record struct Figures(double PerPacket, double First, int Answers, HostileUsage Peak, long Heap);
}
