using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;

namespace Linnet.Linux;

/// <summary>What is needed of DNS messages (RFC 1035 section 4): the question of a query, and answers made from it.</summary>
internal static class DnsMessage
{
    public const int HeaderSize = 12;
    public const ushort TypeA = 1;
    public const ushort TypePtr = 12;
    public const ushort TypeAaaa = 28;

    /// <summary>The flag of an answer from who knows at first hand.</summary>
    public const int Authoritative = 0x0400;

    /// <summary>There is no such name.</summary>
    public const int NameError = 3;

    /// <summary>The server could not find out.</summary>
    public const int ServerFailure = 2;

    private const ushort ClassInternet = 1;
    private const int Response = 0x8000;
    private const int OpcodeMask = 0x7800;
    private const int RecursionDesired = 0x0100;
    private const int RecursionAvailable = 0x0080;
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

    /// <summary>The address that a name below <c>in-addr.arpa</c> stands for (RFC 1035 section 3.5).</summary>
    public static bool TryReadReverse(string name, [NotNullWhen(true)] out IPAddress? address)
    {
        const string Suffix = ".in-addr.arpa";
        address = null;
        if (!name.EndsWith(Suffix, StringComparison.Ordinal))
            return false;
        string[] bytes = name[..^Suffix.Length].Split('.');
        Array.Reverse(bytes);
        return bytes.Length == 4 && IPAddress.TryParse(string.Join('.', bytes), out address);
    }

    /// <summary>A name as messages have it.</summary>
    /// <param name="name">Labels of at most 63 ASCII characters, without a final dot.</param>
    public static byte[] WriteName(string name) =>
        [.. name.Split('.').SelectMany(label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0];

    /// <summary>Makes an answer.</summary>
    /// <param name="query">The query.</param>
    /// <param name="questionEnd">Where its question ends.</param>
    /// <param name="flags">Response code (0 for success), and <see cref="Authoritative"/>.</param>
    /// <param name="ttl">How long the answer holds, in seconds.</param>
    /// <param name="records">The data of the records, which are of the type asked for.</param>
    public static byte[] Answer(ReadOnlySpan<byte> query, int questionEnd, int flags, uint ttl, params IReadOnlyList<byte[]> records)
    {
        using MemoryStream answer = new();
        Span<byte> word = stackalloc byte[4];
        flags |= Response | RecursionAvailable | (BinaryPrimitives.ReadUInt16BigEndian(query[2..]) & RecursionDesired);
        answer.Write(query[..2]);
        foreach (int field in (ReadOnlySpan<int>)[flags, 1, records.Count, 0, 0])
            WriteWord(answer, (ushort)field);
        ReadOnlySpan<byte> question = query[HeaderSize..questionEnd];
        answer.Write(question);
        foreach (byte[] record in records)
        {
            WriteWord(answer, PointerToQuestion);
            answer.Write(question[^4..]);
            BinaryPrimitives.WriteUInt32BigEndian(word, ttl);
            answer.Write(word);
            WriteWord(answer, (ushort)record.Length);
            answer.Write(record);
        }

        return answer.ToArray();
    }

    private static void WriteWord(Stream stream, ushort value)
    {
        stream.WriteByte((byte)(value >> 8));
        stream.WriteByte((byte)value);
    }
}
