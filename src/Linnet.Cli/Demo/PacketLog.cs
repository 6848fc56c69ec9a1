using System.Buffers.Binary;
using System.Globalization;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Cli.Demo;

/// <summary>Remembers the packets on a link, and the TCP states of both ends when each one has come over it.</summary>
internal sealed class PacketLog : PacketTap, IDisposable
{
    private readonly Link link;
    private readonly Machine machine;
    private readonly PacketPrinter printer = new();
    private readonly List<(long Time, string One, string Other, string Packet)> entries = [];

    /// <summary>Begins to listen on the link.</summary>
    public PacketLog(Link link, Machine machine)
    {
        this.link = link;
        this.machine = machine;
        Dev.AddTap(link.One.Device, this);
    }

    /// <inheritdoc/>
    public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
    {
        int linkLength = skb.DataOffset - skb.MacHeader;
        byte[] frame = new byte[linkLength + skb.Len];
        skb.MacHeaderSpan[..linkLength].CopyTo(frame);
        skb.CopyBits(0, frame.AsSpan(linkLength));
        (string one, string other) = States(frame, outgoing);
        entries.Add((machine.Clock.Now, one, other, printer.Print(frame)));
    }

    /// <summary>Prints the packets, one a line.</summary>
    public void Print(Terminal terminal)
    {
        long first = entries.Count > 0 ? entries[0].Time : 0;
        terminal.Write($"{"ms",9}  {link.One.Host.Name,-12} {link.Other.Host.Name,-12} packet", Ink.Faint);
        foreach ((long time, string one, string other, string packet) in entries)
        {
            string ms = ((time - first) / 1e6).ToString("F3", CultureInfo.InvariantCulture);
            terminal.Write(new Line().Add($"{ms,9}  ", Ink.Faint).Add($"{one,-12} {other,-12} ", Ink.Good).Add(packet));
        }
    }

    /// <summary>Stops listening.</summary>
    public void Dispose() => Dev.RemoveTap(link.One.Device, this);

    private (string One, string Other) States(ReadOnlySpan<byte> frame, bool outgoing)
    {
        const int Ip = ETH_HLEN;
        if (frame.Length < Ip + 40 || BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != ETH_P_IP || frame[Ip + 9] != IPPROTO_TCP)
            return ("", "");
        int tcp = Ip + (frame[Ip] & 15) * 4;
        uint saddr = BinaryPrimitives.ReadUInt32BigEndian(frame[(Ip + 12)..]);
        uint daddr = BinaryPrimitives.ReadUInt32BigEndian(frame[(Ip + 16)..]);
        ushort sport = BinaryPrimitives.ReadUInt16BigEndian(frame[tcp..]);
        ushort dport = BinaryPrimitives.ReadUInt16BigEndian(frame[(tcp + 2)..]);
        HostInterface sender = outgoing ? link.One : link.Other;
        HostInterface receiver = outgoing ? link.Other : link.One;
        string sends = State(sender, daddr, dport, saddr, sport);
        string receives = State(receiver, saddr, sport, daddr, dport);
        return outgoing ? (sends, receives) : (receives, sends);
    }

    private static string State(HostInterface end, uint peer, ushort peerPort, uint local, ushort localPort)
    {
        SockCommon? sk = InetHashtables.InetLookup(
            end.Host.Namespace, peer, peerPort, local, localPort, end.Device.Ifindex);
        if (sk == null)
            return "CLOSED";
        string state = Name(sk.SkcState);
        InetHashtables.SockGenPut(sk);
        return state;
    }

    // RFC 9293's names; a request that was not answered yet is in the state that the RFC has for it.
    private static string Name(int state) => state switch
    {
        TCP_ESTABLISHED => "ESTABLISHED",
        TCP_SYN_SENT => "SYN-SENT",
        TCP_SYN_RECV or TCP_NEW_SYN_RECV => "SYN-RECEIVED",
        TCP_FIN_WAIT1 => "FIN-WAIT-1",
        TCP_FIN_WAIT2 => "FIN-WAIT-2",
        TCP_TIME_WAIT => "TIME-WAIT",
        TCP_CLOSE_WAIT => "CLOSE-WAIT",
        TCP_LAST_ACK => "LAST-ACK",
        TCP_LISTEN => "LISTEN",
        TCP_CLOSING => "CLOSING",
        _ => "CLOSED",
    };
}
