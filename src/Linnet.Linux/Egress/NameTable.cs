using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Linux;

/// <summary>The names of a network's hosts; those of the outside are asked for there.</summary>
public sealed class NameTable
{
    private const uint InsideTtl = 1;
    private const uint OutsideTtl = 30;
    private const int MostBytes = 65535;

    private readonly ConcurrentDictionary<string, IPAddress> names = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Gives a name an address.</summary>
    /// <param name="name">The name, without a final dot.</param>
    /// <param name="address">An IPv4 address.</param>
    public void Add(string name, IPAddress address) => names[name] = address;

    /// <summary>Answers a query.</summary>
    /// <param name="query">The DNS message.</param>
    /// <param name="askOutside">Whether the computer's own resolver is asked for names that are not known.</param>
    /// <param name="cancellation">Ends the search.</param>
    /// <returns>The answer, or null for what is no query.</returns>
    internal async Task<byte[]?> AnswerAsync(byte[] query, bool askOutside, CancellationToken cancellation)
    {
        if (!DnsMessage.TryReadQuestion(query, out string name, out ushort type, out int end))
            return null;
        if (names.TryGetValue(name, out IPAddress? known))
            return DnsMessage.Answer(query, end, code: 0, InsideTtl, type == DnsMessage.TypeA ? [known] : []);
        if (!askOutside || type is not DnsMessage.TypeA)
            return DnsMessage.Answer(query, end, askOutside && type != DnsMessage.TypePtr ? 0 : DnsMessage.NameError, InsideTtl);
        try
        {
            IPAddress[] found = await Dns.GetHostAddressesAsync(name, AddressFamily.InterNetwork, cancellation);
            return DnsMessage.Answer(query, end, code: 0, OutsideTtl, found);
        }
        catch (SocketException e)
        {
            bool missing = e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData;
            return DnsMessage.Answer(query, end, missing ? DnsMessage.NameError : DnsMessage.ServerFailure, InsideTtl);
        }
    }

    /// <summary>Answers the queries of a TCP connection, each with its length in front, until it ends.</summary>
    internal async Task ServeAsync(Stream connection, bool askOutside, CancellationToken cancellation)
    {
        byte[] length = new byte[sizeof(ushort)];
        byte[] buffer = new byte[MostBytes];
        while (await connection.ReadAtLeastAsync(length, length.Length, throwOnEndOfStream: false, cancellation) == length.Length)
        {
            Memory<byte> query = buffer.AsMemory(0, BinaryPrimitives.ReadUInt16BigEndian(length));
            await connection.ReadExactlyAsync(query, cancellation);
            if (await AnswerAsync(query.ToArray(), askOutside, cancellation) is not { } answer)
                return;
            byte[] framed = new byte[sizeof(ushort) + answer.Length];
            BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)answer.Length);
            answer.CopyTo(framed, sizeof(ushort));
            await connection.WriteAsync(framed, cancellation);
        }
    }
}
