using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;
using Linnet.Testing;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>A machine with its loopback device up, and sockets on it without descriptors.</summary>
public abstract class InetFixture : IDisposable
{
    protected const uint Localhost = INADDR_LOOPBACK;

    /// <summary>
    /// A second address of this host, and that of somebody else, as sources of this host are martians.
    /// </summary>
    protected const uint Here = 0xC0000201;
    protected const uint There = 0xC6336409;

    private readonly List<TestSocket> sockets = [];

    protected InetFixture()
    {
        Test = new TestMachine();
        Root = Test.NewTask();
        using (Root.Enter())
        {
            Assert.Equal(0, Dev.DevOpen(Net.LoopbackDev));
            Assert.Equal(0, Devinet.InetAddrAdd(Net.LoopbackDev, Here, 24));
        }
    }

    protected TestMachine Test { get; }

    protected TaskStruct Root { get; }

    protected NetNamespace Net => Root.Nsproxy.NetNs;

    public void Dispose()
    {
        foreach (TestSocket socket in sockets)
            socket.Close();
        Test.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>A task of an ordinary user.</summary>
    protected TaskStruct NewUser(uint gid = 1000) => Test.NewTask(cred: Cred.User(Test.Machine.InitUserNs, 1000, gid));

    /// <summary>What <c>socket</c> answers, closing what it made.</summary>
    protected int TrySocket(int type, int protocol, TaskStruct? task = null)
    {
        int err = Create(type, protocol, task ?? Root, out TestSocket? socket);
        socket?.Close();
        return err;
    }

    protected TestSocket NewSocket(int type, int protocol = 0, TaskStruct? task = null)
    {
        Assert.Equal(0, Create(type, protocol, task ?? Root, out TestSocket? socket));
        sockets.Add(socket!);
        return socket!;
    }

    /// <summary>A UDP socket that the test closes itself; may be made on any thread.</summary>
    protected static TestSocket NewLooseSocket(TaskStruct task)
    {
        Assert.Equal(0, Create(SOCK_DGRAM, 0, task, out TestSocket? socket));
        return socket!;
    }

    protected TestSocket Udp(TaskStruct? task = null) => NewSocket(SOCK_DGRAM, 0, task);

    /// <summary>A UDP socket that is bound to a port of the loopback address.</summary>
    protected TestSocket BoundUdp(ushort port, uint address = Localhost)
    {
        TestSocket socket = Udp();
        Assert.Equal(0, socket.Bind(address, port));
        return socket;
    }

    /// <summary>Has a packet come in by the loopback device.</summary>
    protected void Inject(ReadOnlySpan<byte> packet)
    {
        using KernelEntry entry = Root.Enter();
        SkBuff skb = Net.SkbPool.Alloc(64 + packet.Length);
        skb.Reserve(64);
        packet.CopyTo(skb.Put(packet.Length));
        skb.ResetNetworkHeader();
        skb.MacHeader = skb.NetworkHeader;
        skb.Protocol = ETH_P_IP;
        skb.Dev = Net.LoopbackDev;
        Dev.NetifRx(skb);
    }

    private static int Create(int type, int protocol, TaskStruct task, out TestSocket? socket)
    {
        using KernelEntry entry = task.Enter();
        int err = Socket.SockCreate(AF_INET, type, protocol, out Socket? sock);
        socket = sock == null ? null : new TestSocket(task, sock);
        return err;
    }
}

/// <summary>A socket and the task that calls it; results are those of the system calls. No call waits.</summary>
public sealed unsafe class TestSocket(TaskStruct task, Socket sock)
{
    private bool closed;

    public Socket Sock { get; } = sock;

    public InetSock Sk => (InetSock)Sock.Sk!;

    public static byte[] Sin(uint address, ushort port, ushort family = AF_INET)
    {
        byte[] sin = new byte[SockaddrIn.Size];
        SockaddrIn.Write(sin, address, port);
        MemoryMarshal.Write(sin, in family);
        return sin;
    }

    public int Bind(uint address, ushort port) => Bind(Sin(address, port));

    public int Bind(byte[] address)
    {
        using KernelEntry entry = task.Enter();
        return Sock.Ops!.Bind(Sock, address);
    }

    public int Connect(uint address, ushort port) => Connect(Sin(address, port));

    public int Connect(byte[] address)
    {
        using KernelEntry entry = task.Enter();
        return Sock.Ops!.Connect(Sock, address, 0);
    }

    public int Shutdown(int how)
    {
        using KernelEntry entry = task.Enter();
        return Sock.Ops!.Shutdown(Sock, how);
    }

    public (uint Address, ushort Port) Name(int peer = 0)
    {
        using KernelEntry entry = task.Enter();
        byte[] address = new byte[128];
        int length = Sock.Ops!.Getname(Sock, address, peer);
        if (length < 0)
            throw new InvalidOperationException($"getname: {length}");
        SockaddrIn.Read(address, out uint addr, out ushort port);
        return (addr, port);
    }

