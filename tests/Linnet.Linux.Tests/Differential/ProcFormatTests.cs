using System.Text.RegularExpressions;
using Linnet.Kernel.Net.Core;

namespace Linnet.Linux.Tests.Differential;

/// <summary>The files of /proc/net have the columns, and the counters the names, that the host's kernel gives them.</summary>
public sealed class ProcFormatTests : IDisposable
{
    private readonly Network network = Network.Simulate();
    private readonly Host host;

    public ProcFormatTests() => host = network.AddHost("host");

    public void Dispose() => network.Dispose();

    [Theory]
    [InlineData("igmp", 1)]
    [InlineData("mcfilter", 1)]
    [InlineData("protocols", 1)]
    [InlineData("dev", 2)]
    [InlineData("arp", 1)]
    [InlineData("route", 1)]
    [InlineData("tcp", 1)]
    [InlineData("udp", 1)]
    [InlineData("raw", 1)]
    [InlineData("icmp", 1)]
    [InlineData("packet", 1)]
    public void Headers_are_the_same(string file, int lines)
    {
        host.Syscalls.Socket(17, 3, 0);
        Assert.Equal(OfHost(file).Take(lines), OfLinnet(file).Take(lines));
    }

    [Theory]
    [InlineData("snmp", "Ip")]
    [InlineData("snmp", "Icmp")]
    [InlineData("snmp", "Tcp")]
    [InlineData("snmp", "Udp")]
    [InlineData("snmp", "UdpLite")]
    [InlineData("netstat", "TcpExt")]
    [InlineData("netstat", "IpExt")]
    public void Counters_are_the_same(string file, string group)
    {
        if (!System.IO.File.ReadAllText("/proc/sys/kernel/osrelease").StartsWith("6.18.", StringComparison.Ordinal))
            Assert.Skip("each release of Linux has its own counters; Linnet has those of 6.18");
        Assert.Equal(Names(OfHost(file)), Names(OfLinnet(file)));

        string Names(string[] lines) => lines.First(line => line.StartsWith(group + ":", StringComparison.Ordinal));
    }

    [Fact]
    public void Sockets_are_counted_under_the_same_names() =>
        Assert.Equal(OfHost("sockstat").Select(Shape), OfLinnet("sockstat").Select(Shape));

    [Theory]
    [InlineData("TCP")]
    [InlineData("UDP")]
    public void Protocols_have_the_same_operations_and_columns(string protocol)
    {
        string ours = Row(OfLinnet("protocols"));
        string theirs = Row(OfHost("protocols"));
        Assert.Equal(theirs.Length, ours.Length);
        Assert.Equal(theirs[theirs.IndexOf("kernel", StringComparison.Ordinal)..], ours[ours.IndexOf("kernel", StringComparison.Ordinal)..]);

        string Row(string[] lines) => lines.Single(line => line.StartsWith(protocol + " ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_line_of_an_interface_in_igmp_is_written_as_there()
    {
        Assert.Equal(Loopback(OfHost("igmp")), Loopback(OfLinnet("igmp")));

        static string[] Loopback(string[] lines) => lines[1..3];
    }

    private static string Shape(string line) => Regex.Replace(line, "[0-9]+", "N");

    private static string[] OfHost(string file) => System.IO.File.ReadAllLines($"/proc/net/{file}");

    private string[] OfLinnet(string file)
    {
        Assert.Equal(0, ProcNet.Of(network.Machine).Read(host.Namespace, file, out string text));
        return text.TrimEnd('\n').Split('\n');
    }
}
