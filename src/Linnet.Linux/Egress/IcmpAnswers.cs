using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using static Linnet.Kernel.Uapi.IcmpH;

namespace Linnet.Linux;

/// <summary>Sends ICMP messages into the network in the name of hosts outside.</summary>
/// <param name="gateway">The way out.</param>
internal sealed class IcmpAnswers(Gateway gateway) : IDisposable
{
    private const int HeaderSize = 8;
    private const int ChecksumOffset = 2;

    private readonly Lazy<LinnetSocket> raw = new(() =>
        gateway.Host.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, (ProtocolType)IPPROTO_RAW));

    /// <summary>The code by which it is told inside why something could not be sent outside; null where silence tells it.</summary>
    public static byte? CodeFor(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => ICMP_PORT_UNREACH,
        SocketError.HostUnreachable => ICMP_HOST_UNREACH,
        SocketError.NetworkUnreachable => ICMP_NET_UNREACH,
        SocketError.AccessDenied => ICMP_PKT_FILTERED,
        _ => null,
    };

    /// <summary>Sends a message.</summary>
    /// <param name="from">Who it comes from.</param>
    /// <param name="to">Who it is for.</param>
    /// <param name="message">The message with its header (RFC 792); its checksum is filled in.</param>
    public void Send(uint from, uint to, Span<byte> message)
    {
        message.Slice(ChecksumOffset, sizeof(ushort)).Clear();
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(message, 0));
        BinaryPrimitives.WriteUInt16BigEndian(message[ChecksumOffset..], sum);
        byte[] packet = new byte[Iphdr.Size + message.Length];
        WriteHeader(packet, IPPROTO_ICMP, from, to);
        message.CopyTo(packet.AsSpan(Iphdr.Size));
        raw.Value.SendTo(packet, new IPEndPoint(SocketAddresses.FromHostOrder(to), 0));
    }

    /// <summary>Tells a sender that its destination cannot be reached.</summary>
    /// <param name="code">Why.</param>
    /// <param name="protocol">The protocol of the packet that it sent.</param>
    /// <param name="source">The sender.</param>
    /// <param name="destination">Where the packet was to go, which is who tells it.</param>
    /// <param name="quoted">What followed the packet's IP header: eight bytes or more.</param>
    public void SendUnreachable(byte code, byte protocol, uint source, uint destination, ReadOnlySpan<byte> quoted)
    {
        byte[] message = new byte[HeaderSize + Iphdr.Size + quoted.Length];
        message[0] = ICMP_DEST_UNREACH;
        message[1] = code;
        WriteHeader(message.AsSpan(HeaderSize), protocol, source, destination);
        quoted.CopyTo(message.AsSpan(HeaderSize + Iphdr.Size));
        Send(destination, source, message);
    }

    /// <summary>Closes the socket that they are sent by.</summary>
    public void Dispose()
    {
        if (raw.IsValueCreated)
            raw.Value.Dispose();
    }

    private static void WriteHeader(Span<byte> packet, byte protocol, uint from, uint to) => _ = new Iphdr(packet)
    {
        VersionIhl = 0x45,
        TotLen = (ushort)packet.Length,
        Ttl = 64,
        Protocol = protocol,
        Saddr = from,
        Daddr = to,
    };
}
