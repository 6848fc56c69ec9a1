using System.CommandLine;
using System.Net;
using Linnet.Cli.Serve;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet serve</c>: a web server for static files, on the stack.</summary>
internal static class ServeCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> directory = new("DIR") { Description = "The directory whose files are served." };
        Option<string?> publish = new("--publish")
        {
            HelpName = "HOSTPORT:PORT",
            Description = "Carry connections to this computer's HOSTPORT (ADDRESS:HOSTPORT; 127.0.0.1 by default, port 0 is a free one) "
                + "to the server's PORT. Needs no root. 8080:80 if neither this nor --tap is given.",
        };
        Option<string?> tap = new("--tap")
        {
            HelpName = "NAME",
            Description = "Make a TAP device NAME, over which this computer's own TCP speaks to the server. Needs root.",
        };
        Option<FileInfo?> pcap = new("--pcap") { HelpName = "FILE", Description = "Write the packets to FILE, as pcapng." };
        Command command = new("serve", "Serve the files of a directory over HTTP.") { directory, publish, tap, pcap };
        command.SetAction(async (parsed, cancellation) =>
        {
            string? tapName = parsed.GetValue(tap);
            string? published = parsed.GetValue(publish) ?? (tapName == null ? "8080:80" : null);
            ServeOptions options = new()
            {
                Directory = parsed.GetValue(directory)!,
                Publish = published == null ? null : PublishedAddress.ParseTcp(published),
                Tap = tapName,
                Pcap = parsed.GetValue(pcap),
            };
            await new WebServer(terminal, options).RunAsync(cancellation);
            return 0;
        });
        return command;
    }
}
