using System.Collections;
using System.Text;

namespace Linnet.Linux;

/// <summary>
/// Texts of the host's, which need not be UTF-8: a byte that is not part of any is a lone surrogate from U+DC80 on, so that it is
/// written again as it was.
/// </summary>
internal static class HostText
{
    private const char Bytes = '\uDC00';
    private const char FirstByte = '\uDC80', LastByte = '\uDCFF';

    /// <summary>Reads a text.</summary>
    public static string Read(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new(bytes.Length);
        while (!bytes.IsEmpty)
        {
            bool isText = Rune.DecodeFromUtf8(bytes, out Rune rune, out int length) == System.Buffers.OperationStatus.Done;
            if (isText)
                text.Append(rune);
            else
                text.Append((char)(Bytes + bytes[0]));
            bytes = bytes[(isText ? length : 1)..];
        }

        return text.ToString();
    }

    /// <summary>Writes a text.</summary>
    public static byte[] Write(string text)
    {
        using MemoryStream bytes = new();
        int done = 0;
        for (int at = 0; at < text.Length; at++)
        {
            if (char.IsHighSurrogate(text[at]))
            {
                at++;
                continue;
            }

            if (text[at] is < FirstByte or > LastByte)
                continue;
            bytes.Write(Encoding.UTF8.GetBytes(text[done..at]));
            bytes.WriteByte((byte)(text[at] - Bytes));
            done = at + 1;
        }

        bytes.Write(Encoding.UTF8.GetBytes(text[done..]));
        return bytes.ToArray();
    }

    /// <summary>The last arguments of this process as it was given them; .NET has replaced what is not UTF-8.</summary>
    /// <param name="words">What .NET says they are.</param>
    public static string[] Arguments(string[] words)
    {
        byte[][] given = ReadList("/proc/self/cmdline");
        bool areTheirs = given.Length >= words.Length && given[^words.Length..].Select(Encoding.UTF8.GetString).SequenceEqual(words);
        return areTheirs ? [.. given[^words.Length..].Select(bytes => Read(bytes))] : words;
    }

    /// <summary>The environment of this process as it was given it, with what has been changed since.</summary>
    public static Dictionary<string, string> Environment()
    {
        Dictionary<string, string> variables = System.Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
        foreach (byte[] given in ReadList("/proc/self/environ"))
        {
            string[] shown = Encoding.UTF8.GetString(given).Split('=', 2), exact = Read(given).Split('=', 2);
            if (exact.Length < 2 || !variables.TryGetValue(shown[0], out string? value) || value != shown[1])
                continue;
            variables.Remove(shown[0]);
            variables[exact[0]] = exact[1];
        }

        return variables;
    }

    private static byte[][] ReadList(string path)
    {
        List<byte[]> list = [];
        ReadOnlySpan<byte> rest = File.ReadAllBytes(path);
        for (int end; (end = rest.IndexOf((byte)0)) >= 0; rest = rest[(end + 1)..])
            list.Add(rest[..end].ToArray());
        return [.. list];
    }
}
