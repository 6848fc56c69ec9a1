using System.Diagnostics;
using System.Text.Json;

namespace Linnet.Bench.Programs;

/// <summary>
/// iperf3, one TCP connection: between two hosts of Linnet, and from a sandbox to a server on the computer's loopback through
/// Linnet's way out, slirp4netns and pasta. The processor time is that of all processes, with starting and ending them.
/// </summary>
internal sealed class Transfers(WorkFolder folder, int seconds) : Measurement("iperf3", "Gbit/s")
{
    // What slirp4netns and Linnet have for the computer's loopback.
    private const string HostInside = "10.0.2.2";

    private readonly TimeSpan limit = TimeSpan.FromSeconds(seconds + 30);

    public override string Baseline => "kernel's loopback";

    public override string[] Programs => ["iperf3", "sh"];

    public override void RunOnce()
    {
        Measure(Baseline, () => WithServer(port => Tools.Run(limit, "sh", "-c", Client("127.0.0.1", port))));
        Measure("linnet up, two hosts", () => Tools.Run(limit, Tools.Linnet, "up", folder.Write("iperf.yaml", $"""
            hosts:
              server:
                run: [iperf3, -s]
              client:
                run: [sh, -c, '{Client("server", 5201)}']
            """)));
        foreach ((string name, string options) in (ReadOnlySpan<(string, string)>)[("out", ""), ("in", "-R")])
        {
            Measure($"linnet run, {name}", () => WithServer(port => Tools.Run(
                limit, Tools.Linnet, "run", "--", "sh", "-c", Client(HostInside, port, options))));
            if (Tools.Missing("slirp4netns", "unshare") is [])
                Measure($"slirp4netns, {name}", () => WithServer(port => Slirp(Client(HostInside, port, options))));
            if (Tools.Missing("pasta", "unshare", "ip") is [])
                Measure($"pasta, {name}", () => WithServer(port => Pasta(Client("$(ip -4 route | sed -n \"s/^default via \\([^ ]*\\).*/\\1/p\")", port, options))));
        }

        if (Tools.Missing("pasta", "unshare", "ip") is [])
            Measure("pasta, out, spliced loopback", () => WithServer(port => Pasta(Client("127.0.0.1", port), "-T", $"{port}")));
    }

    // It waits for the server, and leaves the figures in a file. Not every failure shows in its status.
    private string Client(string server, int port, string options = "") =>
        $"until iperf3 -c {server} -p {port} -t {seconds} {options} -J >{folder["iperf.json"]} && grep -q sum_received {folder["iperf.json"]}; do sleep 0.05; done";

    private static void WithServer(Action<int> run)
    {
        int port = Tools.FreePort();
        using Process server = Tools.Start("iperf3", "-s", "-B", "127.0.0.1", "-p", $"{port}");
        try
        {
            run(port);
        }
        finally
        {
            Tools.Stop(server);
        }
    }

    private void Slirp(string client) => InNamespace(
        $"until grep -q tap0 /proc/net/route; do sleep 0.02; done; {client}",
        pid => Tools.Start("slirp4netns", "--configure", "--mtu=65520", $"{pid}", "tap0"));

    // Root is to stay root: what pasta becomes otherwise may not enter the namespace. Nor does pasta start where SIGPIPE is ignored.
    private void Pasta(string client, params string[] options) => InNamespace(
        $"until ip -4 route | grep -q default; do sleep 0.02; done; {client}",
        pid => Tools.Start(
            "env",
            ["--default-signal=PIPE", "pasta", "-f", "-q", "--config-net", .. Tools.IsRoot ? (string[])["--runas", "0:0"] : [], .. options, $"{pid}"]));

    private void InNamespace(string script, Func<int, Process> attach)
    {
        using Process inside = Tools.Start("unshare", "-r", "-n", "sh", "-c", script);
        Process? way = null;
        try
        {
            Tools.Await("a namespace", () => File.ReadAllText($"/proc/{inside.Id}/comm") == "sh\n");
            way = attach(inside.Id);
            Tools.Await("a route out", () => way.HasExited || File.ReadLines($"/proc/{inside.Id}/net/route").Count() > 1);
            if (way.HasExited)
                Tools.Finish(way, limit);
            Tools.Finish(inside, limit);
        }
        finally
        {
            Tools.Stop(inside);
            if (way != null)
                Tools.Stop(way);
            way?.Dispose();
        }
    }

    private void Measure(string name, Action run)
    {
        double before = Tools.ChildrenSeconds;
        run();
        double used = Tools.ChildrenSeconds - before;
        using JsonDocument report = JsonDocument.Parse(File.ReadAllText(folder["iperf.json"]));
        JsonElement received = report.RootElement.GetProperty("end").GetProperty("sum_received");
        double bytes = received.GetProperty("bytes").GetDouble();
        Add(name, received.GetProperty("bits_per_second").GetDouble() / 1e9, used / (bytes / 1e9));
    }
}
