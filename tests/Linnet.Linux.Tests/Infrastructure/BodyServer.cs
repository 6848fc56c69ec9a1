using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>The least HTTP that curl and wget are content with: every request gets the same body.</summary>
internal static class BodyServer
{
    /// <summary>Serves on Linnet until the listener is closed.</summary>
    public static async Task Serve(LinnetSocket listener, byte[] body)
    {
        while (true)
        {
            LinnetSocket connection;
            try
            {
                connection = await listener.AcceptAsync();
            }
            catch (Exception e) when (listener.IsClosed && e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                return;
            }

            _ = Answer(connection.GetStream(), body);
        }
    }

    /// <summary>Serves in a namespace of the kernel, until the result is disposed.</summary>
    public static TcpListener ServeOnKernel(HostNamespace kernel, IPAddress address, int port, byte[] body)
    {
        TcpListener listener = ListenOnKernel(kernel, address, port);
        _ = Loop();
        return listener;

        async Task Loop()
        {
            while (true)
            {
                TcpClient client;
                try
                {
                    client = await listener.AcceptTcpClientAsync();
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    return;
                }

                _ = Answer(client.GetStream(), body);
            }
        }
    }

    /// <summary>A listener of the kernel, in a namespace.</summary>
    public static TcpListener ListenOnKernel(HostNamespace kernel, IPAddress address, int port)
    {
        TcpListener? listener = null;
        kernel.Inside(() =>
        {
            listener = new TcpListener(address, port);
            listener.Start(1024);
        });
        return listener!;
    }

    private static async Task Answer(Stream stream, byte[] body)
    {
        await using Stream closed = stream;
        byte[] request = new byte[4096];
        int length = 0;
        while (!request.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            int n = await stream.ReadAsync(request.AsMemory(length));
            if (n == 0)
                return;
            length += n;
        }

        string head = $"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        await stream.WriteAsync(body);
    }
}
