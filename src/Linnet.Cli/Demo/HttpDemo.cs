using System.Globalization;
using System.Text;
using HttpServer;
using Linnet.Cli.Rendering;
using Linnet.Kernel.Net.Sched;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;

namespace Linnet.Cli.Demo;

/// <summary>The exchange that <c>linnet demo</c> shows, in virtual time.</summary>
/// <param name="terminal">Where it is shown.</param>
/// <param name="capture">Where packets are written; null for nowhere.</param>
/// <param name="captureName">What the user called it.</param>
internal sealed class HttpDemo(Terminal terminal, Stream? capture, string? captureName)
{
    private const ushort Port = 80;

    /// <summary>Runs and shows it.</summary>
    public void Run()
    {
        using Network network = new(new NetworkOptions { VirtualTime = true, Capture = capture });
        Host client = network.AddHost("client");
        Host web = network.AddHost("web");
        Link link = network.Connect(client, "10.0.0.1/24", web, "10.0.0.2/24");

        // A link of some length, so that the packets stand apart in time.
        link.Emulate(new NetemOptions { Delay = TimeSpan.FromMilliseconds(5) });
        Syscalls server = web.NewTask("httpd");
        TraceTree tree = new();
        using PacketLog packets = new(link, network.Machine);
        byte[] response = [];

        // Only the server's calls are recorded, and of these only the first is shown.
        using (TraceSession.Start(tree, Beautifier.Instance, network.Machine, server.Task))
        {
            network.Machine.Scheduler.Start("web:httpd", () => BsdHttpServer.Run(server, Port));
            network.Simulation!.RunReady();
        }

        Task fetched = client.Start("fetch", sys => response = Fetch(sys, web));
        network.Simulation!.RunUntil(() => fetched.IsCompleted);
        network.Simulation!.RunFor(TimeSpan.FromMilliseconds(500));

        terminal.Write($"{web.Name} ({web.Address}) runs an HTTP server. What its first call does in the kernel:", Ink.Accent);
        terminal.Write("");
        new TraceView(terminal).Print(tree.Roots.Where(root => root.Call.Point.Symbol is "__x64_sys_socket").Take(1));
        terminal.Write("");
        terminal.Write($"{client.Name} ({client.Address}) asks it for /. The packets, and both ends' TCP states as each arrives:", Ink.Accent);
        terminal.Write("");
        packets.Print(terminal);
        terminal.Write("");
        terminal.Write("What the client got:", Ink.Accent);
        terminal.Write("");
        foreach (string line in Encoding.ASCII.GetString(response).TrimEnd().Split("\r\n"))
            terminal.Write("    " + line.TrimEnd('\n'), Ink.Value);
        terminal.Write("");
        PrintNext();
    }

    // As a C program would: connect, send, and read until the server closes.
    private static byte[] Fetch(Syscalls sys, Host web)
    {
        int s = Check(sys.Socket(AF_INET, SOCK_STREAM, 0));
        Check(sys.Connect(s, Syscalls.Sockaddr(new System.Net.IPEndPoint(web.Address, Port))));
        Check((int)sys.Send(s, Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: {web.Name}\r\n\r\n"), 0));
        using MemoryStream response = new();
        Span<byte> buffer = stackalloc byte[4096];
        for (int received; (received = Check((int)sys.Recv(s, buffer, 0))) > 0;)
            response.Write(buffer[..received]);
        Check(sys.Close(s));
        return response.ToArray();
    }

    private static int Check(int result) => result >= 0 ? result : throw new LinnetSocketException(-result);

    private void PrintNext()
    {
        terminal.Write("Next:", Ink.Accent);
        (string Command, string Why)[] next =
        [
            ("linnet trace 'socket(AF_INET, SOCK_STREAM, 0)'", "this path for any call, of any arguments"),
            ("linnet serve . --publish 8080:80", "a web server on this stack, for curl and your browser"),
            captureName == null
                ? ("linnet demo --pcap demo.pcapng", "the packets above, for Wireshark")
                : ($"wireshark {captureName}", "the packets above; or tcpdump -nr, tshark -r"),
            ("samples/HttpServer/HttpServer.cs", "the server that you saw, a page of C#"),
        ];
        int width = next.Max(n => n.Command.Length) + 3;
        foreach ((string command, string why) in next)
            terminal.Write(new Line().Add("    " + command.PadRight(width), Ink.Strong).Add(why, Ink.Faint));
    }
}
