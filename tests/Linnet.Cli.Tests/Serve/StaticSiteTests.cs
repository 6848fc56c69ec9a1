using System.Net;
using System.Text;
using Linnet.Cli.Serve;

namespace Linnet.Cli.Tests.Serve;

public sealed class StaticSiteTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-site-");

    public StaticSiteTests()
    {
        Write("hello.txt", "Hello, world.\n");
        Write("empty.bin", "");
        Write("digits.bin", "0123456789");
        Write("sub/page.html", "<p>page</p>");
        Write("site/index.html", "<p>index</p>");
        Write("odd/a b&c.txt", "odd");
        Directory.CreateSymbolicLink(Path.Combine(root.FullName, "out"), Path.GetTempPath());
        Directory.CreateSymbolicLink(Path.Combine(root.FullName, "in"), Path.Combine(root.FullName, "sub"));
    }

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public void A_file_is_sent_with_its_type_and_length()
    {
        string response = Ask("GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", response);
        Assert.Contains("\r\nContent-Type: text/plain; charset=utf-8\r\n", response);
        Assert.Contains("\r\nContent-Length: 14\r\n", response);
        Assert.EndsWith("\r\n\r\nHello, world.\n", response);
    }

    [Fact]
    public void HEAD_sends_the_same_head_alone()
    {
        string response = Ask("HEAD /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", response);
        Assert.Contains("\r\nContent-Length: 14\r\n", response);
        Assert.EndsWith("\r\n\r\n", response);
    }

    [Fact]
    public void A_connection_carries_several_requests_also_when_they_come_at_once()
    {
        string response = Ask(
            "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            + "GET /digits.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Equal(["200", "404", "200"], Statuses(response));
        Assert.EndsWith("\r\n\r\n0123456789", response);
    }

    [Theory]
    [InlineData("GET /nowhere HTTP/1.1\r\nHost: x\r\n", "404")]
    [InlineData("GET /hello.txt/ HTTP/1.1\r\nHost: x\r\n", "404")]
    [InlineData("GET /hello.txt/more HTTP/1.1\r\nHost: x\r\n", "404")]
    [InlineData("POST /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n", "405", "abc")]
    [InlineData("GET /../secret HTTP/1.1\r\nHost: x\r\n", "403")]
    [InlineData("GET /%2e%2e/secret HTTP/1.1\r\nHost: x\r\n", "403")]
    [InlineData("GET /sub/..%2f..%2fsecret HTTP/1.1\r\nHost: x\r\n", "403")]
    [InlineData("GET /out/ HTTP/1.1\r\nHost: x\r\n", "403")]
    [InlineData("GET /in/page.html HTTP/1.1\r\nHost: x\r\n", "200")]
    [InlineData("GET /sub HTTP/1.1\r\nHost: x\r\n", "301")]
    [InlineData("GET /sub/ HTTP/1.1\r\nHost: x\r\n", "200")]
    [InlineData("GET http://x/hello.txt HTTP/1.1\r\nHost: x\r\n", "200")]
    [InlineData("GET /hello.txt?a=b HTTP/1.1\r\nHost: x\r\n", "200")]
    [InlineData("GET /hello%2etxt HTTP/1.1\r\nHost: x\r\n", "200")]
    [InlineData("GET /%zz HTTP/1.1\r\nHost: x\r\n", "400")]
    [InlineData("GET /%00 HTTP/1.1\r\nHost: x\r\n", "400")]
    [InlineData("GET /%ff HTTP/1.1\r\nHost: x\r\n", "400")]
    [InlineData("GET * HTTP/1.1\r\nHost: x\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost: x\r\nHost: y\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost : x\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost: x\r\n folded\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "400")]
    [InlineData("GET  /hello.txt HTTP/1.1\r\nHost: x\r\n", "400")]
    [InlineData("GET /hello.txt\r\n", "400")]
    [InlineData("GET /hello.txt HTTP/2.0\r\nHost: x\r\n", "505")]
    [InlineData("GET /hello.txt HTTP/1.0\r\n", "200")]
    public void Requests_get_the_status_that_they_deserve(string head, string status, string body = "")
    {
        string response = Ask(head + "Connection: close\r\n\r\n" + body);
        Assert.Equal([status], Statuses(response));
    }

    [Fact]
    public void A_head_that_is_too_long_is_refused() =>
        Assert.Equal(["431"], Statuses(Ask($"GET / HTTP/1.1\r\nHost: x\r\nLong: {new string('x', 20_000)}\r\n\r\n")));

    [Theory]
    [InlineData("bytes=2-4", "206", "234", "bytes 2-4/10")]
    [InlineData("bytes=7-", "206", "789", "bytes 7-9/10")]
    [InlineData("bytes=-2", "206", "89", "bytes 8-9/10")]
    [InlineData("bytes=5-100", "206", "56789", "bytes 5-9/10")]
    [InlineData("bytes=10-", "416", null, "bytes */10")]
    [InlineData("bytes=4-2", "200", "0123456789", null)]
    [InlineData("bytes=0-1,3-4", "200", "0123456789", null)]
    public void Parts_of_files_are_sent(string range, string status, string? body, string? contentRange)
    {
        string response = Ask($"GET /digits.bin HTTP/1.1\r\nHost: x\r\nRange: {range}\r\nConnection: close\r\n\r\n");
        Assert.Equal([status], Statuses(response));
        if (body != null)
            Assert.EndsWith("\r\n\r\n" + body, response);
        if (contentRange != null)
            Assert.Contains($"\r\nContent-Range: {contentRange}\r\n", response);
    }

    [Fact]
    public void A_client_that_has_the_file_is_told_so()
    {
        string tag = Field(Ask("GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "ETag");
        string response = Ask($"GET /hello.txt HTTP/1.1\r\nHost: x\r\nIf-None-Match: {tag}\r\nConnection: close\r\n\r\n");
        Assert.Equal(["304"], Statuses(response));
        Assert.EndsWith("\r\n\r\n", response);
    }

    [Fact]
    public void A_directory_is_listed_with_links_that_work()
    {
        string listing = Ask("GET /odd/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Contains("<a href=\"./a%20b%26c.txt\">a b&amp;c.txt</a>", listing);
        Assert.EndsWith("odd", Ask("GET /odd/a%20b%26c.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    }

    [Fact]
    public void A_directory_with_an_index_shows_that() =>
        Assert.EndsWith("<p>index</p>", Ask("GET /site/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));

    [Fact]
    public void A_silent_client_is_dropped_after_a_minute()
    {
        using Network network = Network.Simulate();
        Host host = network.AddHost("host");
        network.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await ConnectAsync(host);
            StaticSite site = new(new SiteFiles(root.FullName), network.TimeProvider);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                () => site.ServeAsync(server, (_, _, _) => { }, CancellationToken.None));
            Assert.Equal(60, (int)network.Simulation!.Elapsed.TotalSeconds);
            client.Dispose();
            server.Dispose();
        });
    }

    // Sends a request and reads until the server closes. Files are read in real time, so that is what the network runs in.
    private string Ask(string request)
    {
        using Network network = new();
        Host host = network.AddHost("host");
        string response = "";
        network.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await ConnectAsync(host);
            Task serve = ServeAsync(server, network.TimeProvider);
            await client.WriteAsync(Encoding.Latin1.GetBytes(request));
            client.CompleteWrites();
            using StreamReader reader = new(client, Encoding.Latin1);
            response = await reader.ReadToEndAsync();
            await serve;
        });
        return response;
    }

    private async Task ServeAsync(LinnetStream server, TimeProvider time)
    {
        using (server)
            await new StaticSite(new SiteFiles(root.FullName), time).ServeAsync(server, (_, _, _) => { }, CancellationToken.None);
    }

    private static async Task<(LinnetStream Client, LinnetStream Server)> ConnectAsync(Host host)
    {
        using LinnetSocket listener = host.Listen(80);
        Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
        LinnetStream client = await host.ConnectAsync(new IPEndPoint(IPAddress.Loopback, 80));
        return (client, (await accept).GetStream());
    }

    private static IEnumerable<string> Statuses(string response) =>
        response.Split("HTTP/1.1 ").Skip(1).Select(part => part[..3]);

    private static string Field(string response, string name) =>
        response.Split("\r\n").Single(line => line.StartsWith(name + ": ", StringComparison.Ordinal))[(name.Length + 2)..];

    private void Write(string name, string text)
    {
        string path = Path.Combine(root.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
