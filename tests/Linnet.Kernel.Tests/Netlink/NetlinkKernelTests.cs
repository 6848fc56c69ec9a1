using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;

namespace Linnet.Kernel.Tests.Netlink;

/// <summary>What is between a protocol of the kernel and its users: requests, acknowledgements, dumps, notifications.</summary>
public class NetlinkKernelTests : NetlinkFixture
{
    private const int Toy = NETLINK_CONNECTOR;
    private const int Fine = 0x20;
    private const int Wrong = 0x21;
    private const int Many = 0x22;
    private const int Tell = 0x23;

    private readonly NetlinkSock kernel;
    private readonly List<int> seen = [];
    private int dumpsDone;

    public NetlinkKernelTests()
    {
        Assert.Equal(-EPROTONOSUPPORT, TryNetlink(Root, Toy, out _));
        using KernelEntry entry = Root.Enter();
        kernel = AfNetlink.NetlinkKernelCreate(Net, Toy, new NetlinkKernelCfg
        {
            Groups = 40,
            NonrootRecv = true,
            Input = (sk, ssk, skb) => AfNetlink.NetlinkRcvSkb(sk, ssk, skb, Answer),
        })!;
    }

    private int Answer(NetlinkRequest request)
    {
        seen.Add(request.Header.NlmsgType);
        switch (request.Header.NlmsgType)
        {
            case Wrong:
                request.Extack.MissType = 9;
                return request.Extack.ErrorAt(-ERANGE, 20, "out of range");
            case Many:
                int count = MemoryMarshal.Read<int>(request.Payload);
                return AfNetlink.NetlinkDumpStart(request, new NetlinkDumpControl
                {
                    Data = count,
                    Start = _ => count < 0 ? -EDOM : 0,
                    Dump = WriteMany,
                    Done = _ => dumpsDone++,
                });
            case Tell:
                NlmsgWriter news = new();
                news.NlmsgPut(request.Portid, request.Header.NlmsgSeq, Tell, 0, 35);
                Assert.Equal(0, news.NlmsgEnd());
                AfNetlink.NlmsgNotify(kernel, news, request.Portid, 35, request.Has(NLM_F_ECHO));
                return 0;
            default:
                return 0;
        }
    }

    private static int WriteMany(NlmsgWriter skb, NetlinkCallback cb)
    {
        for (; cb.Args[0] < (int)cb.Data!; cb.Args[0]++)
        {
            if (!cb.Put(skb, Many, (int)cb.Args[0]))
                return -EMSGSIZE;
            skb.NlaPut(1, new byte[200]);
            if (skb.NlmsgEnd() < 0)
                return -EMSGSIZE;
        }

        return 0;
    }

    [Fact]
    public void A_request_is_acknowledged_when_that_is_wanted_or_it_failed()
    {
        TestSocket s = Netlink(Toy, NewUser());
        s.Send(Message(Fine, NLM_F_REQUEST, [1, 2, 3, 4]));
        Assert.Equal(-EAGAIN, s.Recv().Result);
        s.Send(Message(Fine, NLM_F_REQUEST | NLM_F_ACK, [1, 2, 3, 4]));
        (Nlmsghdr head, byte[] payload) = Assert.Single(Split(s.Recv().Data));
        Assert.Equal((NLMSG_ERROR, 7u, NLM_F_CAPPED), (head.NlmsgType, head.NlmsgSeq, head.NlmsgFlags));
        Assert.Equal(20, payload.Length);
        Nlmsgerr error = MemoryMarshal.Read<Nlmsgerr>(payload);
        Assert.Equal((0, Fine), (error.Error, error.Msg.NlmsgType));
        s.Send(Message(Wrong, NLM_F_REQUEST, [1, 2, 3, 4]));
        (head, payload) = Assert.Single(Split(s.Recv().Data));
        Assert.Equal(-ERANGE, MemoryMarshal.Read<int>(payload));
        Assert.Equal([1, 2, 3, 4], payload[20..]);
        CloseAll();
    }

    [Fact]
    public void An_acknowledgement_says_more_to_those_who_ask()
    {
        TestSocket s = Netlink(Toy);
        s.Set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
        s.Set(SOL_NETLINK, NETLINK_CAP_ACK, 1);
        s.Send(Message(Wrong, NLM_F_REQUEST, [1, 2, 3, 4]));
        (Nlmsghdr head, byte[] payload) = Assert.Single(Split(s.Recv().Data));
        Assert.Equal(NLM_F_CAPPED | NLM_F_ACK_TLVS, head.NlmsgFlags);
        Dictionary<int, byte[]> tlvs = Attributes(payload.AsSpan(20));
        Assert.Equal("out of range\0"u8.ToArray(), tlvs[NLMSGERR_ATTR_MSG]);
        Assert.Equal(20, BitConverter.ToInt32(tlvs[NLMSGERR_ATTR_OFFS]));
        Assert.Equal(9, BitConverter.ToInt32(tlvs[NLMSGERR_ATTR_MISS_TYPE]));
        CloseAll();
    }

