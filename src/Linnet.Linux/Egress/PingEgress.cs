using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netfilter;
using static Linnet.Kernel.Uapi.IcmpH;

namespace Linnet.Linux;

/// <summary>Carries echo requests out by the computer's ping sockets, and their replies in.</summary>
/// <param name="gateway">The way out.</param>
internal sealed class PingEgress(Gateway gateway) : IDisposable
{
    private const int MostAtOnce = 64;
    private const int HeaderSize = 8;
    private const int LargestReply = 65536;

    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromSeconds(10);

    private readonly Lazy<LinnetSocket> raw = new(() => gateway.Host.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, (ProtocolType)IPPROTO_RAW));
    private int running;

    /// <summary>Decides about a message.</summary>
    public int Take(SkBuff skb, in Iphdr iph)
    {
        if (!gateway.AllowsOutside || iph.IsFragment || skb.Len < iph.HeaderLength + HeaderSize)
            return NfCore.NF_ACCEPT;
        byte[] message = new byte[skb.Len - iph.HeaderLength];
        skb.CopyBits(iph.HeaderLength, message);
        if (message[0] != ICMP_ECHO || Interlocked.Increment(ref running) > MostAtOnce)
        {
            if (message[0] == ICMP_ECHO)
                Interlocked.Decrement(ref running);
            return NfCore.NF_ACCEPT;
        }

        uint from = iph.Saddr, to = iph.Daddr;
        _ = Task.Run(() => PingAsync(from, to, message));
        return NfCore.NF_DROP;
    }

    public void Dispose()
    {
        if (raw.IsValueCreated)
            raw.Value.Dispose();
    }

    private async Task PingAsync(uint from, uint to, byte[] message)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(gateway.Stopping);
        timeout.CancelAfter(ReplyTimeout);
        try
        {
            // The computer's kernel puts an identifier of its own, and checks the sum.
            using Socket outer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Icmp);
            await outer.ConnectAsync(new IPEndPoint(Gateway.ToAddress(to), 0), timeout.Token);
            await outer.SendAsync(message, SocketFlags.None, timeout.Token);
            byte[] reply = new byte[LargestReply];
            int length = await outer.ReceiveAsync(reply, SocketFlags.None, timeout.Token);
            if (length >= HeaderSize)
                Reply(to, from, message, reply.AsSpan(0, length));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // No reply: nothing that the program could not be told by silence, as any router may do.
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }
    }

    private void Reply(uint from, uint to, ReadOnlySpan<byte> request, Span<byte> reply)
    {
        const int IdentifierOffset = 4, ChecksumOffset = 2;
        request.Slice(IdentifierOffset, sizeof(ushort)).CopyTo(reply[IdentifierOffset..]);
        reply.Slice(ChecksumOffset, sizeof(ushort)).Clear();
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(reply, 0));
        BinaryPrimitives.WriteUInt16BigEndian(reply[ChecksumOffset..], sum);
        byte[] packet = new byte[Iphdr.Size + reply.Length];
        Iphdr iph = new(packet)
        {
            VersionIhl = 0x45,
            TotLen = (ushort)packet.Length,
            Ttl = 64,
            Protocol = IPPROTO_ICMP,
            Saddr = from,
            Daddr = to,
        };
        reply.CopyTo(packet.AsSpan(Iphdr.Size));
        raw.Value.SendTo(packet, new IPEndPoint(Gateway.ToAddress(to), 0));
    }
}
