using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Linux;

/// <summary>The names of a network's hosts; those of the outside are asked for there.</summary>
public sealed class NameTable
{
    private const uint InsideTtl = 1;
    private const uint OutsideTtl = 30;

    private readonly ConcurrentDictionary<string, IPAddress> names = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Gives a name an address.</summary>
    /// <param name="name">The name, without a final dot.</param>
    /// <param name="address">An IPv4 address.</param>
    public void Add(string name, IPAddress address) => names[name] = address;

    /// <summary>Answers a query.</summary>
    /// <param name="query">The DNS message.</param>
    /// <param name="askOutside">Whether the computer's own resolver is asked for names that are not known.</param>
    /// <param name="streamed">Whether the query came by TCP.</param>
    /// <param name="cancellation">Ends the search.</param>
    /// <returns>The answer, or null for what is no query.</returns>
    internal async Task<byte[]?> AnswerAsync(byte[] query, bool askOutside, bool streamed, CancellationToken cancellation)
    {
        if (!DnsMessage.TryReadQuestion(query, out string name, out ushort type, out int end))
            return null;
        if (AnswerInside(query, name, type, end) is { } inside)
            return inside;
        if (!askOutside)
            return DnsMessage.Answer(query, end, DnsMessage.NameError, InsideTtl);
        return type switch
        {
            DnsMessage.TypeA => await FindAddressesAsync(query, name, end, cancellation),

            // No network here has IPv6: an address of it would only be tried in vain.
            DnsMessage.TypeAaaa => DnsMessage.Answer(query, end, flags: 0, InsideTtl),
            _ => await OutsideResolver.AskAsync(query, streamed, cancellation)
                ?? DnsMessage.Answer(query, end, DnsMessage.ServerFailure, InsideTtl),
        };
    }

    private byte[]? AnswerInside(byte[] query, string name, ushort type, int end)
    {
        if (names.TryGetValue(name, out IPAddress? known))
        {
            IReadOnlyList<byte[]> records = type == DnsMessage.TypeA ? [known.GetAddressBytes()] : [];
            return DnsMessage.Answer(query, end, DnsMessage.Authoritative, InsideTtl, records);
        }

        if (type != DnsMessage.TypePtr || !DnsMessage.TryReadReverse(name, out IPAddress? address))
            return null;
        string? owner = names.FirstOrDefault(pair => pair.Value.Equals(address)).Key;
        return owner == null ? null : DnsMessage.Answer(query, end, DnsMessage.Authoritative, InsideTtl, DnsMessage.WriteName(owner));
    }

    // By the C library, which knows the computer's hosts file and whatever else it is told to look at.
    private static async Task<byte[]> FindAddressesAsync(byte[] query, string name, int end, CancellationToken cancellation)
    {
        try
        {
            IPAddress[] found = await Dns.GetHostAddressesAsync(name, AddressFamily.InterNetwork, cancellation);
            return DnsMessage.Answer(query, end, flags: 0, OutsideTtl, [.. found.Select(address => address.GetAddressBytes())]);
        }
        catch (SocketException e)
        {
            bool missing = e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData;
            return DnsMessage.Answer(query, end, missing ? DnsMessage.NameError : DnsMessage.ServerFailure, InsideTtl);
        }
    }

    /// <summary>Answers the queries of a TCP connection, until it ends.</summary>
    internal async Task ServeAsync(Stream connection, bool askOutside, CancellationToken cancellation)
    {
        while (await DnsStream.ReadAsync(connection, cancellation) is { } query)
        {
            if (await AnswerAsync(query, askOutside, streamed: true, cancellation) is not { } answer)
                return;
            await DnsStream.WriteAsync(connection, answer, cancellation);
        }
    }
}
