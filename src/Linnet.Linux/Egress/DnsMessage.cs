using System.Buffers.Binary;
using System.Net;
using System.Text;

namespace Linnet.Linux;

/// <summary>What is needed of DNS messages (RFC 1035 section 4): the question of a query, and answers made from it.</summary>
internal static class DnsMessage
{
    public const int HeaderSize = 12;
    public const ushort TypeA = 1;
    public const ushort TypePtr = 12;

    /// <summary>There is no such name.</summary>
    public const int NameError = 3;

    /// <summary>The server could not find out.</summary>
    public const int ServerFailure = 2;

    private const ushort ClassInternet = 1;
    private const int Response = 0x8000;
    private const int OpcodeMask = 0x7800;
    private const int RecursionDesired = 0x0100;
    private const int RecursionAvailable = 0x0080;
    private const int Authoritative = 0x0400;
    private const int MostLabelBytes = 63;
    private const ushort PointerToQuestion = 0xC000 | HeaderSize;

    /// <summary>Reads the one question of a query.</summary>
    /// <param name="message">The message.</param>
    /// <param name="name">The name, in lower case, without a final dot.</param>
    /// <param name="type">The type of records asked for.</param>
    /// <param name="end">Where the question ends.</param>
    /// <returns>False for what is no query of one question in the Internet class.</returns>
    public static bool TryReadQuestion(ReadOnlySpan<byte> message, out string name, out ushort type, out int end)
    {
        (name, type, end) = ("", 0, 0);
        if (message.Length < HeaderSize
            || (BinaryPrimitives.ReadUInt16BigEndian(message[2..]) & (Response | OpcodeMask)) != 0
            || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1)
            return false;
        StringBuilder text = new();
        int at = HeaderSize;
        while (true)
        {
            if (at >= message.Length)
                return false;
            int length = message[at++];
            if (length == 0)
                break;
            if (length > MostLabelBytes || at + length > message.Length)
                return false;
            if (text.Length > 0)
                text.Append('.');
            text.Append(Encoding.ASCII.GetString(message.Slice(at, length)).ToLowerInvariant());
            at += length;
        }

        if (at + 4 > message.Length || BinaryPrimitives.ReadUInt16BigEndian(message[(at + 2)..]) != ClassInternet)
            return false;
        name = text.ToString();
        type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
        end = at + 4;
        return true;
    }

    /// <summary>Makes an answer.</summary>
    /// <param name="query">The query.</param>
    /// <param name="questionEnd">Where its question ends.</param>
    /// <param name="code">Response code; 0 for success.</param>
    /// <param name="ttl">How long the answer holds, in seconds.</param>
    /// <param name="addresses">The addresses, for a question of type A.</param>
    public static byte[] Answer(ReadOnlySpan<byte> query, int questionEnd, int code, uint ttl, params IReadOnlyList<IPAddress> addresses)
    {
        using MemoryStream answer = new();
        Span<byte> word = stackalloc byte[4];
        int flags = Response | Authoritative | RecursionAvailable | code
            | (BinaryPrimitives.ReadUInt16BigEndian(query[2..]) & RecursionDesired);
        answer.Write(query[..2]);
        foreach (int field in (ReadOnlySpan<int>)[flags, 1, addresses.Count, 0, 0])
            WriteWord(answer, (ushort)field);
        answer.Write(query[HeaderSize..questionEnd]);
        foreach (IPAddress address in addresses)
        {
            WriteWord(answer, PointerToQuestion);
            WriteWord(answer, TypeA);
            WriteWord(answer, ClassInternet);
            BinaryPrimitives.WriteUInt32BigEndian(word, ttl);
            answer.Write(word);
            WriteWord(answer, 4);
            answer.Write(address.GetAddressBytes());
        }

        return answer.ToArray();
    }

    private static void WriteWord(Stream stream, ushort value)
    {
        stream.WriteByte((byte)(value >> 8));
        stream.WriteByte((byte)value);
    }
}
