using System.CommandLine;
using Linnet.Cli.Demo;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet demo</c>: a socket call's way through the kernel, and the packets that come of it.</summary>
internal static class DemoCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Option<FileInfo?> pcap = new("--pcap") { HelpName = "FILE", Description = "Write the packets to FILE, as pcapng." };
        Command command = new(
            "demo", "Run an HTTP server and a client on two hosts; show the server's socket() call and the packets.")
        {
            pcap,
        };
        command.SetAction(parsed =>
        {
            FileInfo? file = parsed.GetValue(pcap);
            using Stream? capture = CaptureFile.Open(file);
            new HttpDemo(terminal, capture, file?.ToString()).Run();
            return 0;
        });
        return command;
    }
}
