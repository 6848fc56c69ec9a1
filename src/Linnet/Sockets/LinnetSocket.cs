using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Linnet.Kernel;
using Linnet.Kernel.Net.Ipv4;
using File = Linnet.Kernel.Fs.File;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet;

/// <summary>
/// A socket on a <see cref="Linnet.Host"/>, shaped like <see cref="System.Net.Sockets.Socket"/>. Every call is the system
/// call of the same name; what Linux refuses with an errno throws a <see cref="LinnetSocketException"/>.
/// </summary>
/// <remarks>
/// All members can be used from several threads. Calls without <c>Async</c> block the calling thread where the call on Linux
/// would; in virtual time that has to be a thread of the simulation. Waiting asynchronously allocates nothing.
/// </remarks>
public sealed partial class LinnetSocket : IDisposable
{
    private readonly File file;
    private readonly KernelSocket socket;
    private int closed;

    internal LinnetSocket(Syscalls syscalls, int fd)
    {
        Syscalls = syscalls;
        Handle = fd;
        (file, socket) = syscalls.Lookup(fd);
    }

    /// <summary>The calls of the task that the socket belongs to.</summary>
    public Syscalls Syscalls { get; }

    /// <summary>The host that the socket is on.</summary>
    public Host Host => Syscalls.Host;

    /// <summary>The descriptor in the task's table.</summary>
    public int Handle { get; }

    /// <summary>The address family, which <c>socket</c> was called with.</summary>
    public AddressFamily AddressFamily => GetOption(SOL_SOCKET, SO_DOMAIN) switch
    {
        AF_INET => AddressFamily.InterNetwork,
        AF_INET6 => AddressFamily.InterNetworkV6,
        AF_UNIX => AddressFamily.Unix,
        AF_PACKET => AddressFamily.Packet,
        _ => AddressFamily.Unknown,
    };

    /// <summary>The type.</summary>
    public SocketType SocketType => (SocketType)GetOption(SOL_SOCKET, SO_TYPE);

    /// <summary>The protocol.</summary>
    public ProtocolType ProtocolType => (ProtocolType)GetOption(SOL_SOCKET, SO_PROTOCOL);

    /// <summary>The local address (<c>getsockname</c>).</summary>
    public IPEndPoint? LocalEndPoint => GetName(peer: false);

    /// <summary>The peer's address (<c>getpeername</c>).</summary>
    /// <exception cref="LinnetSocketException">The socket is not connected (ENOTCONN).</exception>
    public IPEndPoint? RemoteEndPoint => GetName(peer: true);

    /// <summary>Bytes that can be read at once (<c>FIONREAD</c>).</summary>
    public int Available
    {
        get
        {
            Span<byte> value = stackalloc byte[4];
            Check(Syscalls.Ioctl(Handle, FIONREAD, value));
            return BinaryPrimitives.ReadInt32LittleEndian(value);
        }
    }

    /// <summary>Whether small segments are sent at once (<c>TCP_NODELAY</c>).</summary>
    public bool NoDelay
    {
        get => GetOption(IPPROTO_TCP, TCP_NODELAY) != 0;
        set => SetOption(IPPROTO_TCP, TCP_NODELAY, value ? 1 : 0);
    }

    /// <summary>The name of the congestion control algorithm (<c>TCP_CONGESTION</c>), as <c>cubic</c>.</summary>
    /// <exception cref="LinnetSocketException">
    /// <c>ENOENT</c> when there is none of that name, <c>EPERM</c> for one that needs <c>CAP_NET_ADMIN</c>.
    /// </exception>
    public string CongestionControl
    {
        get
        {
            byte[] name = new byte[TcpCong.TCP_CA_NAME_MAX];
            int length = name.Length;
            Check(Syscalls.Getsockopt(Handle, IPPROTO_TCP, TCP_CONGESTION, name, ref length));
            return Encoding.ASCII.GetString(name).TrimEnd('\0');
        }

        set => Check(Syscalls.Setsockopt(Handle, IPPROTO_TCP, TCP_CONGESTION, Encoding.ASCII.GetBytes(value)));
    }

