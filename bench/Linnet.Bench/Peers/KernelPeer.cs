using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Bench.Peers;

/// <summary>The host kernel's loopback, through <see cref="Socket"/>.</summary>
internal sealed class KernelPeer : IPeer
{
    public string Name => "kernel";

    public IListener Listen(int backlog) => new Listener(backlog);

    public void SocketAndClose() => NewSocket().Dispose();

    // The slab caches of sockets and their files; pages of queued data would be in others, but idle sockets have none.
    public long MemoryInUse()
    {
        string[] caches = ["TCP", "sock_inode_cache", "filp", "dentry", "request_sock_TCP", "tw_sock_TCP", "tcp_bind_bucket", "tcp_bind2_bucket"];
        long total = 0;
        foreach (string line in File.ReadLines("/proc/slabinfo"))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (caches.Contains(fields[0]))
                total += long.Parse(fields[1], CultureInfo.InvariantCulture) * long.Parse(fields[3], CultureInfo.InvariantCulture);
        }

        return total + GC.GetTotalMemory(forceFullCollection: true);
    }

    public Thread Start(Action body)
    {
        Thread thread = new(() => body()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    public void Dispose()
    {
    }

    private static Socket NewSocket() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private sealed class Listener : IListener
    {
        private readonly Socket socket = NewSocket();

        public Listener(int backlog)
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            socket.Listen(backlog);
        }

        public IConnection Accept() => new Connection(socket.Accept());

        public IConnection Connect()
        {
            Socket client = NewSocket();
            client.Connect(socket.LocalEndPoint!);
            return new Connection(client);
        }

        public void Dispose() => socket.Dispose();
    }

    private sealed class Connection : IConnection
    {
        private readonly Socket socket;

        public Connection(Socket socket)
        {
            this.socket = socket;
            socket.NoDelay = true;
        }

        public void Send(ReadOnlySpan<byte> data)
        {
            while (!data.IsEmpty)
                data = data[socket.Send(data)..];
        }

        public int Receive(Span<byte> buffer) => socket.Receive(buffer);

        public void Dispose() => socket.Dispose();
    }
}
