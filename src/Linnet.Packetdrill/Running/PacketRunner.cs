using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// The script's end of the wire: sends the stack the packets that the script has for it, and compares what it sends. Addresses,
/// ports, initial sequence numbers and time stamps of the script are its own, and mapped to those on the wire.
/// </summary>
/// <param name="run">The run.</param>
internal sealed partial class PacketRunner(ScriptRun run)
{
    private const ushort FirstRemotePort = 40000;

    private ushort nextRemotePort = FirstRemotePort;

    /// <summary>Sends or expects the packet of the running event.</summary>
    public void Run(PacketAction packet)
    {
        try
        {
            if (packet.Outer.Length > 0)
                throw new PacketFailure($"no {packet.Outer[0].Kind} headers around packets");
            WirePacket script = PacketBuilder.Build(packet, run.Current.Usecs);
            TrackedSocket socket = FindSocket(packet, script);
            if (packet.Direction == PacketDirection.Outbound)
            {
                Expect(packet, script, socket);
                return;
            }

            run.WaitForEvent("inbound packet");
            Send(packet, script, socket);
        }
        catch (PacketFailure e) when (e.CanGoOn && run.Options.NonFatalPacket)
        {
            run.Warnings.Add(run.Failure(run.Current, $"warning handling packet: {e.Message}").Message);
        }
        catch (PacketFailure e)
        {
            throw run.Failure(run.Current, $"error handling packet: {e.Message}");
        }
    }

    /// <summary>Makes the stack forget a connection: a RST that it accepts.</summary>
    public void Reset(TrackedSocket socket)
    {
        const int flags = (int)(TcpFlagBits.Rst | TcpFlagBits.Ack);
        if (socket.Protocol != IPPROTO_TCP || socket.LocalPort == 0 || socket.RemotePort == 0)
            return;
        byte[] packet;
        if (socket.LastInbound is { } last && (last.Flags & (int)TcpFlagBits.Ack) != 0)
        {
            uint end = (uint)last.Payload;
            end += (last.Flags & (int)TcpFlagBits.Syn) != 0 ? 1u : 0;
            end += (last.Flags & (int)TcpFlagBits.Fin) != 0 ? 1u : 0;
            packet = PacketBuilder.Segment(socket.Inbound, flags, last.Seq + end, last.AckSeq, last.Window);
        }
        else if (socket.LastOutbound is { } sent && (sent.Flags & (int)TcpFlagBits.Ack) != 0)
        {
            packet = PacketBuilder.Segment(socket.Inbound, flags, sent.AckSeq, sent.Seq, 0);
        }
        else
        {
            packet = PacketBuilder.Segment(socket.Inbound, flags, 0, (socket.LastOutbound?.Seq ?? 0) + 1, 0);
        }

        run.Bed.Inject(packet, 0);
    }

    // The socket that a packet of the script belongs to: a new one for what a listener gets first.
    private TrackedSocket FindSocket(PacketAction packet, WirePacket script)
    {
        TrackedSocket? socket = run.UnderTest;
        bool isTcp = packet is TcpPacket;
        if (isTcp && packet.Direction == PacketDirection.Inbound && socket is null or { State: TrackedState.Listening })
            return NewChild(script);
        if (isTcp && packet.Direction == PacketDirection.Outbound && socket is { State: TrackedState.Connecting }
            && script.Tcp is { Syn: true, Ack: false })
        {
            socket.State = TrackedState.SynSent;
            socket.ScriptLocalIsn = script.Tcp.Seq;
            return socket;
        }

        bool hasPorts = packet is TcpPacket { Ports: not null } or UdpPacket { Ports: not null };
        if (socket != null && (hasPorts || Matches(packet, socket)))
            return socket;
        throw new PacketFailure("no matching socket for script packet");
    }

    private static bool Matches(PacketAction packet, TrackedSocket socket) => packet switch
    {
        TcpPacket => socket.Type == SOCK_STREAM,
        UdpPacket => socket.Type == SOCK_DGRAM && socket.Protocol is IPPROTO_UDP or 0,
        _ => true,
    };

