using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Linnet.Bench.Programs;

/// <summary>nginx with two workers, and wrk with a hundred connections that stay.</summary>
internal sealed partial class WebRequests(WorkFolder folder, int seconds) : Measurement("nginx + wrk, 100 connections", "requests/s")
{
    private readonly TimeSpan limit = TimeSpan.FromSeconds(seconds + 30);

    public override string Baseline => "kernel's loopback";

    public override string[] Programs => ["nginx", "wrk"];

    public override void RunOnce()
    {
        int port = Tools.FreePort();
        using Process nginx = Tools.Start("nginx", "-p", folder["."], "-c", Configuration(port));
        try
        {
            Tools.AwaitServer(port);
            Add(Baseline, Tools.Run(limit, "wrk", "-c", "100", "-t", "2", "-d", $"{seconds}", $"http://127.0.0.1:{port}/"));
        }
        finally
        {
            Tools.Stop(nginx);
        }

        Add("linnet up, two hosts", Tools.Run(limit, Tools.Linnet, "up", folder.Write("nginx.yaml", $"""
            hosts:
              web:
                run: [nginx, -p, {folder["."]}, -c, {Configuration(80)}]
              client:
                wait_for: ['web:80']
                run: [wrk, -c, '100', -t, '2', -d, '{seconds}', 'http://web/']
            """)));
    }

    private string Configuration(int port)
    {
        folder.Write("html/index.html", "a page of nginx\n");
        return folder.Write("nginx.conf", $$"""
            daemon off;
            {{(Tools.IsRoot ? "user root;" : "")}}
            worker_processes 2;
            pid nginx.pid;
            error_log stderr;
            events { worker_connections 1024; }
            http {
                access_log off;
                keepalive_requests 1000000;
                server { listen {{port}}; root html; }
            }
            """);
    }

    private void Add(string name, string output) => Add(name, Requests().Match(output) is { Success: true } match
        ? double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
        : throw new FailedException(output));

    [GeneratedRegex(@"Requests/sec:\s+([0-9.]+)")]
    private static partial Regex Requests();
}

/// <summary>redis-server and redis-benchmark: fifty connections, the same with pipelining, and one.</summary>
internal sealed partial class RedisRequests(WorkFolder folder, bool quick) : Measurement("redis-benchmark", "requests/s")
{
    private const string Kernel = "kernel";
    private const int Port = 6379;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    public override string Baseline => "the kernel's loopback";

    public override string[] Programs => ["redis-server", "redis-benchmark"];

    public override void RunOnce()
    {
        int port = Tools.FreePort();
        using Process redis = Tools.Start("redis-server", Server("127.0.0.1", port));
        try
        {
            Tools.AwaitServer(port);
            Add(Kernel, Tools.Run(Limit, "sh", "-c", Client("127.0.0.1", port)));
        }
        finally
        {
            Tools.Stop(redis);
        }

        Add("linnet", Tools.Run(Limit, Tools.Linnet, "up", folder.Write("redis.yaml", $"""
            hosts:
              redis:
                run: [redis-server, {string.Join(", ", Server("0.0.0.0", Port).Select(word => $"'{word}'"))}]
              client:
                wait_for: ['redis:{Port}']
                run: [sh, -c, '{Client("redis", Port)}']
            """)));
    }

    private string[] Server(string address, int port) =>
        ["--bind", address, "--port", $"{port}", "--save", "", "--appendonly", "no", "--protected-mode", "no", "--dir", folder["."]];

    private string Client(string server, int port)
    {
        int count = quick ? 20_000 : 100_000;
        string common = $"redis-benchmark -h {server} -p {port} --csv -t";
        return $"echo // 50 connections; {common} get,set -c 50 -n {count}; echo // pipelines of 16; {common} get -c 50 -P 16 -n {4 * count};"
            + $"echo // 1 connection; {common} get -c 1 -n {count / 4}";
    }

    private void Add(string peer, string output)
    {
        string kind = "";
        foreach (string line in output.Split('\n'))
        {
            if (Title().Match(line) is { Success: true } title)
                kind = title.Groups[1].Value;
            else if (Row().Match(line) is { Success: true } row)
            {
                string name = $"{row.Groups[1].Value}, {kind}, ";
                Add(name + peer, double.Parse(row.Groups[2].Value, CultureInfo.InvariantCulture), baseline: name + Kernel);
            }
        }
    }

    [GeneratedRegex("// (.*)$")]
    private static partial Regex Title();

    [GeneratedRegex("\"(GET|SET)\",\"([0-9.]+)\"")]
    private static partial Regex Row();
}
