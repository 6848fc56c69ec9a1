using System.Globalization;
using System.Text;

namespace Linnet.Cli.Serve;

/// <summary>
/// Reads the requests of one connection, one after another (RFC 9112). Whatever could be read in two ways is refused, so that
/// nobody in front of the server understands another request than it does.
/// </summary>
/// <param name="stream">The connection.</param>
internal sealed class HttpRequestReader(Stream stream)
{
    private const int MaxHead = 16 * 1024;
    private const int MaxTarget = 8 * 1024;
    private const int MaxSkippedBody = 1024 * 1024;

    private readonly byte[] buffer = new byte[MaxHead];
    private int start;
    private int end;

    /// <summary>Reads the next request's head.</summary>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>The request, or null when the client closed the connection between requests.</returns>
    /// <exception cref="BadRequestException">The request is malformed or too large.</exception>
    public async ValueTask<HttpRequest?> ReadAsync(CancellationToken cancellation)
    {
        int scanned = 0;
        while (true)
        {
            // Empty lines before a request are skipped (RFC 9112, 2.2).
            while (scanned == 0 && start < end && buffer[start] is (byte)'\r' or (byte)'\n')
                start++;
            if (FindHeadEnd(ref scanned, out int headEnd))
            {
                HttpRequest request = Parse(buffer.AsSpan(start, headEnd - start));
                start = headEnd;
                return request;
            }

            if (end - start >= MaxHead)
                throw new BadRequestException(431);
            if (!await FillAsync(cancellation))
                return end > start ? throw new BadRequestException(400) : null;
        }
    }

    /// <summary>Reads past the body of a request that needs none.</summary>
    /// <returns>Whether the next request can be read; otherwise the connection has to be closed.</returns>
    public async ValueTask<bool> SkipBodyAsync(HttpRequest request, CancellationToken cancellation)
    {
        if (request.Header("Transfer-Encoding") != null)
            return false;
        if (request.Header("Content-Length") is not { } text)
            return true;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long left))
            throw new BadRequestException(400);

        // A client that waits for 100 Continue sends no body once it has the answer.
        if (left > MaxSkippedBody || request.Header("Expect") != null)
            return false;
        while (left > 0)
        {
            if (start == end && !await FillAsync(cancellation))
                return false;
            int step = (int)Math.Min(left, end - start);
            start += step;
            left -= step;
        }

        return true;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellation)
    {
        if (start > 0)
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
            end -= start;
            start = 0;
        }

        int read = await stream.ReadAsync(buffer.AsMemory(end), cancellation);
        end += read;
        return read > 0;
    }

    // The head ends with an empty line; a lone LF ends a line too.
    private bool FindHeadEnd(ref int scanned, out int headEnd)
    {
        ReadOnlySpan<byte> data = buffer.AsSpan(start, end - start);
        for (int i = Math.Max(scanned - 3, 0); i < data.Length; i++)
        {
            if (data[i] != '\n')
                continue;
            int next = i + 1;
            if (next < data.Length && data[next] == '\r')
                next++;
            if (next < data.Length && data[next] == '\n')
            {
                headEnd = start + next + 1;
                return true;
            }
        }

        scanned = data.Length;
        headEnd = 0;
        return false;
    }

    private static HttpRequest Parse(ReadOnlySpan<byte> head)
    {
        string[] lines = Encoding.Latin1.GetString(head).Split('\n');
        string[] parts = lines[0].TrimEnd('\r').Split(' ');
        if (parts.Length != 3 || !IsToken(parts[0]) || parts[1].Length == 0 || parts[1].Any(char.IsControl))
            throw new BadRequestException(400);
        if (parts[1].Length > MaxTarget)
            throw new BadRequestException(414);
        int minor = ParseVersion(parts[2]);
        Dictionary<string, string> headers = ParseFields(lines.AsSpan(1));
        Check(minor, headers);
        return new HttpRequest(parts[0], parts[1], minor, headers);
    }

    private static int ParseVersion(string version)
    {
        if (version.Length != 8 || !version.StartsWith("HTTP/", StringComparison.Ordinal) || version[6] != '.'
            || !char.IsAsciiDigit(version[5]) || !char.IsAsciiDigit(version[7]))
            throw new BadRequestException(400);
        return version[5] == '1' ? Math.Min(version[7] - '0', 1) : throw new BadRequestException(505);
    }

    private static Dictionary<string, string> ParseFields(ReadOnlySpan<string> lines)
    {
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach (string raw in lines)
        {
            string line = raw.TrimEnd('\r');
            if (line.Length == 0)
                break;

            // No space before the colon, no folded lines: both have been used to smuggle requests (RFC 9112, 5.1 and 5.2).
            int colon = line.IndexOf(':');
            if (colon <= 0 || !IsToken(line.AsSpan(0, colon)) || line.AsSpan().ContainsAny('\r', '\0'))
                throw new BadRequestException(400);
            string name = line[..colon];
            string value = line[(colon + 1)..].Trim(' ', '\t');
            headers[name] = headers.TryGetValue(name, out string? before) ? $"{before}, {value}" : value;
        }

        return headers;
    }

    private static void Check(int minor, Dictionary<string, string> headers)
    {
        bool hasHost = headers.TryGetValue("Host", out string? host);
        if ((minor >= 1 && !hasHost) || (hasHost && host!.AsSpan().ContainsAny(' ', ',', '/')))
            throw new BadRequestException(400);
        bool hasLength = headers.TryGetValue("Content-Length", out string? length);
        if (hasLength && (length!.Length == 0 || !length.All(char.IsAsciiDigit)))
            throw new BadRequestException(400);
        if (hasLength && headers.ContainsKey("Transfer-Encoding"))
            throw new BadRequestException(400);
    }

    private static bool IsToken(ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c))
                return false;
        }

        return text.Length > 0;
    }
}
