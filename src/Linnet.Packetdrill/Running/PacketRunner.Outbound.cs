using System.Buffers.Binary;
using System.Globalization;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <content>Packets of the stack.</content>
internal sealed partial class PacketRunner
{
    private const long UsecsPerSecond = 1_000_000;

    // How long after its time a packet is still waited for.
    private const long GraceSeconds = 2;

    // How long a packet that may come whenever it likes is waited for: no timer of TCP is longer.
    private static readonly TimeSpan AnyTimeLimit = TimeSpan.FromDays(1);

    private void Expect(PacketAction packet, WirePacket script, TrackedSocket socket)
    {
        bool isSynAck = socket.State == TrackedState.PacketReceived && packet is TcpPacket && script.Tcp is { Syn: true, Ack: true };
        if (isSynAck)
            socket.ScriptLocalIsn = script.Tcp.Seq;
        int expected = script.Payload.Length;
        List<WirePacket> parts = [];
        int length = 0;
        do
        {
            WirePacket live = Sniff(packet, script, socket);
            run.LogPacket("outbound sniffed", live, live.TimeUsecs);
            if (isSynAck && live.Protocol == IPPROTO_TCP)
            {
                socket.State = TrackedState.SynAckSent;
                socket.LiveLocalIsn = live.Tcp.Seq;
                isSynAck = false;
            }

            if (live.Protocol == IPPROTO_TCP)
            {
                Tcphdr th = live.Tcp;
                socket.LastOutbound = new SegmentEnd(th.Flags, th.Seq, th.AckSeq, th.Window, live.Payload.Length);
                MapSequence(live, socket);
                if (parts.Count > 0 && PacketComparer.CompareFragments(parts[^1], live, expected - length) is { } mismatch)
                    throw new PacketFailure(mismatch + Dump(packet, script, [.. parts, live]));
            }

            parts.Add(live);
            length += live.Payload.Length;
        }
        while (packet is TcpPacket && length < expected && !run.Options.StrictSegments);

        if (length != expected && packet is TcpPacket)
        {
            throw new PacketFailure(
                $"live packet payload: expected {expected} bytes vs actual {length} bytes" + Dump(packet, script, parts));
        }

        Verify(packet, script, parts.Count == 1 ? parts[0] : PacketComparer.Join(parts), socket);
    }

    private void Verify(PacketAction packet, WirePacket script, WirePacket actual, TrackedSocket socket)
    {
        if (Iphdr.FastCsum(actual.Ip.Bytes) != 0)
            throw new PacketFailure("bad outbound IP checksum" + Dump(packet, script, [actual]));
        if (packet is TcpPacket && actual.Protocol == IPPROTO_TCP)
            MapTimestamp(script, actual, socket);
        TimedEvent now = run.Current;
        string? error = PacketComparer.Compare(packet, script, actual, CompareTimestamps)
            ?? run.TimeError(
                now, now.Source.Time.Kind, now.Usecs, now.EndUsecs, actual.TimeUsecs, run.Last?.Usecs, "outbound packet");
        if (error != null)
            throw new PacketFailure(error + Dump(packet, script, [actual]), canGoOn: true);
    }

    // The next packet of the socket under test; what else the stack sends is passed over.
    private WirePacket Sniff(PacketAction packet, WirePacket script, TrackedSocket socket)
    {
        TimedEvent now = run.Current;
        long since = run.Last?.Usecs ?? 0;
        TimeSpan limit = now.Source.Time.Kind == EventTimeKind.Any
            ? AnyTimeLimit
            : TimeSpan.FromSeconds(((Math.Max(now.Usecs, now.EndUsecs) - since) / UsecsPerSecond) + GraceSeconds);
        while (true)
        {
            if (!run.Bed.HasSniffed && !run.Bed.WaitFor(() => run.Bed.HasSniffed, limit))
                throw new PacketFailure("Timed out waiting for packet" + Dump(packet, script, []));
            if (run.Bed.TakeSniffed() is { } live && IsOf(live, socket))
                return live;
        }
    }

