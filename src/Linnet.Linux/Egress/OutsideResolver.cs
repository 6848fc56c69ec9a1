using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Linux;

/// <summary>The name servers that the computer itself asks (<c>resolv.conf(5)</c>).</summary>
internal static class OutsideResolver
{
    private const string Configuration = "/etc/resolv.conf";
    private const int DnsPort = 53;
    private const int MostBytes = 65535;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>The servers; as for the C library, without any it is this computer.</summary>
    public static List<IPAddress> ReadServers()
    {
        const string Keyword = "nameserver";
        List<IPAddress> servers = [];
        if (File.Exists(Configuration))
        {
            foreach (string line in File.ReadLines(Configuration))
            {
                string[] words = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                if (words is [Keyword, var text, ..] && IPAddress.TryParse(text, out IPAddress? server)
                    && server.AddressFamily == AddressFamily.InterNetwork)
                    servers.Add(server);
            }
        }

        return servers.Count > 0 ? servers : [IPAddress.Loopback];
    }

    /// <summary>Asks the servers in their order.</summary>
    /// <param name="query">The query.</param>
    /// <param name="streamed">Whether to ask by TCP, where answers of any length have room.</param>
    /// <param name="cancellation">Ends the search.</param>
    /// <returns>The first answer, or null when there was none in time.</returns>
    public static async Task<byte[]?> AskAsync(byte[] query, bool streamed, CancellationToken cancellation)
    {
        foreach (IPAddress server in ReadServers())
        {
            using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            timeout.CancelAfter(Timeout);
            try
            {
                return await AskAsync(new IPEndPoint(server, DnsPort), query, streamed, timeout.Token);
            }
            catch (Exception e) when (e is SocketException or IOException
                || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
            {
                // The next one may answer.
            }
        }

        return null;
    }

    /// <summary>Asks a server.</summary>
    public static async Task<byte[]> AskAsync(IPEndPoint server, byte[] query, bool streamed, CancellationToken cancellation)
    {
        using Socket socket = streamed
            ? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
            : new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await socket.ConnectAsync(server, cancellation);
        if (streamed)
        {
            await using NetworkStream stream = new(socket);
            await DnsStream.WriteAsync(stream, query, cancellation);
            return await DnsStream.ReadAsync(stream, cancellation) ?? throw new EndOfStreamException("the name server closed");
        }

        await socket.SendAsync(query, SocketFlags.None, cancellation);
        byte[] buffer = new byte[MostBytes];
        while (true)
        {
            int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellation);
            if (length >= DnsMessage.HeaderSize
                && BinaryPrimitives.ReadUInt16BigEndian(buffer) == BinaryPrimitives.ReadUInt16BigEndian(query))
                return buffer[..length];
        }
    }
}

/// <summary>DNS messages on a stream: each with its length in front (RFC 1035 section 4.2.2).</summary>
internal static class DnsStream
{
    /// <summary>Reads a message.</summary>
    /// <returns>Null at the end of the stream.</returns>
    public static async Task<byte[]?> ReadAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] length = new byte[sizeof(ushort)];
        if (await stream.ReadAtLeastAsync(length, length.Length, throwOnEndOfStream: false, cancellation) < length.Length)
            return null;
        byte[] message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(message, cancellation);
        return message;
    }

    /// <summary>Writes a message.</summary>
    public static async Task WriteAsync(Stream stream, byte[] message, CancellationToken cancellation)
    {
        byte[] framed = new byte[sizeof(ushort) + message.Length];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)message.Length);
        message.CopyTo(framed, sizeof(ushort));
        await stream.WriteAsync(framed, cancellation);
    }
}
