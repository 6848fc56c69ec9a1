namespace Linnet.Bench.Peers;

/// <summary>A TCP/IP stack under measurement, driven through its blocking socket calls.</summary>
internal interface IPeer : IDisposable
{
    /// <summary>Name in the table.</summary>
    string Name { get; }

    /// <summary>Listens on a free port of the loopback address.</summary>
    IListener Listen(int backlog);

    /// <summary>Makes a TCP socket and closes it again.</summary>
    void SocketAndClose();

    /// <summary>Bytes that the stack itself holds for its sockets now, as far as the peer can tell.</summary>
    long MemoryInUse();

    /// <summary>Runs <paramref name="body"/> on a thread that may use the peer's sockets.</summary>
    Thread Start(Action body);
}

/// <summary>A listening socket.</summary>
internal interface IListener : IDisposable
{
    /// <summary>Waits for a connection.</summary>
    IConnection Accept();

    /// <summary>Connects to this listener.</summary>
    IConnection Connect();
}

/// <summary>A connection; all calls block.</summary>
internal interface IConnection : IDisposable
{
    /// <summary>Sends all of <paramref name="data"/>.</summary>
    void Send(ReadOnlySpan<byte> data);

    /// <summary>Receives at least one byte; 0 at the end of the stream.</summary>
    int Receive(Span<byte> buffer);
}
