using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CsCheck;
using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;

namespace Linnet.Tests.Fuzz;

/// <summary>
/// Frames that no honest host sends, given to a host that listens for TCP, UDP, raw and ping: nothing escapes, nothing leaks,
/// and the host still serves honest peers.
/// </summary>
public class WholeStackTests
{
    private static readonly Lazy<byte[][]> Corpus = new(RecordHonestTraffic);

    [Fact]
    public void Random_frames_do_no_harm() =>
        Gen.Byte.Array[0, 200].Array[1, 60].Sample(frames => AttackAndServe(frames), iter: 150, threads: 1);

    [Fact]
    public void Random_payloads_behind_good_headers_do_no_harm() =>
        Gen.Select(Gen.Int[0, 255], Gen.Byte.Array[0, 120]).Array[1, 60].Sample(
            packets => AttackAndServe([.. packets.Select(p => WithIpHeader(p.Item1, p.Item2))]), iter: 150, threads: 1);

    [Fact]
    public void Mutated_honest_traffic_does_no_harm() =>
        Gen.Select(Gen.Int[0, 10_000], Gen.Select(Gen.Int[0, 4], Gen.Int[0, 2000], Gen.Byte).Array[1, 4], Gen.Bool).Array[1, 80].Sample(
            plans => AttackAndServe([.. plans.Select(p => Mutate(p.Item1, p.Item2, p.Item3))]), iter: 150, threads: 1);

    private static byte[] Mutate(int which, (int, int, byte)[] changes, bool repairChecksums)
    {
        byte[] frame = [.. Corpus.Value[which % Corpus.Value.Length]];
        foreach ((int kind, int at, byte value) in changes)
        {
            switch (kind)
            {
                case 0 when frame.Length > 0:
                    frame[at % frame.Length] ^= value;
                    break;
                case 1 when frame.Length > 0:
                    frame[at % frame.Length] = value;
                    break;
                case 2:
                    frame = frame[..Math.Min(frame.Length, at)];
                    break;
                case 3:
                    frame = [.. frame, .. new byte[at % 100]];
                    break;
                case 4 when frame.Length > 40:
                    // Headers are where the parsers are.
                    frame[14 + at % 40 % (frame.Length - 14)] = value;
                    break;
            }
        }

        return repairChecksums ? Repair(frame) : frame;
    }

