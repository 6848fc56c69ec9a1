using System.Globalization;
using System.Text.RegularExpressions;

namespace Linnet.Programs.Tests;

/// <summary>nginx, with several workers that accept from one listener.</summary>
public sealed partial class NginxTests : IDisposable
{
    private readonly RealLab lab = new();

    public NginxTests()
    {
        Need.Programs("nginx");
        lab.Write("html/index.html", "a page of nginx\n");
        lab.Write("nginx.conf", """
            daemon off;
            user root;
            worker_processes 2;
            pid nginx.pid;
            error_log stderr;
            events { worker_connections 1024; }
            http { access_log off; server { listen 80; root html; } }
            """);
    }

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Serves_a_hundred_connections_of_wrk()
    {
        Need.Programs("wrk", "curl");
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: nginx -p {lab.Folder} -c nginx.conf
              client:
                wait_for: ['web:80']
                run: curl -sS http://web/ && wrk -c 100 -t 2 -d 2 http://web/
            """);
        string text = outcome.Succeeded().TextOf("client");
        Assert.StartsWith("a page of nginx\n", text);
        Assert.DoesNotContain("Socket errors", text);
        Assert.DoesNotContain("Non-2xx", text);
        Assert.True(int.Parse(Requests().Match(text).Groups[1].Value, CultureInfo.InvariantCulture) > 100, text);
    }

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Requests();
}
