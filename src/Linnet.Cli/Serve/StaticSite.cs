using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;

namespace Linnet.Cli.Serve;

/// <summary>Answers HTTP/1.1 requests with the files under a directory.</summary>
/// <param name="files">The files.</param>
/// <param name="time">The clock for dates and timeouts.</param>
internal sealed class StaticSite(SiteFiles files, TimeProvider time)
{
    private const int CopyBytes = 64 * 1024;

    private const int MostDrained = 4 * 1024 * 1024;

    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Serves a connection until either side ends it. Errors of the connection end it too.</summary>
    /// <param name="stream">The connection; the caller closes it.</param>
    /// <param name="answered">Called with each request that was answered: method and target, status, bytes of body.</param>
    /// <param name="cancellation">Ends the service.</param>
    public async Task ServeAsync(LinnetStream stream, Action<string, int, long> answered, CancellationToken cancellation)
    {
        HttpRequestReader reader = new(stream);
        bool open = true;
        while (open)
        {
            using CancellationTokenSource patience = new(RequestTimeout, time);
            using CancellationTokenSource both =
                CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
            open = await ServeOneAsync(reader, stream, answered, both.Token, cancellation);
        }

        await EndAsync(stream, cancellation);
    }

    // Closing while something is unread sends a reset, which can reach the client before it has read the response
    // (RFC 9112, 9.6): first the end of the stream is sent, and what still comes is read.
    private async Task EndAsync(LinnetStream stream, CancellationToken cancellation)
    {
        stream.CompleteWrites();
        using CancellationTokenSource patience = new(DrainTimeout, time);
        using CancellationTokenSource both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellation);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            for (int drained = 0, read; drained < MostDrained; drained += read)
            {
                if ((read = await stream.ReadAsync(buffer, both.Token)) == 0)
                    return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async Task<bool> ServeOneAsync(
        HttpRequestReader reader, Stream stream, Action<string, int, long> answered, CancellationToken impatient,
        CancellationToken cancellation)
    {
        string line = "-";
        try
        {
            if (await reader.ReadAsync(impatient) is not { } request)
                return false;
            line = $"{request.Method} {request.Target}";
            bool keep = await reader.SkipBodyAsync(request, impatient) && request.KeepAlive;
            Response response = Answer(request);
            response.KeepAlive &= keep;
            await SendAsync(stream, response, request.Method == "HEAD", cancellation);
            answered(line, response.Status, response.SentLength);
            return response.KeepAlive;
        }
        catch (BadRequestException e)
        {
            Response response = Error(e.Status);
            response.KeepAlive = false;
            await SendAsync(stream, response, head: false, cancellation);
            answered(line, e.Status, response.SentLength);
            return false;
        }
    }

    private Response Answer(HttpRequest request)
    {
        if (request.Method is not ("GET" or "HEAD"))
        {
            Response refusal = Error(405);
            refusal.Fields.Add(("Allow", "GET, HEAD"));
            return refusal;
        }

        if (!SiteFiles.TryGetPath(request.Target, out string path))
            return Error(400);
        SiteEntry entry = files.Find(path);
        return entry.Kind switch
        {
            SiteEntryKind.File => AnswerFile(entry.Path, request),
            SiteEntryKind.Directory => AnswerDirectory(entry.Path, path, request),
            SiteEntryKind.Forbidden => Error(403),
            _ => Error(404),
        };
    }

    private Response AnswerDirectory(string directory, string path, HttpRequest request)
    {
        if (!path.EndsWith('/'))
        {
            Response redirect = Error(301);
            redirect.Fields.Add(("Location", Encode(path) + "/"));
            return redirect;
        }

        SiteEntry index = files.Find(path + "index.html");
        if (index.Kind == SiteEntryKind.File)
            return AnswerFile(index.Path, request);
        try
        {
            return new Response(200)
            {
                Text = Encoding.UTF8.GetBytes(DirectoryPage.Write(directory, path)),
                ContentType = "text/html; charset=utf-8",
            };
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return Error(403);
        }
    }

    private Response AnswerFile(string path, HttpRequest request)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1,
                FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return Error(e is FileNotFoundException or DirectoryNotFoundException ? 404 : 403);
        }