    // With right checksums a frame gets farther in.
    private static byte[] Repair(byte[] frame)
    {
        if (frame.Length < 34 || frame[12] != 8 || frame[13] != 0)
            return frame;
        int headerLength = (frame[14] & 15) * 4;
        if (headerLength < 20 || 14 + headerLength > frame.Length)
            return frame;
        Span<byte> ip = frame.AsSpan(14);
        ip[10] = ip[11] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum.CsumFold(Checksum.CsumPartial(ip[..headerLength], 0)));
        Span<byte> transport = ip[headerLength..];
        int offset = ip[9] switch { 6 => 16, 17 => 6, 1 => 2, _ => -1 };
        if (offset < 0 || transport.Length < offset + 2)
            return frame;
        transport[offset] = transport[offset + 1] = 0;
        uint sum = Checksum.CsumPartial(transport, 0);
        ushort check = ip[9] == 1
            ? Checksum.CsumFold(sum)
            : Checksum.CsumTcpudpMagic(
                BinaryPrimitives.ReadUInt32BigEndian(ip[12..]), BinaryPrimitives.ReadUInt32BigEndian(ip[16..]), transport.Length, ip[9], sum);
        BinaryPrimitives.WriteUInt16BigEndian(transport[offset..], check);
        return frame;
    }

    private static byte[] WithIpHeader(int protocol, byte[] payload)
    {
        byte[] frame = new byte[34 + payload.Length];
        Array.Fill(frame, (byte)0xFF, 0, 6);
        frame[12] = 8;
        frame[14] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(16), (ushort)(20 + payload.Length));
        frame[22] = 64;
        frame[23] = (byte)(protocol % 4 == 0 ? protocol : new[] { 1, 6, 17 }[protocol % 3]);
        new byte[] { 10, 0, 0, 2, 10, 0, 0, 1 }.CopyTo(frame, 26);
        payload.CopyTo(frame, 34);
        return Repair(frame);
    }

    private static void AttackAndServe(byte[][] frames)
    {
        using Network network = Network.Simulate(seed: 3);
        Host victim = network.AddHost("victim");
        Host honest = network.AddHost("honest");
        network.Connect(victim, "10.1.0.1/24", honest, "10.1.0.2/24");
        Tun wire = victim.AddTun(tap: true, IPNetworkAddress.Parse("10.0.0.1/24"));
        using LinnetSocket listener = victim.Listen(80);
        using LinnetSocket udp = victim.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        udp.Bind(new IPEndPoint(IPAddress.Any, 53));
        using LinnetSocket raw = victim.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        foreach (byte[] frame in frames)
        {
            frame.AsSpan(0, Math.Min(6, frame.Length)).Fill(0xFF);
            _ = wire.Receive(frame);
            network.Simulation!.RunFor(TimeSpan.FromMilliseconds(20));
        }

        network.Run(async () => Assert.Equal(5, await Ask(honest, listener, victim)), TimeSpan.FromMinutes(2));
        udp.Dispose();
        raw.Dispose();
        listener.Dispose();
        network.Simulation!.RunFor(TimeSpan.FromMinutes(20));
        Assert.Equal(0, victim.Namespace.SkbPool.Outstanding);
    }

    private static async Task<int> Ask(Host honest, LinnetSocket listener, Host victim)
    {
        // What the attack left in the accept queue is taken out first.
        Task<LinnetSocket> accepting = AcceptFrom(listener, IPAddress.Parse("10.1.0.2"));
        using LinnetStream stream = await honest.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.1.0.1"), 80));
        using LinnetSocket served = await accepting;
        await stream.WriteAsync("hello"u8.ToArray());
        return await served.ReceiveAsync(new byte[100]);
    }

    private static async Task<LinnetSocket> AcceptFrom(LinnetSocket listener, IPAddress peer)
    {
        while (true)
        {
            LinnetSocket accepted = await listener.AcceptAsync();
            if (peer.Equals(accepted.RemoteEndPoint?.Address))
                return accepted;
            accepted.Dispose();
        }
    }

    // TCP with options and data, UDP, a fragmented ping and its ARP: what came in at the victim's side.
    private static byte[][] RecordHonestTraffic()
    {
        using Network network = Network.Simulate(seed: 5);
        Host victim = network.AddHost("victim");
        Host peer = network.AddHost("peer");
        Link link = network.Connect(victim, "10.0.0.1/24", peer, "10.0.0.2/24");
        Recorder recorder = new();
        Dev.AddTap(link.One.Device, recorder);
        using LinnetSocket listener = victim.Listen(80);
        using LinnetSocket udp = victim.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        udp.Bind(new IPEndPoint(IPAddress.Any, 53));
        network.Run(async () =>
        {
            ValueTask<LinnetSocket> accepting = listener.AcceptAsync();
            using LinnetStream stream = await peer.ConnectAsync(new IPEndPoint(victim.Address, 80));
            using LinnetSocket served = await accepting;
            await stream.WriteAsync(new byte[4000]);
            await served.ReceiveAsync(new byte[4000]);
            using LinnetSocket sender = peer.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
            sender.SendTo(new byte[3000], new IPEndPoint(victim.Address, 53));
            sender.SendTo(new byte[30], new IPEndPoint(victim.Address, 54));
            using LinnetSocket ping = peer.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
            ping.SendTo([8, 0, 0xF7, 0xFF, 0, 0, 0, 0], new IPEndPoint(victim.Address, 0));
        });
        network.Simulation!.RunFor(TimeSpan.FromSeconds(5));
        return [.. recorder.Frames];
    }

    private sealed class Recorder : PacketTap
    {
        public List<byte[]> Frames { get; } = [];

        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
        {
            if (outgoing)
                return;
            byte[] frame = new byte[skb.DataOffset - skb.MacHeader + skb.Len];
            skb.MacHeaderSpan[..(skb.DataOffset - skb.MacHeader)].CopyTo(frame);
            skb.CopyBits(0, frame.AsSpan(skb.DataOffset - skb.MacHeader));
            Frames.Add(frame);
        }
    }
}
