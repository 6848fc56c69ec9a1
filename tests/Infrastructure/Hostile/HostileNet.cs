using System.Buffers.Binary;
using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Testing.Hostile;

/// <summary>What a server holds for others; the most of each that was seen.</summary>
public readonly record struct HostileUsage
{
    /// <summary>Half-open connections of the listener.</summary>
    public int Requests { get; init; }

    /// <summary>Connections in TIME_WAIT.</summary>
    public int TimeWaits { get; init; }

    /// <summary>Truesize of fragments that wait for others, bytes.</summary>
    public long FragmentMemory { get; init; }

    /// <summary>Incomplete datagrams.</summary>
    public int Fragmented { get; init; }

    /// <summary>Neighbours known or asked for.</summary>
    public int Neighbours { get; init; }

    /// <summary>Memory that TCP's queues are charged, bytes.</summary>
    public long TcpMemory { get; init; }

    /// <summary>Packets that exist; counted in debug builds only.</summary>
    public long Packets { get; init; }

    /// <summary>The most of each.</summary>
    public HostileUsage Max(HostileUsage other) => new()
    {
        Requests = Math.Max(Requests, other.Requests),
        TimeWaits = Math.Max(TimeWaits, other.TimeWaits),
        FragmentMemory = Math.Max(FragmentMemory, other.FragmentMemory),
        Fragmented = Math.Max(Fragmented, other.Fragmented),
        Neighbours = Math.Max(Neighbours, other.Neighbours),
        TcpMemory = Math.Max(TcpMemory, other.TcpMemory),
        Packets = Math.Max(Packets, other.Packets),
    };
}

/// <summary>
/// A server in virtual time that an honest client uses over a cable of 2 Mbit/s, while an attacker has a device of the server's to
/// himself and sends what he likes.
/// </summary>
public sealed class HostileNet : IDisposable
{
    /// <summary>Where the attacker's packets go: the server's address on his device.</summary>
    public const uint Victim = 0xC6336401;

    /// <summary>The attacker's own address.</summary>
    public const uint Attacker = 0xC6336402;

    /// <summary>The server's port.</summary>
    public const int Port = 80;

    /// <summary>How much an honest connection carries: about two seconds.</summary>
    public const int HonestBytes = 400_000;

    private readonly Tun tun;
    private readonly LinnetSocket listener;
    private readonly List<Task> honest = [];
    private TimerList? attack;

