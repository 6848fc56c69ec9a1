using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Linnet.Cli.Programs;
using Linnet.Cli.Rendering;
using Linnet.Kernel.Trace;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet trace</c>: runs a little program of calls and shows the functions that each goes through.</summary>
internal static class TraceCommand
{
    private const string About = """
        Run a little program of system calls and show, for each, the tree of the kernel's functions that it goes through.

        PROGRAM is calls separated by ';', on a machine of their own that has a loopback device:

          s = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); bind(s, 127.0.0.1:80); listen(s, 5)
          c = socket(AF_INET, SOCK_STREAM, 0); connect(c, 127.0.0.1:80); a = accept(s)
          write(c, "hello\n"); read(a, 100); sleep(50); close(c)

        Constants have their names in Linux, results are kept by 'name =', addresses are written as 127.0.0.1:80, :80
        or localhost:80, and strings as in C. The descriptors 0 to 2 are open as in any program (they read nothing and
        drop what is written), so the first new one is 3. p = pipe() and p = socketpair(...) give p[0] and p[1].
        Lengths of addresses, data and values are filled in. sleep(ms) lets the machine's time pass; nothing else does,
        except a call that waits. PROGRAM may be '-' for standard input, where line ends separate calls, too, and
        '#' begins a comment.

        The calls:
        """;

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> program = new("PROGRAM") { Description = "The calls, or - to read them from standard input." };
        Option<bool> json = new("--json") { Description = "Write JSON, for tools." };
        Option<string?> policy = new("--policy")
        {
            Description = "Load a security policy before the first call.",
            HelpName = "FILE",
        };
        Option<string?> comm = new("--comm") { Description = "Run under this program name, as policies see it.", HelpName = "NAME" };
        Option<uint?> uid = new("--uid") { Description = "Run as this user, without capabilities unless it is 0.", HelpName = "N" };
        Option<bool> dropCaps = new("--drop-caps") { Description = "Run without capabilities." };
        Option<FileInfo?> pcap = new("--pcap") { Description = "Write the packets as pcapng.", HelpName = "FILE" };
        Option<bool> source = new("--source") { Description = "Show where each function is in Linnet's sources." };
        Option<bool> time = new("--time") { Description = "Show the machine's time at each call, in microseconds since boot." };
        Option<int?> depth = new("--depth") { Description = "Show only so many levels of the trees.", HelpName = "N" };
        Command command = new("trace", About + "\n" + Calls()) { program, json, policy, comm, uid, dropCaps, pcap, source, time, depth };
        command.SetAction(parsed =>
        {
            string text = parsed.GetValue(program)!;
            if (text == "-")
                text = Console.In.ReadToEnd();
            var options = new TraceMachineOptions
            {
                PolicyFile = parsed.GetValue(policy),
                Comm = parsed.GetValue(comm) ?? "trace",
                Uid = parsed.GetValue(uid),
                DropCapabilities = parsed.GetValue(dropCaps),
                PcapFile = parsed.GetValue(pcap),
            };
            CallProgram calls = Parser.Parse(text);
            using var machine = new TraceMachine(options);
            if (parsed.GetValue(json))
                return RunAsJson(terminal, machine, calls);
            int levels = parsed.GetValue(depth) ?? int.MaxValue;
            if (levels < 1)
                throw new UsageException("--depth is at least 1");
            var view = new TraceView(terminal)
            {
                ShowSource = parsed.GetValue(source),
                ShowTime = parsed.GetValue(time),
                Depth = levels,
            };
            return Run(terminal, view, machine, calls);
        });
        return command;
    }

    private static int Run(Terminal terminal, TraceView view, TraceMachine machine, CallProgram calls)
    {
        bool isFirst = true;
        foreach (Statement statement in calls.Statements)
        {
            if (!isFirst)
                terminal.Write();
            isFirst = false;
            TracedCall call = machine.Run(statement);
            terminal.Write(Headline(call));
            view.Print(call.Trace);
            if (call.Refusal is { } refusal)
                terminal.Write(Explain(refusal));
            foreach (string text in call.PolicyRefusals)
                terminal.Write(text, Ink.Bad);
            foreach (string packet in call.Packets)
                terminal.Write(new Line().Add("packet ", Ink.Faint).Add(packet));
            if (call.Outcome == null)
                return 1;
        }

        return 0;
    }

    private static Line Headline(TracedCall call)
    {
        var line = new Line().Add(call.Statement.Text, Ink.Accent);
        if (call.Outcome is not { } outcome)
            return line.Add(" would wait for ever: nothing that the program started can wake it", Ink.Bad);
        line.Add(" = ");
        if (outcome.Result is < 0 and >= -4095)
            return line.Add(ErrorText.Of((int)-outcome.Result), Ink.Bad);
        line.Add(outcome.Result.ToString(CultureInfo.InvariantCulture), Ink.Good);
        return outcome.Detail == null ? line : line.Add(", ").Add(outcome.Detail, Ink.Value);
    }

    private static Line Explain(Refusal refusal)
    {
        var line = new Line().Add("refused in ").Add(refusal.Where.Point.Symbol, Ink.Bad)
            .Add($" ({refusal.Where.Point.File})", Ink.Faint);
        if (refusal.Unwound.Count == 0)
            return line;
        line.Add("; then undone: ");
        for (int i = 0; i < refusal.Unwound.Count; i++)
            line.Add(i > 0 ? ", " : "").Add(refusal.Unwound[i].Point.Symbol, Ink.Strong);
        return line;
    }

    private static int RunAsJson(Terminal terminal, TraceMachine machine, CallProgram calls)
    {
        using var buffer = new MemoryStream();
        int status = 0;
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteStartArray("calls");
            foreach (Statement statement in calls.Statements)
            {
                TracedCall call = machine.Run(statement);
                Write(json, call);
                if (call.Outcome != null)
                    continue;
                status = 1;
                break;
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        terminal.Output.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
        return status;
    }

    private static void Write(Utf8JsonWriter json, TracedCall call)
    {
        json.WriteStartObject();
        json.WriteString("text", call.Statement.Text);
        json.WriteString("call", call.Statement.Call);
        if (call.Outcome is { } outcome)
        {
            json.WriteNumber("result", outcome.Result);
            if (outcome.Result is < 0 and >= -4095)
                json.WriteString("errno", Linnet.Kernel.Trace.Beauty.Names.ErrnoName(outcome.Result));
            if (outcome.Detail != null)
                json.WriteString("detail", outcome.Detail);
        }
        else
        {
            json.WriteBoolean("waitsForEver", true);
        }

        if (call.Refusal is { } refusal)
        {
            json.WriteString("refusedIn", refusal.Where.Point.Symbol);
            json.WriteStartArray("undone");
            foreach (TraceCall undone in refusal.Unwound)
                json.WriteStringValue(undone.Point.Symbol);
            json.WriteEndArray();
        }

        WriteLines(json, "policy", call.PolicyRefusals);
        WriteLines(json, "packets", call.Packets);

        json.WritePropertyName("trace");
        TraceJson.Write(json, call.Trace);
        json.WriteEndObject();
    }

    private static void WriteLines(Utf8JsonWriter json, string name, IReadOnlyList<string> lines)
    {
        if (lines.Count == 0)
            return;
        json.WriteStartArray(name);
        foreach (string line in lines)
            json.WriteStringValue(line);
        json.WriteEndArray();
    }

    private static string Calls()
    {
        var text = new StringBuilder();
        int column = 0;
        foreach (string call in CallSpec.All.Select(c => c.Name + c.Signature))
        {
            if (column + call.Length > 100)
            {
                text.Append('\n');
                column = 0;
            }

            text.Append("  ").Append(call);
            column += call.Length + 2;
        }

        return text.ToString();
    }
}