    [Fact]
    public void Several_requests_may_come_in_one_packet()
    {
        TestSocket s = Netlink(Toy);
        // The first is padded; the last says that it is longer than it is.
        byte[] broken = Message(Fine, NLM_F_REQUEST | NLM_F_ACK, []);
        broken[0] = 17;
        s.Send([.. Message(Fine, NLM_F_REQUEST | NLM_F_ACK, [1]), 0, 0, 0, .. Message(Wrong, NLM_F_REQUEST, []), .. broken]);
        Assert.Equal([Fine, Wrong], seen);
        Assert.Equal(0, AckOf(s));
        Assert.Equal(-ERANGE, AckOf(s));
        Assert.Equal(-EAGAIN, s.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void What_is_no_request_is_only_acknowledged()
    {
        TestSocket s = Netlink(Toy);
        s.Send(Message(Fine, NLM_F_ACK, []));
        Assert.Equal(0, AckOf(s));
        s.Send(Message(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, []));
        Assert.Equal(0, AckOf(s));
        Assert.Empty(seen);
        CloseAll();
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(10, 1)]
    [InlineData(100, 7)]
    public void A_dump_comes_in_parts(int count, int parts)
    {
        TestSocket s = Netlink(Toy);
        s.Send(Message(Many, NLM_F_REQUEST | NLM_F_ACK, BitConverter.GetBytes(count)));
        int received = 0;
        // A part has what fits in a page, however small the buffer that it is read into.
        while (s.Recv(512).Result > 0)
            received++;
        Assert.Equal(parts, received);
        Assert.Equal(1, dumpsDone);
        CloseAll();
    }

    [Fact]
    public void A_dump_has_each_message_once_and_an_end()
    {
        TestSocket s = Netlink(Toy);
        s.Set(SOL_SOCKET, SO_RCVBUF, 8192);
        s.Send(Message(Many, NLM_F_REQUEST, BitConverter.GetBytes(300)));
        s.Send(Message(Many, NLM_F_REQUEST, BitConverter.GetBytes(300)));
        List<(Nlmsghdr Head, byte[] Payload)> all = [];
        int busy = 0;
        while (s.Recv(32768) is { Result: > 0 } got)
        {
            Assert.Equal(0, got.Flags & MSG_TRUNC);
            foreach ((Nlmsghdr Head, byte[] Payload) message in Split(got.Data))
            {
                if (message.Head.NlmsgType == NLMSG_ERROR)
                    Assert.Equal((-EBUSY, 0), (MemoryMarshal.Read<int>(message.Payload), busy++));
                else
                    all.Add(message);
            }
        }

        Assert.Equal(1, busy);
        Assert.All(all, m => Assert.Equal(NLM_F_MULTI, m.Head.NlmsgFlags & NLM_F_MULTI));
        Assert.Equal(Enumerable.Range(0, 300), all[..^1].Select(m => MemoryMarshal.Read<int>(m.Payload)));
        Assert.Equal((NLMSG_DONE, 0), (all[^1].Head.NlmsgType, MemoryMarshal.Read<int>(all[^1].Payload)));
        CloseAll();
    }

    [Fact]
    public void A_dump_that_cannot_begin_is_an_error_and_one_that_is_left_is_ended()
    {
        TestSocket s = Netlink(Toy);
        s.Send(Message(Many, NLM_F_REQUEST, BitConverter.GetBytes(-1)));
        Assert.Equal(-EDOM, AckOf(s));
        Assert.Equal(0, dumpsDone);
        s.Send(Message(Many, NLM_F_REQUEST, BitConverter.GetBytes(1000)));
        Assert.True(s.Recv().Result > 0);
        CloseAll();
        Assert.Equal(1, dumpsDone);
    }

    [Fact]
    public void Members_of_a_group_and_those_who_want_an_echo_are_told()
    {
        TestSocket s = Netlink(Toy, NewUser());
        TestSocket member = Netlink(Toy, NewUser());
        // Without an address it would count as the kernel, who is not told of what he says.
        Assert.Equal(0, member.Bind(Nl()));
        Assert.Equal(0, member.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 35));
        Assert.Equal(-EINVAL, member.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 41));
        s.Send(Message(Tell, NLM_F_REQUEST, []));
        Assert.Equal(-EAGAIN, s.Recv().Result);
        Assert.Equal(Tell, Assert.Single(Split(member.Recv().Data)).Head.NlmsgType);
        s.Send(Message(Tell, NLM_F_REQUEST | NLM_F_ECHO, []));
        Assert.Equal(Tell, Assert.Single(Split(s.Recv().Data)).Head.NlmsgType);
        Assert.Single(Split(member.Recv().Data));
        Assert.Equal(-EPERM, s.Sendmsg("x"u8, Nl(groups: 1), 0, []));
        CloseAll();
    }

    [Fact]
    public void The_protocol_is_gone_with_its_socket()
    {
        Netlink(Toy);
        CloseAll();
        using (Root.Enter())
            AfNetlink.NetlinkKernelRelease(kernel);
        Assert.Equal(-EPROTONOSUPPORT, TryNetlink(Root, Toy, out _));
    }
}
