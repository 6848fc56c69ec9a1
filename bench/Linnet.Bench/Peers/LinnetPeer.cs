using System.Net;
using System.Net.Sockets;

namespace Linnet.Bench.Peers;

/// <summary>Linnet in real time: one host, over its loopback.</summary>
internal sealed class LinnetPeer : IPeer
{
    private readonly Network network = new();
    private readonly Host host;

    public LinnetPeer() => host = network.AddHost("bench");

    public string Name => "linnet";

    public IListener Listen(int backlog) => new Listener(host, backlog);

    public void SocketAndClose() => host.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream).Dispose();

    public long MemoryInUse() => GC.GetTotalMemory(forceFullCollection: true);

    public Thread Start(Action body)
    {
        Thread thread = new(() => body()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    public void Dispose() => network.Dispose();

    private sealed class Listener : IListener
    {
        private readonly Host host;
        private readonly LinnetSocket socket;
        private readonly IPEndPoint endPoint;

        public Listener(Host host, int backlog)
        {
            this.host = host;
            socket = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            socket.Listen(backlog);
            endPoint = socket.LocalEndPoint!;
        }

        public IConnection Accept() => new Connection(socket.Accept());

        public IConnection Connect()
        {
            LinnetSocket client = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
            client.Connect(endPoint);
            return new Connection(client);
        }

        public void Dispose() => socket.Dispose();
    }

    private sealed class Connection : IConnection
    {
        private readonly LinnetSocket socket;

        public Connection(LinnetSocket socket)
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
