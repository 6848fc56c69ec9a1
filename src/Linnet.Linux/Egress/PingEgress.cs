using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netfilter;
using static Linnet.Kernel.Uapi.IcmpH;

namespace Linnet.Linux;

/// <summary>
/// Carries echo requests out by the computer's ping sockets, or by raw ones where it refuses those, and their replies in.
/// </summary>
/// <param name="gateway">The way out.</param>
internal sealed class PingEgress(Gateway gateway)
{
    private const int MostAtOnce = 64;
    private const int HeaderSize = 8;
    private const int IdentifierOffset = 4;
    private const int LargestReply = 65536;

    private static readonly TimeSpan ReplyTimeout = TimeSpan.FromSeconds(10);

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

    private async Task PingAsync(uint from, uint to, byte[] message)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(gateway.Stopping);
        timeout.CancelAfter(ReplyTimeout);
        try
        {
            using Socket outer = Open();
            await outer.ConnectAsync(new IPEndPoint(SocketAddresses.FromHostOrder(to), 0), timeout.Token);
            await outer.SendAsync(message, SocketFlags.None, timeout.Token);
            byte[] buffer = new byte[LargestReply];
            while (true)
            {
                Memory<byte> reply = buffer.AsMemory(0, await outer.ReceiveAsync(buffer, SocketFlags.None, timeout.Token));
                if (outer.SocketType == SocketType.Raw)
                    reply = reply[Math.Min(new Iphdr(reply.Span).HeaderLength, reply.Length)..];
                if (!Answers(reply.Span, message, withIdentifier: outer.SocketType == SocketType.Raw))
                    continue;

                // The computer's kernel put an identifier of its own into what a ping socket sent.
                message.AsSpan(IdentifierOffset, sizeof(ushort)).CopyTo(reply.Span[IdentifierOffset..]);
                gateway.Icmp.Send(to, from, reply.Span);
                return;
            }
        }
        catch (SocketException e)
        {
            if (IcmpAnswers.CodeFor(e.SocketErrorCode) is { } code)
                gateway.Icmp.SendUnreachable(code, IPPROTO_ICMP, from, to, message);
        }
        catch (OperationCanceledException)
        {
            // No reply.
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }
    }

    private static Socket Open()
    {
        try
        {
            return new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Icmp);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AccessDenied)
        {
            // Outside of net.ipv4.ping_group_range there is still CAP_NET_RAW.
            return new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        }
    }

    private static bool Answers(ReadOnlySpan<byte> reply, ReadOnlySpan<byte> request, bool withIdentifier) =>
        reply.Length >= HeaderSize && reply[0] == ICMP_ECHOREPLY
        && (!withIdentifier || BinaryPrimitives.ReadUInt32BigEndian(reply[IdentifierOffset..])
            == BinaryPrimitives.ReadUInt32BigEndian(request[IdentifierOffset..]));
}