    private static bool IsOf(WirePacket live, TrackedSocket socket)
    {
        FourTuple tuple = live.Tuple;
        if (live.Protocol == IPPROTO_ICMP)
        {
            bool isOwn = socket.Protocol == IPPROTO_ICMP && tuple.DestinationAddress == socket.RemoteAddress;
            if (isOwn)
                socket.LocalAddress = tuple.SourceAddress;
            return isOwn;
        }

        if (tuple == socket.Outbound)
            return true;

        // The first packet of a connection that the program opened tells its address and port.
        bool isFirst = live.Protocol == IPPROTO_UDP
            ? socket is { Type: SOCK_DGRAM, State: TrackedState.Connecting }
            : socket.State == TrackedState.SynSent && live.Tcp is { Syn: true, Ack: false };
        if (!isFirst || tuple.DestinationAddress != socket.RemoteAddress || tuple.DestinationPort != socket.RemotePort)
            return false;
        socket.LocalAddress = tuple.SourceAddress;
        socket.LocalPort = tuple.SourcePort;
        if (live.Protocol == IPPROTO_TCP)
            socket.LiveLocalIsn = live.Tcp.Seq;
        return true;
    }

    private static void MapSequence(WirePacket live, TrackedSocket socket)
    {
        Tcphdr th = live.Tcp;
        bool isSyn = th.Syn;
        th.Seq -= socket.LocalOffset(isSyn);
        uint ackOffset = socket.RemoteOffset(isSyn);
        if (th.Ack)
            th.AckSeq -= ackOffset;
        live.ShiftSackBlocks(0u - ackOffset);
    }

    private static void MapTimestamp(WirePacket script, WirePacket actual, TrackedSocket socket)
    {
        if (script.TimestampOffset is not { } scriptOffset || actual.TimestampOffset is not { } actualOffset)
            return;
        uint scripted = BinaryPrimitives.ReadUInt32BigEndian(script.Bytes.AsSpan(scriptOffset));
        Span<byte> value = actual.Bytes.AsSpan(actualOffset);
        uint live = BinaryPrimitives.ReadUInt32BigEndian(value);
        socket.LearnTimestamp(scripted, live);
        (uint firstScript, uint firstLive) = socket.FirstTimestamp!.Value;
        BinaryPrimitives.WriteUInt32BigEndian(value, firstScript + (live - firstLive));
    }

    // What matters of time stamps is the time since the script's start, not since the event before.
    private string? CompareTimestamps(uint script, uint actual)
    {
        long tolerance = Math.Max(
            run.Options.ToleranceUsecs, (long)(run.Options.TolerancePercent / 100 * run.Current.Usecs));
        long tick = run.Options.TcpTsTickUsecs;
        return tick != 0 && Math.Abs((long)(int)(actual - script)) * tick > tolerance
            ? $"bad outbound TCP timestamp value, tolerance {tolerance}"
            : null;
    }

    private static string Dump(PacketAction packet, WirePacket script, List<WirePacket> actual)
    {
        TcpPacket? tcp = packet as TcpPacket;
        bool asAce = tcp?.Flags.IsAce ?? false;
        string text = Line("script", script, script.Text(asAce, tcp is { Window: null }, tcp is { Options: null }));
        for (int i = 0; i < actual.Count; i++)
        {
            string what = actual.Count == 1 ? "actual" : string.Create(CultureInfo.InvariantCulture, $"actual #{i}");
            text += Line(what, actual[i], actual[i].Text(asAce));
        }

        return text;
    }

    private static string Line(string what, WirePacket packet, string text) => string.Create(
        CultureInfo.InvariantCulture, $"\n{what} packet: {packet.TimeUsecs / (double)UsecsPerSecond,9:F6} {text}");
}
