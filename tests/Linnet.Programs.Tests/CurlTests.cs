namespace Linnet.Programs.Tests;

/// <summary>curl and wget, against nginx.</summary>
public sealed class CurlTests : IDisposable
{
    private const int Large = 32 << 20;

    private readonly RealLab lab = new();
    private readonly string server;

    public CurlTests()
    {
        Need.Programs("nginx", "curl", "wget", "nc");
        lab.Write("html/index.html", "a page of nginx\n");
        server = Nginx.Configure(lab, "web", "listen 80; location /up/ { dav_methods PUT; create_full_put_path on; }");
    }

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Many_run_in_parallel()
    {
        string[] lines = await ClientAsync("""
            seq 100 | xargs -P 20 -I{} curl -sS -o /dev/null -w '%{http_code}\n' http://web/ | sort | uniq -c
            seq 50 | xargs -P 10 -I{} wget -q -O - http://web/ | sort | uniq -c
            """);
        Assert.Equal(["100 200", "50 a page of nginx"], lines.Select(line => line.TrimStart()));
    }

    [Fact]
    public async Task Large_bodies_arrive_whole_both_ways()
    {
        string down = lab.WriteRandom("html/large", Large, 1), up = lab.WriteRandom("large", Large, 2);
        string[] lines = await ClientAsync("""
            curl -sS http://web/large | sha256sum
            wget -q -O - http://web/large | sha256sum
            curl -sS -o /dev/null -w '%{http_code}\n' -T large http://web/up/curl
            wget -q -O - --method=PUT --body-file=large http://web/up/wget
            """);
        Assert.Equal([$"{down}  -", $"{down}  -", "201"], lines);
        Assert.Equal(up, lab.Sha256Of("html/up/curl"));
        Assert.Equal(up, lab.Sha256Of("html/up/wget"));
    }

    [Fact]
    public async Task Parts_are_fetched_and_broken_downloads_resumed()
    {
        string whole = lab.WriteRandom("html/large", 1 << 20, 3);
        string[] lines = await ClientAsync("""
            same() { cmp - "$1" && echo same; }
            tail -c +1001 html/large | head -c 1000 > part
            curl -sS -r 1000-1999 http://web/large | same part
            tail -c 500 html/large > part
            curl -sS -r -500 http://web/large | same part
            head -c 5000 html/large | tee curl-resumed > wget-resumed
            curl -sS -C - -o curl-resumed http://web/large
            wget -q -c -O wget-resumed http://web/large
            curl -sS -o /dev/null -w '%{http_code}\n' -r 2000000- http://web/large
            """);
        Assert.Equal(["same", "same", "416"], lines);
        Assert.Equal(whole, lab.Sha256Of("curl-resumed"));
        Assert.Equal(whole, lab.Sha256Of("wget-resumed"));
    }

    [Fact]
    public async Task One_connection_carries_many_requests_also_pipelined()
    {
        lab.Write("html/other", "another page\n");
        string[] lines = await ClientAsync("""
            curl -sSv -o /dev/null -o /dev/null -o /dev/null http://web/ http://web/other http://web/ 2>&1 | grep -c Re-using
            request() { printf 'GET %s HTTP/1.1\r\nHost: web\r\n%s\r\n' "$@"; }
            { request / ''; request /other ''; request / 'Connection: close
            '; } | nc web 80 | grep -aE '^HTTP|page' | tr -d '\r'
            """);
        const string Ok = "HTTP/1.1 200 OK";
        Assert.Equal(["2", Ok, "a page of nginx", Ok, "another page", Ok, "a page of nginx"], lines);
    }

    [Fact]
    public async Task Refusals_time_outs_and_unknown_names_are_told()
    {
        string silent = lab.Script("silent", "nc -lk 8080 > /dev/null");
        string client = lab.Script("client", """
            says() { name=$1; shift; "$@" > "$name.out" 2>&1; echo "$name $?"; }
            says unreachable curl -sS http://10.0.0.77/ &
            says refused curl -sS http://web:81/
            says refused-wget wget -t 1 -O - http://web:81/
            says unconnected curl -sS --connect-timeout 0.5 http://10.0.0.77/
            says unanswered curl -sS -m 0.5 http://silent:8080/
            says unanswered-wget wget -t 1 -T 0.5 -O - http://silent:8080/
            says unknown curl -sS http://nowhere/
            wait
            grep -ho 'No route to host\|Connection refused\|Connection timed out\|timed out after\|Could not resolve host: nowhere' \
                refused-wget.out unanswered.out unknown.out
            """);
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {server}
              silent:
                run: {silent}
              client:
                wait_for: ['web:80', 'silent:8080']
                run: {client}
            egress: false
            """);
        Assert.Equal(
        [
            "refused 7", "refused-wget 4", "unconnected 28", "unanswered 28", "unanswered-wget 4", "unknown 6", "unreachable 7",
            "Connection refused", "timed out after", "Could not resolve host: nowhere",
        ], outcome.Succeeded().Of("client"));
    }

    private async Task<string[]> ClientAsync(string script)
    {
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: {server}
              client:
                wait_for: ['web:80']
                run: {lab.Script("client", script)}
            """);
        return outcome.Succeeded().Of("client");
    }
}