    private TrackedSocket NewChild(WirePacket script)
    {
        TrackedSocket child = new()
        {
            State = TrackedState.PacketReceived,
            RemoteIsn = script.Tcp.Seq,
            RemoteAddress = TestBed.ToHostOrder(run.Options.RemoteIp),
            RemotePort = nextRemotePort++,
            LocalAddress = TestBed.ToHostOrder(run.Options.LocalIp),
            LocalPort = run.Options.BindPort,
        };
        run.Sockets.Insert(0, child);
        run.UnderTest = child;
        return child;
    }

    private void Send(PacketAction packet, WirePacket script, TrackedSocket socket)
    {
        if (packet is TcpPacket tcp)
            NoteInbound(tcp, socket);
        if (packet is not TcpPacket)
            FillInAddresses(socket);
        WirePacket live = script.Copy();
        FourTuple tuple = socket.Inbound;
        FourTuple written = script.Tuple;
        PacketBuilder.SetTuple(live, tuple with
        {
            SourcePort = written.SourcePort != 0 ? written.SourcePort : tuple.SourcePort,
            DestinationPort = written.DestinationPort != 0 ? written.DestinationPort : tuple.DestinationPort,
        });
        switch (packet)
        {
            case TcpPacket segment:
                MapInbound(segment, live, socket);
                Tcphdr th = live.Tcp;
                socket.LastInbound = new SegmentEnd(th.Flags, th.Seq, th.AckSeq, th.Window, live.Payload.Length);
                break;
            case IcmpPacket { Echoed.Protocol: IPPROTO_TCP } icmp:
                Span<byte> seq = live.Payload[(Iphdr.Size + 4)..];
                System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(
                    seq, icmp.Echoed.Sequence + socket.LocalOffset(isSyn: false));
                break;
        }

        PacketBuilder.Finish(live);
        run.LogPacket("inbound injected", live, run.Bed.NowUsecs);
        run.Bed.Inject(live.Bytes, packet is TcpPacket ? (ushort)run.Options.Mss : (ushort)0);
    }

    private static void NoteInbound(TcpPacket packet, TrackedSocket socket)
    {
        bool hasAck = packet.Flags.Bits.HasFlag(TcpFlagBits.Ack);
        if (socket.State == TrackedState.SynAckSent && hasAck)
        {
            socket.State = TrackedState.SynAckAcked;
        }
        else if (socket.State == TrackedState.SynSent && hasAck && packet.Flags.Bits.HasFlag(TcpFlagBits.Syn))
        {
            socket.State = TrackedState.SynAcked;
            socket.RemoteIsn = packet.Sequence;
        }
    }

    // A datagram may come before the stack sent any, so that its addresses are those that are configured.
    private void FillInAddresses(TrackedSocket socket)
    {
        if (socket.LocalAddress == 0)
            socket.LocalAddress = TestBed.ToHostOrder(run.Options.LocalIp);
        if (socket.RemoteAddress == 0)
            socket.RemoteAddress = TestBed.ToHostOrder(run.Options.RemoteIp);
        if (socket.LocalPort == 0)
            socket.LocalPort = run.Options.BindPort;
        if (socket.RemotePort == 0)
            socket.RemotePort = run.Options.ConnectPort;
    }

    private void MapInbound(TcpPacket packet, WirePacket live, TrackedSocket socket)
    {
        Tcphdr th = live.Tcp;
        bool isSyn = th.Syn;
        th.Seq += socket.RemoteOffset(isSyn);
        uint ackOffset = socket.LocalOffset(isSyn);
        if (th.Ack)
            th.AckSeq += ackOffset;
        live.ShiftSackBlocks(ackOffset);
        if (!th.Ack || live.TimestampOffset is not { } offset)
            return;

        // An echo has to be of a time stamp that was sent, as those of a real peer are.
        Span<byte> echo = live.Bytes.AsSpan(offset + 4);
        uint script = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(echo);
        if (!socket.TryMapTimestamp(script, out uint mapped))
        {
            if (!run.Options.TcpTsEcrScaled || socket.FirstTimestamp is not { } first)
            {
                throw new PacketFailure(
                    $"unable to infer live TS ecr for script TS ecr {script};  no matching or preceding outbound TS val");
            }

            mapped = script - first.Script + first.Live;
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(echo, mapped);
        _ = packet;
    }
}
