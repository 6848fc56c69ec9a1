using System.Net;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>tshark's opinion of what Linnet sent: an independent reader of every packet of a test.</summary>
internal static class CaptureCheck
{
    // Checksums, lengths and formats that a receiver would not have taken.
    private const string Bad = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
        + " || udp.checksum.status == 0 || icmp.checksum.status == 0 || igmp.checksum.status == 0";

    // What tshark's experts rate a warning or an error, but for what is no fault of a sender: a window that is full or closed, a
    // segment that came twice, and a reset where one is due.
    private const string Suspicious = "_ws.expert.severity >= 0x600000 && !tcp.analysis.window_full"
        + " && !tcp.analysis.zero_window && !tcp.connection.rst && !tcp.options.sack.dsack";

    // The kernel writes a sum of zero as 0xFFFF for TCP, too; who passes such a segment on leaves it as it is.
    private const string OfTheKernel = " && !tcp.checksum.ffff";

    // Random data is nothing that readers of applications' protocols should make sense of.
    private static readonly string[] Options =
    [
        "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
        "-o", "tcp.desegment_tcp_streams:FALSE", "-d", "tcp.port==1-65535,data", "-d", "udp.port==1-65535,data",
    ];

    /// <summary>Fails when tshark finds fault with a packet that one of some addresses sent.</summary>
    /// <param name="file">A capture of one interface.</param>
    /// <param name="linnet">Linnet's addresses.</param>
    public static void AssertClean(string file, params IPAddress[] linnet) => AssertClean(file, "", linnet);

    private static void AssertClean(string file, string andNot, IPAddress[] linnet)
    {
        string ours = string.Join(" || ", linnet.Select(address => $"ip.src == {address}"));
        HostNamespace.Result found = Tshark(
            file, "-Y", $"({ours}) && ({Bad} || ({Suspicious})){andNot}", "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info", "-e",
            "_ws.expert.message");
        Assert.True(found.Output.Length == 0, $"tshark finds fault with what Linnet sent:\n{found.Output}");
        Assert.True(new FileInfo(file).Length > 400, "nothing was captured");
    }

    /// <summary>Fails when tshark finds fault with what Linnet sent by one of several interfaces of a capture.</summary>
    /// <param name="file">A capture of several interfaces.</param>
    /// <param name="name">The interface, as the capture names it.</param>
    /// <param name="linnet">Addresses of Linnet's, and of the kernel's packets that it passes on.</param>
    public static void AssertInterfaceClean(string file, string name, params IPAddress[] linnet)
    {
        string one = file + ".one";
        try
        {
            Tshark(file, "-Y", $"frame.interface_name == \"{name}\"", "-w", one);
            AssertClean(one, OfTheKernel, linnet);
        }
        finally
        {
            File.Delete(one);
        }
    }

    private static HostNamespace.Result Tshark(string file, params string[] arguments) =>
        HostNamespace.Execute("tshark", ["-n", "-r", file, .. Options, .. arguments]).ThrowIfFailed();
}
