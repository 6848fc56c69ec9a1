using Linnet.Diagnostics;

namespace Linnet.Cli.Run;

/// <summary>What <c>--trace</c> asks for, from the start of the programs to their end.</summary>
internal sealed class Tracing : IDisposable
{
    private readonly StreamWriter? file;
    private readonly List<PacketLog> packets = [];

    private Tracing(CommonOptions options, Terminal terminal, IReadOnlyList<Host> hosts)
    {
        file = OpenFile(options.TraceFile);
        Calls = new CallTrace(file == null ? terminal.ToError() : Terminal.ForWriters(file, file), options.Trace, showHost: hosts.Count > 1);
        if (options.Trace != TraceDetail.Tree)
            return;
        foreach (Host host in hosts)
        {
            // Of several hosts each shows what it sends, so that a packet is shown once.
            PacketLog log = new(packet =>
            {
                if (hosts.Count == 1 || packet.IsOutgoing)
                    Calls.Add(packet, host.Name);
            });
            packets.Add(log);
            foreach (HostInterface end in host.Interfaces)
                log.Watch(end.Device);
        }
    }

    /// <summary>Sees the calls.</summary>
    public CallTrace Calls { get; }

    /// <summary>Begins to trace.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="terminal">Where it is shown, unless a file was given.</param>
    /// <param name="hosts">The hosts of the programs.</param>
    /// <returns>Null when it was not asked for.</returns>
    /// <exception cref="UsageException">The file cannot be written.</exception>
    public static Tracing? Open(CommonOptions options, Terminal terminal, IReadOnlyList<Host> hosts) =>
        options.Trace == TraceDetail.None ? null : new Tracing(options, terminal, hosts);

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        packets.ForEach(log => log.Dispose());
        file?.Dispose();
    }

    private static StreamWriter? OpenFile(FileInfo? path)
    {
        try
        {
            return path == null ? null : new StreamWriter(path.FullName) { NewLine = "\n" };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot write the trace {path}: {e.Message.TrimEnd('.')}");
        }
    }
}