        DateTimeOffset modified = new(File.GetLastWriteTimeUtc(path));
        string tag = $"\"{modified.UtcTicks:x}-{file.Length:x}\"";
        string date = modified.ToString("r", CultureInfo.InvariantCulture);
        Response response = IsUnchanged(request, tag, modified)
            ? new Response(304)
            : AnswerPart(file, request, tag, date);
        if (response.File == null)
            file.Dispose();
        response.ContentType = response.Status is 200 or 206 ? ContentTypes.Of(path) : response.ContentType;
        response.Fields.Add(("Last-Modified", date));
        response.Fields.Add(("ETag", tag));
        response.Fields.Add(("Accept-Ranges", "bytes"));
        return response;
    }

    // A part is sent only of the file that the client knows (If-Range; RFC 9110, 13.1.5).
    private static Response AnswerPart(FileStream file, HttpRequest request, string tag, string date)
    {
        long size = file.Length;
        string? condition = request.Header("If-Range");
        string? field = condition == null || condition == tag || condition == date ? request.Header("Range") : null;
        switch (HttpRange.TryParse(field, size, out HttpRange range))
        {
            case true:
                Response part = new(206) { File = file, Range = range };
                part.Fields.Add(("Content-Range", $"bytes {range.Offset}-{range.Offset + range.Length - 1}/{size}"));
                return part;
            case false:
                Response outside = Error(416);
                outside.Fields.Add(("Content-Range", $"bytes */{size}"));
                return outside;
            default:
                return new Response(200) { File = file, Range = range };
        }
    }

    private static bool IsUnchanged(HttpRequest request, string tag, DateTimeOffset modified)
    {
        if (request.Header("If-None-Match") is { } tags)
            return tags.Split(',').Any(known => known.Trim() is "*" || known.Trim() == tag);
        return request.Header("If-Modified-Since") is { } since
            && DateTimeOffset.TryParseExact(since, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset then)
            && modified.ToUnixTimeSeconds() <= then.ToUnixTimeSeconds();
    }

    private async Task SendAsync(Stream stream, Response response, bool head, CancellationToken cancellation)
    {
        await using FileStream? file = response.File;
        long length = file != null ? response.Range.Length : response.Text.Length;
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"HTTP/1.1 {response.Status} {Reason(response.Status)}\r\n");
        text.Append(CultureInfo.InvariantCulture, $"Date: {time.GetUtcNow():r}\r\nServer: Linnet\r\n");
        if (response.Status != 304)
            text.Append(CultureInfo.InvariantCulture, $"Content-Type: {response.ContentType}\r\nContent-Length: {length}\r\n");
        foreach ((string name, string value) in response.Fields)
            text.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        text.Append("X-Content-Type-Options: nosniff\r\n");
        text.Append(response.KeepAlive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
        bool hasBody = !head && response.Status != 304;
        byte[] first = Encoding.Latin1.GetBytes(text.ToString());
        if (hasBody && file == null)
            first = [.. first, .. response.Text];
        await stream.WriteAsync(first, cancellation);
        if (hasBody && file != null)
            await CopyAsync(file, response.Range, stream, cancellation);
        response.SentLength = hasBody ? length : 0;
    }

    private static async Task CopyAsync(FileStream file, HttpRange range, Stream to, CancellationToken cancellation)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            file.Position = range.Offset;
            for (long left = range.Length; left > 0;)
            {
                int read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, CopyBytes)), cancellation);

                // The length was promised; only a broken connection tells the client that the file shrank meanwhile.
                if (read == 0)
                    throw new IOException("the file became shorter while it was sent");
                await to.WriteAsync(buffer.AsMemory(0, read), cancellation);
                left -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static Response Error(int status) => new(status)
    {
        Text = Encoding.UTF8.GetBytes($"{status} {Reason(status)}\n"),
        ContentType = "text/plain; charset=utf-8",
    };

    private static string Encode(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));

    private static string Reason(int status) => status switch
    {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => ((HttpStatusCode)status).ToString(),
    };

    private sealed class Response(int status)
    {
        public int Status => status;

        public List<(string Name, string Value)> Fields { get; } = [];

        public string ContentType { get; set; } = "text/plain; charset=utf-8";

        public byte[] Text { get; init; } = [];

        public FileStream? File { get; init; }

        public HttpRange Range { get; init; }

        public bool KeepAlive { get; set; } = true;

        public long SentLength { get; set; }
    }
}