    public int PeerNameError()
    {
        using KernelEntry entry = task.Enter();
        return Sock.Ops!.Getname(Sock, new byte[128], 1);
    }

    public long Send(ReadOnlySpan<byte> data, int flags = 0) => Sendmsg(data, null, flags, []);

    public long SendTo(ReadOnlySpan<byte> data, uint address, ushort port, int flags = 0) =>
        Sendmsg(data, Sin(address, port), flags, []);

    public long Sendmsg(ReadOnlySpan<byte> data, byte[]? address, int flags, ReadOnlySpan<byte> control)
    {
        using KernelEntry entry = task.Enter();
        fixed (byte* at = data, ctl = control)
        {
            MsgHdr msg = new();
            msg.Reset(new IovIter(Sockptr.Kernel(at), data.Length), flags | MSG_DONTWAIT);
            if (address != null)
            {
                address.CopyTo(msg.NameBuffer);
                msg.HasName = true;
                msg.MsgNamelen = address.Length;
            }

            msg.MsgControl = Sockptr.Kernel(ctl);
            msg.MsgControllen = control.Length;
            return Sock.Ops!.Sendmsg(Sock, msg, data.Length);
        }
    }

    public Received Recv(int size = 65536, int flags = 0, int controlSize = 0)
    {
        using KernelEntry entry = task.Enter();
        byte[] data = new byte[size];
        byte[] control = new byte[controlSize];
        fixed (byte* at = data, ctl = control)
        {
            MsgHdr msg = new();
            msg.Reset(new IovIter(Sockptr.Kernel(at), size), 0);
            msg.HasName = true;
            msg.MsgControl = Sockptr.Kernel(ctl);
            msg.MsgControllen = controlSize;
            long result = Sock.Ops!.Recvmsg(Sock, msg, size, flags | MSG_DONTWAIT);
            return new Received(
                result, data[..(int)Math.Clamp(result, 0, size)], msg.MsgName.ToArray(), msg.MsgFlags,
                control[..(controlSize - msg.MsgControllen)]);
        }
    }

    public int Set(int level, int option, int value) => Set(level, option, BitConverter.GetBytes(value));

    public int Set(int level, int option, byte[] value)
    {
        using KernelEntry entry = task.Enter();
        return Socket.KernelSetsockopt(Sock, level, option, value);
    }

    public int Get(int level, int option, out int value)
    {
        byte[] bytes = new byte[4];
        int err = Get(level, option, bytes, out _);
        value = BitConverter.ToInt32(bytes);
        return err;
    }

    public int Get(int level, int option, byte[] value, out int length)
    {
        using KernelEntry entry = task.Enter();
        int len = value.Length;
        fixed (byte* at = value)
        {
            int err = Socket.DoSockGetsockopt(
                Sock, level, option, Sockptr.Kernel(at), Sockptr.Kernel(&len));
            length = len;
            return err;
        }
    }

    public int Ioctl(uint request, out int value)
    {
        using KernelEntry entry = task.Enter();
        int result = 0;
        int err = Sock.Ops!.Ioctl(Sock, request, Sockptr.Kernel(&result));
        value = result;
        return err;
    }

    public uint Poll()
    {
        using KernelEntry entry = task.Enter();
        return Sock.Ops!.Poll(null, Sock, null);
    }

    public int PendingError()
    {
        Assert.Equal(0, Get(SOL_SOCKET, SO_ERROR, out int value));
        return value;
    }

    public void Close()
    {
        if (closed)
            return;
        closed = true;
        using KernelEntry entry = task.Enter();
        Socket.SockRelease(Sock);
    }
}

/// <summary>What a receive gave.</summary>
public sealed record Received(long Result, byte[] Data, byte[] Name, int Flags, byte[] Control)
{
    public uint From
    {
        get
        {
            SockaddrIn.Read(Name, out uint address, out _);
            return address;
        }
    }

    public ushort FromPort
    {
        get
        {
            SockaddrIn.Read(Name, out _, out ushort port);
            return port;
        }
    }

    /// <summary>The data of the only control message with a type.</summary>
    public byte[] Cmsg(int level, int type)
    {
        List<byte[]> found = [];
        CmsgReader reader = new(Control);
        while (reader.Next() > 0)
        {
            if (reader.Level == level && reader.Type == type)
                found.Add(reader.Data.ToArray());
        }

        return Assert.Single(found);
    }

    public T Cmsg<T>(int level, int type)
        where T : unmanaged
    {
        byte[] data = Cmsg(level, type);
        Assert.Equal(Unsafe.SizeOf<T>(), data.Length);
        return MemoryMarshal.Read<T>(data);
    }
}
