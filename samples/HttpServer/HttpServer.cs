using System.Text;
using Linnet;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.InH;
using static Linnet.Kernel.Uapi.SocketH;

namespace HttpServer;

/// <summary>An HTTP server, written with the BSD socket calls and nothing else, as one would write it in C.</summary>
public static class BsdHttpServer
{
    private const int Backlog = 5;
    private const int RequestBytes = 4096;

    /// <summary>Serves requests, one connection after another, for ever.</summary>
    /// <param name="sys">The calls of the task that serves.</param>
    /// <param name="port">The port to listen on.</param>
    /// <returns>The negative errno of the call that could not be made.</returns>
    public static int Run(Syscalls sys, ushort port)
    {
        int s = sys.Socket(AF_INET, SOCK_STREAM, 0);
        if (s < 0)
            return s;

        Span<byte> address = stackalloc byte[SockaddrIn.Size];
        SockaddrIn.Write(address, INADDR_ANY, port);
        int err = sys.Bind(s, address);
        if (err == 0)
            err = sys.Listen(s, Backlog);

        while (err == 0)
        {
            int connection = sys.Accept(s);
            if (connection >= 0)
            {
                Serve(sys, connection);
                sys.Close(connection);
            }
            else if (connection is not (-EINTR or -ECONNABORTED))
            {
                err = connection;
            }
        }

        sys.Close(s);
        return err;
    }

    private static void Serve(Syscalls sys, int connection)
    {
        if (ReadRequest(sys, connection) is not { } request)
            return;

        string path = request.Split(' ') is ["GET", { } target, ..] ? target : "";
        string status = path == "/" ? "200 OK" : path == "" ? "501 Not Implemented" : "404 Not Found";
        string body = path == "/" ? "Hello from socket(AF_INET, SOCK_STREAM, 0).\n" : status + "\n";
        string head = $"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n";

        ReadOnlySpan<byte> response = Encoding.ASCII.GetBytes(head + body);
        while (!response.IsEmpty)
        {
            long sent = sys.Send(connection, response, MSG_NOSIGNAL);
            if (sent < 0)
                return;
            response = response[(int)sent..];
        }
    }

    // Reads until the empty line that ends the request's head; null when there is none.
    private static string? ReadRequest(Syscalls sys, int connection)
    {
        Span<byte> buffer = stackalloc byte[RequestBytes];
        int length = 0;
        while (buffer[..length].IndexOf("\r\n\r\n"u8) < 0)
        {
            long received = sys.Recv(connection, buffer[length..], 0);
            if (received <= 0)
                return null;
            length += (int)received;
        }

        return Encoding.ASCII.GetString(buffer[..length]);
    }
}
