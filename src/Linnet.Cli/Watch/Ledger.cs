using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Cli.Watch;

/// <summary>A connection, for the summary.</summary>
/// <param name="Host">Its host.</param>
/// <param name="Program">The program; empty when not known.</param>
/// <param name="Local">Its own end.</param>
/// <param name="Peer">The other end.</param>
/// <param name="Tcp">What TCP counted.</param>
internal sealed record Connection(string Host, string Program, Place Local, Place Peer, TcpView Tcp);

/// <summary>What became of a host's connections.</summary>
/// <param name="Host">The host.</param>
/// <param name="Connections">How many.</param>
/// <param name="Sent">Bytes sent.</param>
/// <param name="Received">Bytes received.</param>
/// <param name="Retransmits">Segments sent again.</param>
internal sealed record HostTotal(string Host, long Connections, long Sent, long Received, long Retransmits);

/// <summary>
/// Remembers connections beyond their end. They are told of when they are seen, and when a packet begins or ends one: what is
/// over between two looks is not missed.
/// </summary>
internal sealed class Ledger
{
    /// <summary>How many connections that are over are remembered one by one; of others, the sum.</summary>
    public const int MostConnections = 1000;

    private readonly Lock gate = new();
    private readonly Dictionary<TcpSock, Connection> open = new(ReferenceEqualityComparer.Instance);
    private readonly List<Connection> over = [];
    private readonly Dictionary<string, HostTotal> totals = [];

    /// <summary>Tells of a connection.</summary>
    public void Note(TcpSock tp, string host, string program)
    {
        if (tp.SkState == TCP_LISTEN)
            return;
        lock (gate)
        {
            if (!open.TryGetValue(tp, out Connection? known))
                known = new Connection(host, program, new Place(tp.SkcRcvSaddr, tp.SkcNum), new Place(tp.SkcDaddr, tp.SkcDport), Sampler.Read(tp));
            else if (program.Length == 0)
                return;
            open[tp] = known with { Program = program.Length > 0 ? program : known.Program };
        }
    }

    /// <summary>Lets go of the sockets that are closed. Their counters are what they were.</summary>
    public void Settle()
    {
        lock (gate)
        {
            foreach ((TcpSock tp, Connection connection) in open)
            {
                if (tp.SkState != TCP_CLOSE)
                    continue;
                open.Remove(tp);
                Connection ended = connection with { Tcp = Sampler.Read(tp) };
                totals[ended.Host] = Plus(totals.GetValueOrDefault(ended.Host), ended);
                if (over.Count < MostConnections)
                    over.Add(ended);
            }
        }
    }

    /// <summary>All that was told of, as it is now: the hosts, and the connections with the most bytes first.</summary>
    public (IReadOnlyList<HostTotal> Hosts, IReadOnlyList<Connection> Connections) Read()
    {
        Settle();
        lock (gate)
        {
            List<Connection> still = [.. open.Select(pair => pair.Value with { Tcp = Sampler.Read(pair.Key) })];
            Dictionary<string, HostTotal> hosts = new(totals);
            foreach (Connection connection in still)
                hosts[connection.Host] = Plus(hosts.GetValueOrDefault(connection.Host), connection);
            return ([.. hosts.Values], [.. over.Concat(still).OrderByDescending(one => one.Tcp.Sent + one.Tcp.Received)]);
        }
    }

    private static HostTotal Plus(HostTotal? before, Connection connection)
    {
        before ??= new HostTotal(connection.Host, 0, 0, 0, 0);
        return new HostTotal(
            before.Host,
            before.Connections + 1,
            before.Sent + connection.Tcp.Sent,
            before.Received + connection.Tcp.Received,
            before.Retransmits + connection.Tcp.Retransmits);
    }
}
