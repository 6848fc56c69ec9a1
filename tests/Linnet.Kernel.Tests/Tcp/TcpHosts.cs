using System.Net;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>
/// Two hosts on a cable in virtual time, driven by calls that do not wait: 10.0.0.1 (<see cref="One"/>) and 10.0.0.2
/// (<see cref="Other"/>). Disposing closes what is left and checks that no packet leaked.
/// </summary>
internal sealed class TcpHosts : IDisposable
{
    public const uint OneAddress = 0x0A000001;
    public const uint OtherAddress = 0x0A000002;

    private readonly Network network;

    public TcpHosts(ulong seed = 1)
    {
        network = Network.Simulate(seed);
        Host one = network.AddHost("one");
        Host other = network.AddHost("other");
        network.Connect(one, "10.0.0.1/24", other, "10.0.0.2/24");
        One = one.Syscalls;
        Other = other.Syscalls;
    }

    public Syscalls One { get; }

    public Syscalls Other { get; }

    public Machine Machine => network.Machine;

    public NetnsIpv4 OneIpv4 => One.Host.Namespace.Ipv4;

    public NetnsIpv4 OtherIpv4 => Other.Host.Namespace.Ipv4;

    public void RunFor(double seconds) => network.Simulation!.RunFor(TimeSpan.FromSeconds(seconds));

    /// <summary>Lets packets travel and wake-ups happen.</summary>
    public void Settle() => RunFor(0.001);

    public static byte[] At(uint address, int port)
    {
        byte[] sockaddr = new byte[SockaddrIn.Size];
        SockaddrIn.Write(sockaddr, address, (ushort)port);
        return sockaddr;
    }

    public static int NewSocket(Syscalls sys)
    {
        int fd = sys.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        Assert.True(fd >= 0, $"socket: {fd}");
        return fd;
    }

    /// <summary>A listener of <see cref="One"/>.</summary>
    public int Listen(int port, int backlog = 16)
    {
        int fd = NewSocket(One);
        Assert.Equal(0, One.Bind(fd, At(OneAddress, port)));
        Assert.Equal(0, One.Listen(fd, backlog));
        return fd;
    }

    /// <summary>Begins to connect from <see cref="Other"/> to <see cref="One"/>.</summary>
    public int Connect(int port, int localPort = 0)
    {
        int fd = NewSocket(Other);
        if (localPort != 0)
            Assert.Equal(0, Other.Bind(fd, At(OtherAddress, localPort)));
        int err = Other.Connect(fd, At(OneAddress, port));
        Assert.True(err is 0 or -EINPROGRESS, $"connect: {err}");
        return fd;
    }

    /// <summary>A connection: the end of <see cref="Other"/>, which connected, and that of <see cref="One"/>.</summary>
    public (int Client, int Server) Pair(int port = 80)
    {
        int listener = Listen(port);
        int client = Connect(port);
        Settle();
        int server = Accept(listener);
        Assert.Equal(0, One.Close(listener));
        return (client, server);
    }

    public int Accept(int listener)
    {
        int fd = One.Accept4(listener, SOCK_NONBLOCK);
        Assert.True(fd >= 0, $"accept: {fd}");
        return fd;
    }

    public static uint PollMask(Syscalls sys, int fd)
    {
        Pollfd[] fds = [new Pollfd { Fd = fd, Events = -1 }];
        sys.Poll(fds, 0);
        return (ushort)fds[0].Revents;
    }

    public static TcpInfo Info(Syscalls sys, int fd)
    {
        TcpInfo info = default;
        int length = Marshal.SizeOf<TcpInfo>();
        Assert.Equal(0, sys.Getsockopt(fd, SOL_TCP, TCP_INFO, MemoryMarshal.AsBytes(new Span<TcpInfo>(ref info)), ref length));
        return info;
    }

    public static int State(Syscalls sys, int fd) => Info(sys, fd).TcpiState;

    public static int GetInt(Syscalls sys, int fd, int level, int option)
    {
        Assert.Equal(0, sys.Getsockopt(fd, level, option, out int value));
        return value;
    }

    public static int LocalPort(Syscalls sys, int fd)
    {
        byte[] address = new byte[SockaddrIn.Size];
        int length = address.Length;
        Assert.Equal(0, sys.Getsockname(fd, address, ref length));
        SockaddrIn.Read(address, out _, out ushort port);
        return port;
    }

    /// <summary>Reads until nothing is left.</summary>
    public static byte[] ReadAll(Syscalls sys, int fd)
    {
        List<byte> data = [];
        byte[] buffer = new byte[65536];
        long n;
        while ((n = sys.Recv(fd, buffer, 0)) > 0)
            data.AddRange(buffer.AsSpan(0, (int)n));
        Assert.True(n is 0 or -EAGAIN, $"recv: {n}");
        return [.. data];
    }

    public void Dispose()
    {
        Machine machine = Machine;
        One.Host.End();
        Other.Host.End();
        network.Simulation!.RunFor(TimeSpan.FromMinutes(20));
        IReadOnlyList<Exception> failures = network.Simulation!.TakeFailures();
        network.Dispose();
        if (failures.Count > 0)
            throw new AggregateException("exceptions in the machine", failures);
        SkbPool pool = NetCore.Of(machine).SkbPool;
        Assert.Equal(0, pool.Outstanding);
        Assert.Equal(0, pool.Pages.Outstanding);
        Assert.Equal(0, InetHashinfo.Of(machine).Ehash.Count);
        Assert.Equal(0, InetHashinfo.Of(machine).Lhash2.Count);
        Assert.Equal(0, TcpMachine.Of(machine).OrphanCount);
        Assert.Equal(0, TcpMachine.Of(machine).Memory.Allocated);
        Assert.Equal(0, TcpMachine.Of(machine).Memory.SocketsAllocated);
    }
}