    public HostileNet(ulong seed = 1, bool tap = false, int backlog = 128)
    {
        Network = Network.Simulate(seed);
        Server = Network.AddHost("server");
        Client = Network.AddHost("client");
        Link link = Network.Connect(Server, "10.0.0.1/24", Client, "10.0.0.2/24");
        link.Emulate(new NetemOptions { Delay = TimeSpan.FromMilliseconds(10), Rate = 2_000_000, Limit = 1000 });
        tun = Server.AddTun(tap, IPNetworkAddress.Parse("198.51.100.1/24"));
        tun.Transmit = Sent;
        Server.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), IPAddress.Parse("198.51.100.2"));
        listener = Server.CreateSocket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream);
        listener.Bind(new IPEndPoint(IPAddress.Any, Port));
        listener.Listen(backlog);
        Serving = Server.Start("serve", _ => Serve());
    }

    public Network Network { get; }

    public Host Server { get; }

    public Host Client { get; }

    /// <summary>The program that accepts and counts.</summary>
    public Task Serving { get; }

    /// <summary>The device that the attacker has.</summary>
    public NetDevice Device => tun.Dev;

    public NetnsIpv4 Ipv4 => Server.Namespace.Ipv4;

    public Machine Machine => Network.Machine;

    public long Now => Machine.Clock.Now;

    /// <summary>Packets that the server sent to the attacker or to whom he pretended to be.</summary>
    public int Answers { get; private set; }

    /// <summary>The last of them.</summary>
    public byte[] LastAnswer { get; private set; } = [];

    /// <summary>The most that the server held.</summary>
    public HostileUsage Peak { get; private set; }

    /// <summary>Whether strangers are served: their connections are read to the end. Otherwise they are accepted and left alone.</summary>
    public bool ReadsStrangers { get; set; } = true;

    /// <summary>Connections that the server accepted from the attacker.</summary>
    public List<LinnetSocket> Strangers { get; } = [];

    /// <summary>The server's connections.</summary>
    internal IEnumerable<TcpSock> Connections => Ipv4.TcpDeathRow.Hashinfo.Ehash.Snapshot().OfType<TcpSock>().Where(tp => tp.SkcNet == Server.Namespace);

    /// <summary>The server's end of an honest connection.</summary>
    internal TcpSock HonestEnd => Connections.First(tp => tp.SkcDaddr == 0x0A000002);

    /// <summary>The client begins to send.</summary>
    public void StartHonest() => honest.Add(Client.Start("honest", _ => SendHonestly()));

    /// <summary>Runs until the honest connections are done.</summary>
    /// <returns>Whether they were done in time and whole.</returns>
    public bool Finish(TimeSpan limit)
    {
        long end = Now + limit.Ticks * 100;
        while (honest.Any(task => !task.IsCompleted) && Now < end)
            RunFor(TimeSpan.FromMilliseconds(100));
        return honest.All(task => task.IsCompletedSuccessfully);
    }

    /// <summary>Has so many packets come in, evenly over a time, while everything else goes on; and runs that long.</summary>
    public void Attack(int count, TimeSpan duration, Func<int, byte[]?> packet)
    {
        BeginAttack(count, duration, packet);
        RunFor(duration + TimeSpan.FromMilliseconds(1));
    }

    /// <summary>Has packets come in, in batches a millisecond apart.</summary>
    public void BeginAttack(int count, TimeSpan duration, Func<int, byte[]?> packet)
    {
        int batches = Math.Max(1, (int)duration.TotalMilliseconds);
        int sent = 0;
        int batch = 0;
        attack = new TimerList(
            Machine.Timers,
            _ =>
            {
                int until = (int)((long)count * ++batch / batches);
                while (sent < until)
                    Inject(packet(sent++));
                Sample();
                if (batch < batches)
                    attack!.Mod(Now + Clock.NsecPerMsec);
            },
            this);
        attack.Mod(Now + Clock.NsecPerMsec);
    }

    /// <summary>The attacker sends a packet; null sends none.</summary>
    public void Inject(byte[]? packet)
    {
        if (packet != null)
            tun.Receive(packet);
    }

    public void RunFor(TimeSpan time) => Network.Simulation!.RunFor(time);

    /// <summary>A connection of the attacker's own.</summary>
    public HostileConnection Connect(int port, byte[]? options = null, int window = 65535)
    {
        HostileConnection connection = new(this, port, window);
        connection.Open(options ?? [2, 4, 5, 180]);
        return connection;
    }

    /// <summary>Looks at what the server holds.</summary>
    public HostileUsage Sample()
    {
        HostileUsage now = new()
        {
            Requests = Ipv4.TcpDeathRow.Hashinfo.Ehash.Snapshot().Count(sk => sk is RequestSock && sk.SkcNet == Server.Namespace),
            TimeWaits = Ipv4.TcpDeathRow.TwCount,
            FragmentMemory = Ipv4.FragQueues.Memory,
            Fragmented = Ipv4.FragQueues.Count,
            Neighbours = Ipv4.ArpTbl.Entries,
            TcpMemory = TcpMachine.Of(Machine).Memory.Allocated * 4096,
            Packets = Server.Namespace.SkbPool.Outstanding,
        };
        Peak = Peak.Max(now);
        return now;
    }

    public void Dispose()
    {
        foreach (LinnetSocket stranger in Strangers)
            stranger.Dispose();
        listener.Dispose();
        Network.Simulation!.RunFor(TimeSpan.FromMinutes(30));
        Network.Dispose();
    }

    private void Sent(ReadOnlySpan<byte> packet)
    {
        Answers++;
        LastAnswer = packet.ToArray();
    }

    private async Task SendHonestly()
    {
        using LinnetStream stream = await Client.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.0.0.1"), Port));
        byte[] data = new byte[HonestBytes];
        for (int i = 0; i < data.Length; i++)
            data[i] = (byte)(i * 31);
        await stream.WriteAsync(data);
        stream.CompleteWrites();
        byte[] answer = new byte[8];
        await stream.ReadExactlyAsync(answer);
        if (BinaryPrimitives.ReadInt64BigEndian(answer) != HonestBytes)
            throw new InvalidOperationException("the server did not get the bytes that were sent");
    }

    private async Task Serve()
    {
        while (true)
        {
            LinnetSocket connection;
            try
            {
                connection = await listener.AcceptAsync();
            }
            catch (Exception e) when (e is ObjectDisposedException or LinnetSocketException)
            {
                return;
            }

            bool stranger = !Equals((connection.RemoteEndPoint as IPEndPoint)?.Address, IPAddress.Parse("10.0.0.2"));
            if (stranger)
                Strangers.Add(connection);
            if (!stranger || ReadsStrangers)
                _ = Read(connection, stranger);
        }
    }

    private static async Task Read(LinnetSocket connection, bool stranger)
    {
        try
        {
            byte[] buffer = new byte[16384];
            long total = 0;
            bool right = true;
            for (int n; (n = await connection.ReceiveAsync(buffer)) > 0; total += n)
            {
                for (int i = 0; i < n && right; i++)
                    right = stranger || buffer[i] == (byte)((total + i) * 31);
            }

            byte[] answer = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(answer, right ? total : -1);
            await connection.SendAsync(answer);
            connection.Dispose();
        }
        catch (Exception e) when (e is ObjectDisposedException or LinnetSocketException)
        {
            connection.Dispose();
        }
    }
}
