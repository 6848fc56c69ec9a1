using System.Buffers.Binary;
using System.Diagnostics;

namespace Linnet.Testing.Hostile;

/// <summary>A TCP connection that the attacker opened, and whose segments he writes by hand.</summary>
public sealed class HostileConnection(HostileNet net, int sport, int window)
{
    /// <summary>His next sequence number.</summary>
    public uint Seq { get; set; } = 1_000_000;

    /// <summary>The server's next one.</summary>
    public uint Ack { get; private set; }

    /// <summary>Shakes hands.</summary>
    public void Open(byte[] options)
    {
        net.Inject(HostilePackets.ForgeTcp(HostileNet.Attacker, sport, HostileNet.Victim, HostileNet.Port, Seq, 0, HostilePackets.Syn, window, options));
        ReadOnlySpan<byte> answer = net.LastAnswer.AsSpan(20);
        if (answer.Length < 20 || answer[13] != (HostilePackets.Syn | HostilePackets.Ack))
            throw new UnreachableException("the server does not answer a SYN");
        Ack = BinaryPrimitives.ReadUInt32BigEndian(answer[4..]) + 1;
        Seq++;
        net.Inject(Segment(0, 0));
    }

    /// <summary>A segment at a distance from what is next.</summary>
    public byte[] Segment(int offset, int length, byte flags = HostilePackets.Ack, byte[]? options = null, int? win = null, uint? ack = null) =>
        HostilePackets.ForgeTcp(
            HostileNet.Attacker, sport, HostileNet.Victim, HostileNet.Port, Seq + (uint)offset, ack ?? Ack, flags, win ?? window, options, length);
}
