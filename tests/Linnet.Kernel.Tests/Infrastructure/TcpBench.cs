using System.Buffers.Binary;
using System.Net;
using System.Runtime.InteropServices;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;
using LinnetSocketLayer = Linnet.Kernel.Net.Socket;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>
/// A host in virtual time on a TUN device whose other end is the test: it makes calls on the host, gives it segments with
/// <see cref="In"/> and takes what it sends with <see cref="Out"/>. Disposing checks that no packet leaked.
/// </summary>
internal sealed class TcpBench : IDisposable
{
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(30);

    private readonly Network network;
    private readonly Host host;
    private readonly Tun tun;
    private readonly Queue<(long At, byte[] Packet)> sent = new();
    private byte[] lastTaken = [];

    public TcpBench(ulong seed = 1, int mtu = 1500, Action<NetnsIpv4>? sysctl = null, bool options = false)
    {
        network = Network.Simulate(seed);
        host = network.AddHost("host");
        using (KernelEntry entry = network.Machine.Enter())
        {
            Assert.Equal(0, Tun.TunSetIff(host.Namespace, "tun0", tap: false, out tun));
            tun.Dev.Mtu = mtu;
            tun.Transmit = packet => sent.Enqueue((network.Machine.Clock.Now, packet.ToArray()));
            Assert.Equal(0, Dev.DevOpen(tun.Dev));
            Assert.Equal(0, Devinet.InetAddrAdd(tun.Dev, Flow.HostAddress, 24));
        }

        // What is not the matter of a test is off, so that segments are short to write.
        if (!options)
        {
            Ipv4.SysctlTcpTimestamps = 0;
            Ipv4.SysctlTcpSack = false;
            Ipv4.SysctlTcpWindowScaling = false;
        }

        sysctl?.Invoke(Ipv4);
        Wait(1000);
    }

    public TcpFlow Flow { get; set; } = new();

    public Syscalls Calls => host.Syscalls;

    public NetnsIpv4 Ipv4 => host.Namespace.Ipv4;

    public Machine Machine => network.Machine;

    /// <summary>The device that leads to the peer.</summary>
    public NetDevice Device => tun.Dev;

    public long Drops => Ipv4.TcpStatistics[TcpMib.InErrs];

    /// <summary>Whether disposing looks for leaks; off for tests that break off in the middle.</summary>
    public bool CheckLeaks { get; set; } = true;

    /// <summary>Milliseconds since boot.</summary>
    public double Now => network.Machine.Clock.Now / 1e6;

    public static IPEndPoint Peer => new(IPAddress.Parse("192.0.2.2"), 8080);

    /// <summary>A TCP socket that does not block.</summary>
    public int Socket()
    {
        int fd = Calls.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        Assert.True(fd >= 0);
        return fd;
    }

    /// <summary>A socket that listens on port 80.</summary>
    public int Listener(int backlog = 8, Action<int>? setup = null)
    {
        int fd = Socket();
        setup?.Invoke(fd);
        Assert.Equal(0, Calls.Bind(fd, Syscalls.Sockaddr(new IPEndPoint(IPAddress.Any, 80))));
        Assert.Equal(0, Calls.Listen(fd, backlog));
        return fd;
    }

    /// <summary>Begins to connect to the peer.</summary>
    public int Connecting(Action<int>? setup = null)
    {
        int fd = Socket();
        setup?.Invoke(fd);
        Flow.PeerPort = (ushort)Peer.Port;
        Assert.Equal(-EINPROGRESS, Calls.Connect(fd, Syscalls.Sockaddr(Peer)));
        return fd;
    }

    /// <summary>A connection that the peer opened and the host accepted.</summary>
    /// <param name="window">The peer's window.</param>
    /// <param name="options">Options of the peer's SYN.</param>
    /// <param name="setup">Called with the listener.</param>
    /// <param name="rtt">Round-trip time of the handshake, ms.</param>
    public int Accepted(int window = 65535, string options = "mss 1000", Action<int>? setup = null, double rtt = 0)
    {
        int listener = Listener(setup: setup);
        In($"S 0:0(0) win {window} <{options}>");
        Take();
        Wait(rtt);
        In($". 1:1(0) ack 1 win {window}");
        int fd = Calls.Accept4(listener, SOCK_NONBLOCK);
        Assert.True(fd >= 0, $"accept: {fd}");
        Assert.Equal(0, Calls.Close(listener));
        return fd;
    }

    /// <summary>A connection that the host opened.</summary>
    public int Connected(int window = 65535, string options = "mss 1000")
    {
        int fd = Connecting();
        Take();
        In($"S. 0:0(0) ack 1 win {window} <{options}>");
        Out(". 1:1(0) ack 1");
        return fd;
    }

    /// <summary>The peer sends a segment.</summary>
    public void In(string segment) => In(TcpSegment.Parse(segment).ToPacket(Flow));

    /// <summary>The peer sends a packet that stands for several segments.</summary>
    public void In(TcpSegment segment, ushort gsoSize) => tun.Receive(segment.ToPacket(Flow), gsoSize);

    /// <summary>The peer sends a segment whose IP header has a type of service, ECN bits included.</summary>
    public void In(string segment, byte tos) => In((TcpSegment.Parse(segment) with { Tos = tos }).ToPacket(Flow));

    /// <summary>The peer sends bytes.</summary>
    public void In(byte[] packet) => tun.Receive(packet);

    /// <summary>A router says that the last taken packet was too large for the next link (RFC 1191).</summary>
    public void InFragmentationNeeded(ushort mtu) => InIcmp(3, 4, mtu);

