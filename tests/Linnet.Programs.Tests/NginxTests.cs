namespace Linnet.Programs.Tests;

/// <summary>nginx, with several workers that accept from one listener.</summary>
public sealed class NginxTests : IDisposable
{
    private const int Large = 32 << 20;

    private readonly RealLab lab = new();

    public NginxTests()
    {
        Need.Programs("nginx", "wrk", "curl", "pgrep");
        lab.Write("html/index.html", "a page of nginx\n");
    }

    public void Dispose() => lab.Dispose();

    [Theory]
    [InlineData("listen 80;")]
    [InlineData("listen 80 reuseport;")]
    public async Task Serves_a_hundred_connections_of_wrk(string server)
    {
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {Nginx.Configure(lab, "web", server)}
              client:
                wait_for: ['web:80']
                run: curl -sS http://web/ && wrk -c 100 -t 2 -d 2 http://web/
            """);
        string text = outcome.Succeeded().TextOf("client");
        Assert.StartsWith("a page of nginx\n", text);
        Wrk.AssertServed(text);
    }

    [Fact]
    public async Task Passes_requests_on_to_a_third_host()
    {
        string sum = lab.WriteRandom("html/large", Large, 1);
        LabOutcome outcome = await lab.UpAsync($$"""
            networks:
              front: {subnet: 10.0.0.0/24}
              back: {subnet: 10.0.1.0/24}
            hosts:
              origin:
                networks: [back]
                run: {{Nginx.Configure(lab, "origin", "listen 80;", "log_format forwarded '$remote_addr for $http_x_forwarded_for'; access_log asked.log forwarded;")}}
              proxy:
                networks: [front, back]
                wait_for: ['origin:80']
                run: {{Nginx.Configure(lab, "proxy", "listen 80; location / { proxy_pass http://origin; proxy_set_header X-Forwarded-For $remote_addr; }")}}
              client:
                networks: [front]
                wait_for: ['proxy:80']
                run: {{lab.Script("client", "curl -sS http://proxy/large | sha256sum; wrk -c 20 -t 2 -d 1 http://proxy/")}}
            """);
        string text = outcome.Succeeded().TextOf("client");
        Assert.StartsWith($"{sum}  -\n", text);
        Wrk.AssertServed(text);

        // Each server knows by whom it was asked.
        Assert.All(lab.Read("proxy.log").TrimEnd().Split('\n'), line => Assert.StartsWith("10.0.0.2 - - ", line));
        Assert.All(lab.Read("asked.log").TrimEnd().Split('\n'), line => Assert.Equal("10.0.1.2 for 10.0.0.2", line));
    }

    [Theory]
    [InlineData("listen 80;")]
    [InlineData("listen 80 reuseport;")]
    public async Task Takes_a_new_configuration_without_losing_a_request(string server)
    {
        string command = Nginx.Configure(lab, "web", $"{server} add_header Edition first;");
        string client = lab.Script("client", """
            old=$(pgrep -P "$(cat web.pid)" | sort)
            curl -sSI http://web/ | grep Edition
            seq 400 | xargs -P 4 -I{} curl -sS -o /dev/null -w '%{http_code}\n' http://web/ > codes &
            sed -i 's/Edition first/Edition second/' web.conf
            kill -HUP "$(cat web.pid)"
            until curl -sSI http://web/ | grep -q 'Edition: second'; do sleep 0.05; done
            wait
            sort codes | uniq -c
            while pgrep -P "$(cat web.pid)" | grep -qxF "$old"; do sleep 0.05; done
            echo 'the old workers have ended'
            """);
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {command}
              client:
                wait_for: ['web:80']
                run: {client}
            """);
        Assert.Equal(["Edition: first", "400 200", "the old workers have ended"], outcome.Succeeded().Of("client").Select(line => line.Trim()));
    }

    [Fact]
    public async Task Answers_what_was_asked_before_it_was_told_to_quit()
    {
        string sum = lab.WriteRandom("html/large", Large, 2);
        string client = lab.Script("client", """
            curl -sS --limit-rate 30M http://web/large | sha256sum &
            sleep 0.3
            kill -QUIT "$(cat web.pid)"
            while curl -sS -o /dev/null http://web/ 2> /dev/null; do sleep 0.05; done
            echo "refused $(test -e web.pid && echo while it runs)"
            wait
            while [ -e web.pid ]; do sleep 0.05; done
            """);
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {Nginx.Configure(lab, "web", "listen 80;")}
              client:
                wait_for: ['web:80']
                run: {client}
            """);
        Assert.Equal(["refused while it runs", $"{sum}  -"], outcome.Succeeded().Of("client"));
    }
}
