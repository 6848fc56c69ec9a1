using System.Text.Json;

namespace Linnet.Programs.Tests;

/// <summary>iperf3, by what it reports as JSON.</summary>
public sealed class IperfTests : IDisposable
{
    private readonly RealLab lab = new();

    public IperfTests() => Need.Programs("iperf3", "nc");

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Tcp_runs_both_ways_and_in_parallel()
    {
        JsonElement[] reports = await RunAsync("", "", "-R", "--bidir", "-P 4", "-P 4 -R");
        Assert.All(reports, report => Assert.True(Received(report, "sum_received") > 10_000_000, $"{report}"));
        Assert.True(Received(reports[2], "sum_received_bidir_reverse") > 10_000_000, $"{reports[2]}");
        Assert.Equal([1, 1, 2, 4, 4], reports.Select(report => report.GetProperty("end").GetProperty("streams").GetArrayLength()));
    }

    [Fact]
    public async Task Udp_loses_nothing_on_a_good_link()
    {
        JsonElement[] reports = await RunAsync("", "-u -b 4M", "-u -b 4M -R", "-u -b 2M --bidir");
        foreach (JsonElement report in reports)
        {
            JsonElement sum = report.GetProperty("end").GetProperty("sum");
            Assert.Equal(0, sum.GetProperty("lost_packets").GetInt32());
            Assert.True(sum.GetProperty("packets").GetInt32() > 100, $"{sum}");
        }
    }

    [Fact]
    public async Task Udp_loses_what_the_link_loses()
    {
        // Each datagram passes two cables.
        JsonElement report = (await RunAsync("loss 1%", "-u -b 8M -l 200")).Single();
        double lost = report.GetProperty("end").GetProperty("sum").GetProperty("lost_percent").GetDouble();
        Assert.InRange(lost, 0.3, 6);
    }

    private static double Received(JsonElement report, string sum) =>
        report.GetProperty("end").GetProperty(sum).GetProperty("bytes").GetDouble();

    private async Task<JsonElement[]> RunAsync(string link, params string[] options)
    {
        // The server is busy for a moment after each run, and where its first datagram is lost iperf3 waits 30 s for the answer.
        string script = string.Concat(options.Select((words, i) => $$"""
            for try in 1 2 3 4 5; do
                timeout 8 iperf3 --json -t 1 -c 10.0.0.1 {{words}} > report{{i}} && ! grep -q '"error"' report{{i}} && break
                sleep 0.3
            done

            """));
        await lab.PairAsync("while :; do iperf3 -s -1 > /dev/null; done &\nuntil_tcp 5201", script, link);
        return [.. options.Select((_, i) => JsonDocument.Parse(lab.Read($"report{i}")).RootElement)];
    }
}
