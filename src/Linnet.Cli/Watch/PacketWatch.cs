using System.Buffers.Binary;
using System.Globalization;
using Linnet.Diagnostics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Cli.Watch;

/// <summary>
/// Keeps the last packets that hosts sent, and tells of the connections that they begin and end. Only what is looked at is
/// printed: as many packets as there are would take longer to print than to send.
/// </summary>
internal sealed class PacketWatch : PacketTap, IDisposable
{
    private const int Kept = 64;
    private const int MostBeginnings = 256;

    // All headers; the rest is not printed, only counted.
    private const int HeaderBytes = 160;
    private const int TcpFlagsOffset = 13;
    private const int FinSynRst = 7;
    private const int Syn = 2;

    private readonly Lock gate = new();
    private readonly Slot[] slots = [.. Enumerable.Range(0, Kept).Select(_ => new Slot())];
    private readonly Queue<(byte[] Head, int Length)> beginnings = [];
    private readonly Dictionary<NetDevice, Host> devices = [];
    private readonly Queue<string> printed = [];
    private readonly PacketPrinter printer = new();
    private readonly Action<TcpSock, Host> connection;
    private readonly bool showHost;
    private long count;
    private long shown;

    /// <summary>Begins to watch.</summary>
    /// <param name="hosts">Whose packets.</param>
    /// <param name="connection">Told of the connections that packets begin and end; must make no calls into the machine.</param>
    public PacketWatch(IReadOnlyList<Host> hosts, Action<TcpSock, Host> connection)
    {
        this.connection = connection;
        showHost = hosts.Count > 1;
        foreach (Host host in hosts)
        {
            foreach (HostInterface end in host.Interfaces)
            {
                devices[end.Device] = host;
                Dev.AddTap(end.Device, this);
            }
        }
    }

    /// <summary>How many packets there were.</summary>
    public long Count => Interlocked.Read(ref count);

    /// <inheritdoc/>
    public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
    {
        int linkLength = skb.DataOffset - skb.MacHeader;
        int length = linkLength + skb.Len;
        Span<byte> head = stackalloc byte[Math.Min(length, HeaderBytes)];
        skb.MacHeaderSpan[..Math.Min(linkLength, head.Length)].CopyTo(head);
        if (head.Length > linkLength)
            skb.CopyBits(0, head[linkLength..]);
        int flags = TcpFlags(head, dev.HardHeaderLen);
        if ((flags & FinSynRst) != 0)
            Tell(head[dev.HardHeaderLen..], dev, outgoing);

        // Every packet is some device's that sends it.
        if (!outgoing)
            return;
        lock (gate)
        {
            if ((flags & Syn) != 0 && beginnings.Count < MostBeginnings)
                beginnings.Enqueue((head.ToArray(), length));
            Slot slot = slots[count % Kept];
            head.CopyTo(slot.Head);
            slot.Device = dev;
            slot.Captured = head.Length;
            slot.Length = length;
            slot.Time = dev.Net.Machine.Clock.Now;
            count++;
        }
    }

    /// <summary>The last packets, a line each.</summary>
    /// <param name="most">How many at most.</param>
    public IReadOnlyList<string> Last(int most)
    {
        List<Slot> fresh = [];
        List<(byte[] Head, int Length)> begun;
        lock (gate)
        {
            begun = [.. beginnings];
            beginnings.Clear();
            for (long i = Math.Max(shown, count - Kept); i < count; i++)
                fresh.Add(slots[i % Kept].Copy());
            shown = count;
        }

        // The printer counts from the beginnings, which may not be among the last any more.
        foreach ((byte[] head, int length) in begun)
            Print(head, head.Length, length, ETH_HLEN);
        foreach (Slot slot in fresh)
        {
            string time = (slot.Time / 1e9).ToString("F3", CultureInfo.InvariantCulture);
            string host = showHost ? devices[slot.Device!].Name + " " : "";
            printed.Enqueue($"{time} {host}{Print(slot.Head, slot.Captured, slot.Length, slot.Device!.HardHeaderLen)}");
            if (printed.Count > Kept)
                printed.Dequeue();
        }

        return [.. printed.TakeLast(most)];
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        foreach (NetDevice device in devices.Keys)
            Dev.RemoveTap(device, this);
    }

    // What was not kept is printed by its length alone.
    private string Print(ReadOnlySpan<byte> head, int captured, int length, int linkLength)
    {
        byte[] packet = new byte[length];
        head[..captured].CopyTo(packet);
        return printer.Print(packet, linkLength == 0 ? PacketLink.Ip : PacketLink.Ethernet);
    }

    // The flags of a segment of TCP on IPv4; 0 for others.
    private static int TcpFlags(ReadOnlySpan<byte> head, int ip)
    {
        if (head.Length < ip + 40 || head[ip] >> 4 != 4 || head[ip + 9] != IPPROTO_TCP)
            return 0;
        if (ip == ETH_HLEN && BinaryPrimitives.ReadUInt16BigEndian(head[12..]) != ETH_P_IP)
            return 0;
        int tcp = ip + (head[ip] & 15) * 4;
        return tcp + TcpFlagsOffset < head.Length ? head[tcp + TcpFlagsOffset] : 0;
    }

    private void Tell(ReadOnlySpan<byte> ip, NetDevice dev, bool outgoing)
    {
        ReadOnlySpan<byte> tcp = ip[((ip[0] & 15) * 4)..];
        uint source = BinaryPrimitives.ReadUInt32BigEndian(ip[12..]), destination = BinaryPrimitives.ReadUInt32BigEndian(ip[16..]);
        ushort from = BinaryPrimitives.ReadUInt16BigEndian(tcp), to = BinaryPrimitives.ReadUInt16BigEndian(tcp[2..]);
        SockCommon? found = outgoing
            ? InetHashtables.InetLookup(dev.Net, destination, to, source, from, dev.Ifindex)
            : InetHashtables.InetLookup(dev.Net, source, from, destination, to, dev.Ifindex);
        if (found == null)
            return;
        if (found is TcpSock tp)
            connection(tp, devices[dev]);
        InetHashtables.SockGenPut(found);
    }

    private sealed class Slot
    {
        public byte[] Head { get; init; } = new byte[HeaderBytes];

        public NetDevice? Device { get; set; }

        public int Captured { get; set; }

        public int Length { get; set; }

        public long Time { get; set; }

        public Slot Copy() => new() { Head = [.. Head], Device = Device, Captured = Captured, Length = Length, Time = Time };
    }
}
