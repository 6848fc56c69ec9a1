using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;
using static Linnet.Kernel.Uapi.SockDiagH;

namespace Linnet.Kernel.Tests.Diag;

/// <summary>Asks a host about its sockets, message by message.</summary>
internal sealed class DiagClient
{
    private readonly Syscalls sys;
    private readonly int fd;

    public DiagClient(Syscalls sys)
    {
        this.sys = sys;
        fd = sys.Socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
        Assert.True(fd >= 0, $"{fd}");
    }

    /// <summary>A request for all sockets of a protocol in some states.</summary>
    public static InetDiagReqV2 Request(int protocol, uint states = uint.MaxValue, int ext = 0, int sport = 0, int dport = 0)
    {
        var req = new InetDiagReqV2
        {
            SdiagFamily = AF_INET,
            SdiagProtocol = (byte)protocol,
            IdiagExt = (byte)ext,
            IdiagStates = states,
        };
        req.Id.IdiagSport = BinaryPrimitives.ReverseEndianness((ushort)sport);
        req.Id.IdiagDport = BinaryPrimitives.ReverseEndianness((ushort)dport);
        req.Id.IdiagCookieLow = req.Id.IdiagCookieHigh = INET_DIAG_NOCOOKIE;
        return req;
    }

    /// <summary>Bit of an attribute that is asked for.</summary>
    public static int Ext(int attribute) => 1 << (attribute - 1);

    /// <summary>Asks for all that a request means.</summary>
    public List<DiagAnswer> Dump(InetDiagReqV2 req, byte[]? bytecode = null)
    {
        byte[] payload = [.. Bytes(req), .. bytecode == null ? [] : Attribute(INET_DIAG_REQ_BYTECODE, bytecode)];
        Assert.Equal(0, Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, payload, out List<DiagAnswer> answers));
        return answers;
    }

    /// <summary>Asks for what one socket is.</summary>
    public int Get(InetDiagReqV2 req, out DiagAnswer? answer)
    {
        int err = Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, Bytes(req), out List<DiagAnswer> answers);
        answer = answers.SingleOrDefault();
        return err;
    }

    /// <summary>Asks for the end of a socket.</summary>
    public int Destroy(InetDiagReqV2 req) => Ask(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, Bytes(req), out _);

    /// <summary>Sends a request and reads all that is answered.</summary>
    /// <returns>What the last message says: 0 or a negative errno.</returns>
    public int Ask(int type, int flags, ReadOnlySpan<byte> payload, out List<DiagAnswer> answers)
    {
        byte[] message = new byte[NLMSG_HDRLEN + payload.Length];
        var head = new Nlmsghdr { NlmsgLen = (uint)message.Length, NlmsgType = (ushort)type, NlmsgFlags = (ushort)flags, NlmsgSeq = 5 };
        MemoryMarshal.Write(message, in head);
        payload.CopyTo(message.AsSpan(NLMSG_HDRLEN));
        Assert.Equal(message.Length, sys.Send(fd, message, 0));
        return Read(out answers);
    }

    /// <summary>Reads what is answered.</summary>
    public int Read(out List<DiagAnswer> answers)
    {
        answers = [];
        byte[] buffer = new byte[65536];
        while (sys.Recv(fd, buffer, 0) is > 0 and var length)
        {
            for (ReadOnlySpan<byte> data = buffer.AsSpan(0, (int)length); data.Length > 0;)
            {
                Nlmsghdr head = MemoryMarshal.Read<Nlmsghdr>(data);
                Assert.InRange(head.NlmsgLen, (uint)NLMSG_HDRLEN, (uint)data.Length);
                Assert.Equal(5u, head.NlmsgSeq);
                ReadOnlySpan<byte> body = data[NLMSG_HDRLEN..(int)head.NlmsgLen];
                if (head.NlmsgType is NLMSG_DONE or NLMSG_ERROR)
                    return MemoryMarshal.Read<int>(body);
                answers.Add(new DiagAnswer(body.ToArray()));
                if ((head.NlmsgFlags & NLM_F_MULTI) == 0)
                    return 0;
                data = data[Math.Min((int)(head.NlmsgLen + 3 & ~3u), data.Length)..];
            }
        }

        return 0;
    }

    public void Close() => sys.Close(fd);

    public static byte[] Attribute(int type, byte[] value)
    {
        byte[] attribute = new byte[NLA_HDRLEN + (value.Length + 3 & ~3)];
        var head = new Nlattr { NlaLen = (ushort)(NLA_HDRLEN + value.Length), NlaType = (ushort)type };
        MemoryMarshal.Write(attribute, in head);
        value.CopyTo(attribute, NLA_HDRLEN);
        return attribute;
    }

    public static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();
}

/// <summary>One message about a socket.</summary>
internal sealed class DiagAnswer(byte[] body)
{
    public InetDiagMsg Msg => MemoryMarshal.Read<InetDiagMsg>(body);

    public int Sport => BinaryPrimitives.ReverseEndianness(Msg.Id.IdiagSport);

    public int Dport => BinaryPrimitives.ReverseEndianness(Msg.Id.IdiagDport);

    public uint Src => BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(8));

    public uint Dst => BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(24));

    public T Head<T>()
        where T : unmanaged => MemoryMarshal.Read<T>(body);

    /// <summary>The attributes, by type.</summary>
    public Dictionary<int, byte[]> Attributes(int headLength)
    {
        Dictionary<int, byte[]> found = [];
        ReadOnlySpan<byte> data = body.AsSpan(Math.Min(headLength, body.Length));
        while (data.Length >= NLA_HDRLEN)
        {
            Nlattr head = MemoryMarshal.Read<Nlattr>(data);
            Assert.InRange(head.NlaLen, NLA_HDRLEN, data.Length);
            Assert.True(found.TryAdd(head.NlaType, data[NLA_HDRLEN..head.NlaLen].ToArray()));
            data = data[Math.Min(head.NlaLen + 3 & ~3, data.Length)..];
        }

        return found;
    }

    /// <summary>The attributes of an internet socket.</summary>
    public Dictionary<int, byte[]> InetAttributes => Attributes(Unsafe.SizeOf<InetDiagMsg>());
}