    /// <summary>A router complains about the last taken packet.</summary>
    /// <param name="type">ICMP type.</param>
    /// <param name="code">Code.</param>
    /// <param name="info">The second half of the header's last word.</param>
    public void InIcmp(byte type, byte code, ushort info = 0)
    {
        byte[] packet = new byte[Iphdr.Size + 8 + 28];
        Iphdr iph = new(packet)
        {
            VersionIhl = 0x45,
            TotLen = (ushort)packet.Length,
            Ttl = 64,
            Protocol = IPPROTO_ICMP,
            Saddr = 0xC00002FE,
            Daddr = Flow.HostAddress,
        };
        iph.SendCheck();
        Span<byte> message = packet.AsSpan(Iphdr.Size);
        message[0] = type;
        message[1] = code;
        BinaryPrimitives.WriteUInt16BigEndian(message[6..], info);
        lastTaken.AsSpan(0, 28).CopyTo(message[8..]);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], Checksum.CsumFold(Checksum.CsumPartial(message, 0)));
        In(packet);
    }

    /// <summary>The bytes of the last taken packet, IP header first.</summary>
    public ReadOnlySpan<byte> LastTaken => lastTaken;

    /// <summary>The host has sent this next, and by now.</summary>
    public TcpSegment Out(string pattern)
    {
        Assert.True(sent.Count > 0, $"expected {pattern}, nothing was sent");
        TcpSegment segment = Take();
        Assert.True(TcpSegment.Parse(pattern).Matches(segment), $"expected {pattern}, sent {segment}");
        return segment;
    }

    /// <summary>The host sends this next, exactly so many ms from now.</summary>
    public TcpSegment OutAfter(double milliseconds, string pattern)
    {
        Nothing();
        Wait(milliseconds - 0.5);
        Assert.True(sent.Count == 0, $"sent before {milliseconds} ms: {(sent.Count > 0 ? Take() : null)}");
        Wait(0.5);
        return Out(pattern);
    }

    /// <summary>What the host sent next, whatever it is.</summary>
    public TcpSegment Take()
    {
        lastTaken = sent.Dequeue().Packet;
        return TcpSegment.Read(lastTaken, Flow);
    }

    /// <summary>All that the host sent.</summary>
    public List<TcpSegment> TakeAll()
    {
        List<TcpSegment> all = [];
        while (sent.Count > 0)
            all.Add(Take());
        return all;
    }

    /// <summary>The host has sent nothing more.</summary>
    public void Nothing() => Assert.True(sent.Count == 0, $"sent {(sent.Count > 0 ? Take() : null)}");

    public void Wait(double milliseconds) => network.Simulation!.RunFor(TimeSpan.FromMilliseconds(milliseconds));

    /// <summary>Writes so many bytes; all of them have to fit.</summary>
    public void Write(int fd, int length)
    {
        byte[] data = new byte[length];
        TcpSegment.Fill(data, 0);
        Assert.Equal(length, Calls.Send(fd, data, 0));
    }

    /// <summary>Reads what is there: bytes as the peer's segments have them from <paramref name="from"/> on.</summary>
    public void Read(int fd, int length, uint from = 1)
    {
        byte[] data = new byte[length + 1];
        Assert.Equal(length, Calls.Recv(fd, data, 0));
        for (int i = 0; i < length; i++)
            Assert.Equal(TcpSegment.ByteAt(from + (uint)i), data[i]);
    }

    public long TryRead(int fd) => Calls.Recv(fd, new byte[65536], 0);

    public void Set(int fd, int level, int option, int value) => Assert.Equal(0, Calls.Setsockopt(fd, level, option, value));

    public int Error(int fd)
    {
        Assert.Equal(0, Calls.Getsockopt(fd, SOL_SOCKET, SO_ERROR, out int error));
        return error;
    }

    /// <summary>The state of a socket (<c>TCP_INFO</c>).</summary>
    public int State(int fd)
    {
        byte[] info = new byte[8];
        int length = info.Length;
        Assert.Equal(0, Calls.Getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, ref length));
        return info[0];
    }

    /// <summary>What <c>TCP_INFO</c> says of a socket.</summary>
    public TcpInfo Info(int fd)
    {
        byte[] info = new byte[Marshal.SizeOf<TcpInfo>()];
        int length = info.Length;
        Assert.Equal(0, Calls.Getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, ref length));
        return MemoryMarshal.Read<TcpInfo>(info);
    }

    /// <summary>The socket behind a descriptor, for tests of single functions.</summary>
    public TcpSock SockOf(int fd)
    {
        using KernelEntry entry = Calls.Task.Enter();
        Assert.Equal(0, LinnetSocketLayer.SockfdLookup(fd, out var file, out var sock));
        file.Fput();
        return TcpSock.Of(sock.Sk!);
    }

    public long Count(LinuxMib counter) => Ipv4.NetStatistics[counter];

    public void Dispose()
    {
        Machine machine = network.Machine;
        if (CheckLeaks)
        {
            for (int fd = 0; fd < 256; fd++)
                Calls.Close(fd);
            network.Simulation!.RunFor(Aftermath);
        }

        network.Dispose();
        IReadOnlyList<Exception> failures = network.Simulation!.TakeFailures();
        if (failures.Count > 0)
            throw new AggregateException(failures);
        if (!CheckLeaks)
            return;
        Assert.Equal(0, NetCore.Of(machine).SkbPool.Outstanding);

        // The thread keeps the piece of memory that its writes go to.
        Assert.InRange(NetCore.Of(machine).SkbPool.Pages.Outstanding, 0, 1);
    }
}
