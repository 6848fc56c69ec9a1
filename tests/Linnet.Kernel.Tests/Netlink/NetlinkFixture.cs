using System.Runtime.InteropServices;
using Linnet.Kernel.Net;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;

namespace Linnet.Kernel.Tests.Netlink;

/// <summary>A machine, and netlink sockets on it.</summary>
public abstract class NetlinkFixture : InetFixture
{
    private readonly List<TestSocket> open = [];

    /// <summary>What a netlink address consists of.</summary>
    protected static byte[] Nl(uint pid = 0, uint groups = 0)
    {
        var nl = new SockaddrNl { NlFamily = AF_NETLINK, NlPid = pid, NlGroups = groups };
        return MemoryMarshal.AsBytes(new ReadOnlySpan<SockaddrNl>(in nl)).ToArray();
    }

    protected static int TryNetlink(TaskStruct task, int protocol, out TestSocket? socket, int type = SOCK_RAW)
    {
        using KernelEntry entry = task.Enter();
        int err = Socket.SockCreate(AF_NETLINK, type, protocol, out Socket? sock);
        socket = sock == null ? null : new TestSocket(task, sock);
        return err;
    }

    protected TestSocket Netlink(int protocol, TaskStruct? task = null)
    {
        Assert.Equal(0, TryNetlink(task ?? Root, protocol, out TestSocket? socket));
        open.Add(socket!);
        return socket!;
    }

    /// <summary>Closes what <see cref="Netlink"/> made; packets that are queued would be told as leaks.</summary>
    protected void CloseAll()
    {
        open.ForEach(socket => socket.Close());
        open.Clear();
    }

    protected static SockaddrNl NameOf(TestSocket socket, int peer = 0)
    {
        byte[] address = new byte[128];
        Assert.Equal(12, socket.Sock.Ops!.Getname(socket.Sock, address, peer));
        return MemoryMarshal.Read<SockaddrNl>(address);
    }

    /// <summary>A message with its head.</summary>
    protected static byte[] Message(int type, int flags, ReadOnlySpan<byte> payload, uint seq = 7)
    {
        byte[] message = new byte[NLMSG_HDRLEN + payload.Length];
        var head = new Nlmsghdr { NlmsgLen = (uint)message.Length, NlmsgType = (ushort)type, NlmsgFlags = (ushort)flags, NlmsgSeq = seq };
        MemoryMarshal.Write(message, in head);
        payload.CopyTo(message.AsSpan(NLMSG_HDRLEN));
        return message;
    }

    /// <summary>The messages in what was received: their heads and what follows them.</summary>
    protected static List<(Nlmsghdr Head, byte[] Payload)> Split(ReadOnlySpan<byte> data)
    {
        List<(Nlmsghdr, byte[])> messages = [];
        while (data.Length > 0)
        {
            Nlmsghdr head = MemoryMarshal.Read<Nlmsghdr>(data);
            Assert.InRange(head.NlmsgLen, (uint)NLMSG_HDRLEN, (uint)data.Length);
            messages.Add((head, data[NLMSG_HDRLEN..(int)head.NlmsgLen].ToArray()));
            data = data[Math.Min((int)(head.NlmsgLen + 3 & ~3u), data.Length)..];
        }

        return messages;
    }

    /// <summary>The error of the only message that there is.</summary>
    protected static int AckOf(TestSocket socket)
    {
        (Nlmsghdr head, byte[] payload) = Assert.Single(Split(socket.Recv().Data));
        Assert.Equal(NLMSG_ERROR, head.NlmsgType);
        return MemoryMarshal.Read<int>(payload);
    }

    /// <summary>The attributes in a piece of a message, by type; the last of a type counts.</summary>
    protected static Dictionary<int, byte[]> Attributes(ReadOnlySpan<byte> data)
    {
        Dictionary<int, byte[]> attributes = [];
        while (data.Length >= NLA_HDRLEN)
        {
            Nlattr head = MemoryMarshal.Read<Nlattr>(data);
            Assert.InRange(head.NlaLen, NLA_HDRLEN, data.Length);
            attributes[head.NlaType & NLA_TYPE_MASK] = data[NLA_HDRLEN..head.NlaLen].ToArray();
            data = data[Math.Min(head.NlaLen + 3 & ~3, data.Length)..];
        }

        return attributes;
    }
}