    /// <summary>Whether a local address in <c>TIME_WAIT</c> can be bound (<c>SO_REUSEADDR</c>).</summary>
    public bool ReuseAddress
    {
        get => GetOption(SOL_SOCKET, SO_REUSEADDR) != 0;
        set => SetOption(SOL_SOCKET, SO_REUSEADDR, value ? 1 : 0);
    }

    /// <summary>The receive buffer in bytes (<c>SO_RCVBUF</c>); as in Linux it reads as twice what was set.</summary>
    public int ReceiveBufferSize
    {
        get => GetOption(SOL_SOCKET, SO_RCVBUF);
        set => SetOption(SOL_SOCKET, SO_RCVBUF, value);
    }

    /// <summary>The send buffer in bytes (<c>SO_SNDBUF</c>); as in Linux it reads as twice what was set.</summary>
    public int SendBufferSize
    {
        get => GetOption(SOL_SOCKET, SO_SNDBUF);
        set => SetOption(SOL_SOCKET, SO_SNDBUF, value);
    }

    /// <summary>What closing does with data that is not sent yet (<c>SO_LINGER</c>), in whole seconds.</summary>
    public LingerOption LingerState
    {
        get
        {
            Span<byte> value = stackalloc byte[8];
            GetOption(SOL_SOCKET, SO_LINGER, value);
            return new LingerOption(
                BinaryPrimitives.ReadInt32LittleEndian(value) != 0, BinaryPrimitives.ReadInt32LittleEndian(value[4..]));
        }

        set
        {
            Span<byte> bytes = stackalloc byte[8];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value.Enabled ? 1 : 0);
            BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], value.LingerTime);
            SetOption(SOL_SOCKET, SO_LINGER, bytes);
        }
    }

    /// <summary>Whether <see cref="Dispose"/> was called.</summary>
    public bool IsClosed => Volatile.Read(ref closed) != 0;

    /// <summary>Gives the socket a local address (<c>bind</c>).</summary>
    /// <param name="localEndPoint">Address and port; port 0 is a free one.</param>
    public void Bind(EndPoint localEndPoint)
    {
        Span<byte> address = stackalloc byte[SockaddrIn6.Size];
        int length = SocketAddresses.Write(localEndPoint, address);
        Check(Syscalls.Bind(Handle, address[..length]));
    }

    /// <summary>Begins to listen (<c>listen</c>).</summary>
    /// <param name="backlog">How many connections may wait to be accepted; <c>net.core.somaxconn</c> limits it.</param>
    public void Listen(int backlog = int.MaxValue) => Check(Syscalls.Listen(Handle, backlog));

    /// <summary>Waits for a connection and accepts it (<c>accept4</c>).</summary>
    public LinnetSocket Accept() => new(Syscalls, Check(Syscalls.Accept4(Handle, SOCK_CLOEXEC)));

    /// <summary>Connects (<c>connect</c>).</summary>
    public void Connect(EndPoint remoteEndPoint)
    {
        Span<byte> address = stackalloc byte[SockaddrIn6.Size];
        int length = SocketAddresses.Write(remoteEndPoint, address);
        Check(Syscalls.Connect(Handle, address[..length]));
    }

    /// <summary>Sends (<c>send</c>); on a stream all of it, unless the socket was made non-blocking.</summary>
    /// <returns>Bytes sent.</returns>
    public int Send(ReadOnlySpan<byte> buffer) => (int)Check(Syscalls.Send(Handle, buffer, MSG_NOSIGNAL));

    /// <summary>Receives (<c>recv</c>).</summary>
    /// <returns>Bytes received; 0 at the end of a stream.</returns>
    public int Receive(Span<byte> buffer) => (int)Check(Syscalls.Recv(Handle, buffer, 0));

    /// <summary>Sends to an address (<c>sendto</c>).</summary>
    public int SendTo(ReadOnlySpan<byte> buffer, EndPoint remoteEndPoint)
    {
        Span<byte> address = stackalloc byte[SockaddrIn6.Size];
        int length = SocketAddresses.Write(remoteEndPoint, address);
        return (int)Check(Syscalls.Sendto(Handle, buffer, MSG_NOSIGNAL, address[..length]));
    }

    /// <summary>Receives, and tells from whom (<c>recvfrom</c>).</summary>
    public int ReceiveFrom(Span<byte> buffer, out IPEndPoint? remoteEndPoint)
    {
        Span<byte> address = stackalloc byte[SockaddrStorage.Size];
        int length = address.Length;
        long received = Check(Syscalls.Recvfrom(Handle, buffer, 0, address, ref length));
        remoteEndPoint = SocketAddresses.Read(address[..length]);
        return (int)received;
    }

    /// <summary>Shuts one or both halves (<c>shutdown</c>).</summary>
    public void Shutdown(SocketShutdown how) => Check(Syscalls.Shutdown(Handle, (int)how));

    /// <summary>Sets an option (<c>setsockopt</c>).</summary>
    /// <param name="level"><c>SOL_*</c> or <c>IPPROTO_*</c>.</param>
    /// <param name="name">The option's number in Linux.</param>
    /// <param name="value">Its value.</param>
    public void SetOption(int level, int name, int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        SetOption(level, name, bytes);
    }

    /// <summary>Sets an option whose value is not a number (<c>setsockopt</c>).</summary>
    public void SetOption(int level, int name, ReadOnlySpan<byte> value) =>
        Check(Syscalls.Setsockopt(Handle, level, name, value));

    /// <summary>Reads an option (<c>getsockopt</c>).</summary>
    public int GetOption(int level, int name)
    {
        Span<byte> bytes = stackalloc byte[4];
        bytes.Clear();
        GetOption(level, name, bytes);
        return BinaryPrimitives.ReadInt32LittleEndian(bytes);
    }

    /// <summary>Reads an option whose value is not a number (<c>getsockopt</c>).</summary>
    /// <returns>Bytes written to <paramref name="value"/>.</returns>
    public int GetOption(int level, int name, Span<byte> value)
    {
        int length = value.Length;
        Check(Syscalls.Getsockopt(Handle, level, name, value, ref length));
        return length;
    }

    /// <summary>The connection as a stream.</summary>
    /// <param name="ownsSocket">Whether disposing of the stream closes the socket.</param>
    public LinnetStream GetStream(bool ownsSocket = true) => new(this, ownsSocket);

    /// <summary>
    /// Closes the socket (<c>close</c>). Calls that wait on it end with <see cref="SocketError.OperationAborted"/>.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref closed, 1) != 0)
            return;

        // Waiting calls hold the file; its last reference, which ends the connection, is gone when they have let go.
        using (Syscalls.Task.Enter())
            socket.Wq.Wait.WakeUpAll();
        Syscalls.Close(Handle);
    }

    private IPEndPoint? GetName(bool peer)
    {
        Span<byte> address = stackalloc byte[SockaddrStorage.Size];
        int length = address.Length;
        Check(peer ? Syscalls.Getpeername(Handle, address, ref length) : Syscalls.Getsockname(Handle, address, ref length));
        return SocketAddresses.Read(address[..length]);
    }

    private int Check(int result)
    {
        if (result < 0)
            Throw(result);
        return result;
    }

    private long Check(long result)
    {
        if (result < 0)
            Throw((int)result);
        return result;
    }

    private void Throw(int result)
    {
        ObjectDisposedException.ThrowIf(result == -EBADF && IsClosed, this);
        throw new LinnetSocketException(-result);
    }
}
