using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;

namespace Linnet.Kernel.Tests.Netlink;

/// <summary>Netlink sockets: addresses, groups, options, and messages from user to user.</summary>
public class AfNetlinkTests : NetlinkFixture
{
    private const int User = NETLINK_USERSOCK;

    private static long SendTo(TestSocket socket, string text, uint pid, uint groups = 0) =>
        socket.Sendmsg(System.Text.Encoding.Latin1.GetBytes(text), Nl(pid, groups), 0, []);

    [Fact]
    public void Only_some_types_and_protocols_exist()
    {
        Assert.Equal(-ESOCKTNOSUPPORT, TryNetlink(Root, User, out _, SOCK_STREAM));
        Assert.Equal(-ESOCKTNOSUPPORT, TryNetlink(Root, User, out _, SOCK_SEQPACKET));
        Assert.Equal(-EPROTONOSUPPORT, TryNetlink(Root, 32, out _));
        Assert.Equal(-EPROTONOSUPPORT, TryNetlink(Root, -1, out _));
        Assert.Equal(-EPROTONOSUPPORT, TryNetlink(Root, NETLINK_CRYPTO, out _));
        Assert.Equal(0, TryNetlink(NewUser(), User, out TestSocket? socket, SOCK_DGRAM));
        socket!.Close();
    }

    [Fact]
    public void An_address_is_the_tasks_number_or_a_large_one()
    {
        TestSocket first = Netlink(User);
        TestSocket second = Netlink(User);
        Assert.Equal(0u, NameOf(first).NlPid);
        Assert.Equal(0, first.Bind(Nl()));
        Assert.Equal(0, second.Bind(Nl()));
        Assert.Equal((uint)Root.Pid, NameOf(first).NlPid);
        Assert.InRange((int)NameOf(second).NlPid, int.MinValue, -4097);
        // Once bound it stays so.
        Assert.Equal(0, first.Bind(Nl((uint)Root.Pid)));
        Assert.Equal(-EINVAL, first.Bind(Nl(99)));
        Assert.Equal(-EADDRINUSE, Netlink(User).Bind(Nl((uint)Root.Pid)));
        CloseAll();
        Assert.Equal(0, Netlink(User).Bind(Nl((uint)Root.Pid)));
        CloseAll();
    }

    [Fact]
    public void Addresses_are_checked()
    {
        TestSocket socket = Netlink(User);
        Assert.Equal(-EINVAL, socket.Bind(Nl()[..11]));
        byte[] other = Nl();
        other[0] = AF_INET;
        Assert.Equal(-EINVAL, socket.Bind(other));
        Assert.Equal(-EINVAL, socket.Connect(other));
        Assert.Equal(-EINVAL, socket.Connect(Nl()[..11]));
        Assert.Equal(-EINVAL, socket.Connect([16]));
        Assert.Equal(-EINVAL, socket.Sendmsg("x"u8, other, 0, []));
        Assert.Equal(-EINVAL, socket.Sendmsg("x"u8, Nl()[..8], 0, []));
        CloseAll();
    }

    [Fact]
    public void Groups_are_for_those_who_may()
    {
        TestSocket user = Netlink(User, NewUser());
        Assert.Equal(-EPERM, user.Bind(Nl(groups: 1)));
        Assert.Equal(-EPERM, user.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 1));
        TestSocket root = Netlink(User);
        Assert.Equal(0, root.Bind(Nl(groups: 5)));
        Assert.Equal(5u, NameOf(root).NlGroups);
        Assert.Equal(0, root.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 32));
        Assert.Equal(0, root.Set(SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, 1));
        Assert.Equal(-EINVAL, root.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 0));
        Assert.Equal(-EINVAL, root.Set(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, 33));
        byte[] words = new byte[8];
        Assert.Equal(0, root.Get(SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, out int length));
        Assert.Equal((4, 0x80000004u), (length, BitConverter.ToUInt32(words)));
        CloseAll();
    }

    [Fact]
    public void Options_are_flags()
    {
        TestSocket socket = Netlink(User);
        foreach (int option in new[] { NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK })
        {
            Assert.Equal(0, socket.Get(SOL_NETLINK, option, out int value));
            Assert.Equal(0, value);
            Assert.Equal(0, socket.Set(SOL_NETLINK, option, 3));
            Assert.Equal(0, socket.Get(SOL_NETLINK, option, out value));
            Assert.Equal(1, value);
            Assert.Equal(-EINVAL, socket.Get(SOL_NETLINK, option, new byte[3], out _));
        }

        Assert.Equal(-ENOPROTOOPT, socket.Set(SOL_NETLINK, NETLINK_RX_RING, 1));
        Assert.Equal(-ENOPROTOOPT, socket.Set(IPPROTO_TCP, NETLINK_PKTINFO, 1));
        Assert.Equal(-ENOPROTOOPT, socket.Get(SOL_NETLINK, 99, out _));
        CloseAll();
    }

    [Fact]
    public void A_message_goes_from_user_to_user()
    {
        TestSocket from = Netlink(User);
        TestSocket to = Netlink(User);
        Assert.Equal(0, to.Bind(Nl(77)));
        Assert.Equal(0, to.Set(SOL_SOCKET, SO_PASSCRED, 1));
        Assert.Equal(5, SendTo(from, "hello", 77));
        Assert.NotEqual(0u, to.Poll() & EPOLLIN);
        Received got = to.Recv(controlSize: 64);
        Assert.Equal("hello"u8.ToArray(), got.Data);
        SockaddrNl sender = MemoryMarshal.Read<SockaddrNl>(got.Name);
        Assert.Equal((NameOf(from).NlPid, 0u), (sender.NlPid, sender.NlGroups));
        Assert.Equal(Root.Pid, got.Cmsg<Ucred>(SOL_SOCKET, SCM_CREDENTIALS).Pid);
        Assert.Equal(-ECONNREFUSED, SendTo(from, "hello", 78));
        Assert.Equal(-ECONNREFUSED, SendTo(from, "hello", 0));
        Assert.Equal(-ENODATA, SendTo(from, "", 77));
        Assert.Equal(-EMSGSIZE, from.Sendmsg(new byte[1 << 20], Nl(77), 0, []));
        Assert.Equal(-EOPNOTSUPP, from.Sendmsg("x"u8, Nl(77), MSG_OOB, []));
        Assert.Equal(-EOPNOTSUPP, to.Recv(flags: MSG_OOB).Result);
        CloseAll();
    }

    [Fact]
    public void A_connected_socket_hears_its_peer_alone()
    {
        TestSocket a = Netlink(User);
        TestSocket b = Netlink(User);
        TestSocket c = Netlink(User);
        a.Bind(Nl(1001));
        b.Bind(Nl(1002));
        c.Bind(Nl(1003));
        Assert.Equal(0, a.Connect(Nl(1002)));
        Assert.Equal(1002u, NameOf(a, peer: 1).NlPid);
        Assert.Equal(-ECONNREFUSED, SendTo(c, "x", 1001));
        Assert.Equal(1, SendTo(b, "x", 1001));
        Assert.Equal(2, a.Send("to"u8));
        Assert.Equal("to"u8.ToArray(), b.Recv().Data);
        Assert.Equal(0, a.Connect([0, 0]));
        Assert.Equal(1, SendTo(c, "y", 1001));
        CloseAll();
    }

    [Fact]
    public void What_does_not_fit_is_cut_and_said()
    {
        TestSocket from = Netlink(User);
        TestSocket to = Netlink(User);
        to.Bind(Nl(5));
        SendTo(from, "0123456789", 5);
        Received peek = to.Recv(4, MSG_PEEK);
        Assert.Equal((4, MSG_TRUNC), (peek.Result, peek.Flags & MSG_TRUNC));
        Assert.Equal(10, to.Recv(4, MSG_PEEK | MSG_TRUNC).Result);
        Received got = to.Recv(4, MSG_TRUNC);
        Assert.Equal((10, "0123"), (got.Result, System.Text.Encoding.Latin1.GetString(got.Data)));
        Assert.Equal(-EAGAIN, to.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void A_group_hears_what_others_send()
    {
        TestSocket from = Netlink(User);
        TestSocket one = Netlink(User);
        TestSocket two = Netlink(User);
        one.Bind(Nl(groups: 4));
        two.Bind(Nl(groups: 6));
        from.Bind(Nl(groups: 4));
        Assert.Equal(0, one.Set(SOL_NETLINK, NETLINK_PKTINFO, 1));
        // A message to a group goes to an address too; there is nobody at 0.
        Assert.Equal(-ECONNREFUSED, SendTo(from, "news", 0, 4));
        Received got = one.Recv(controlSize: 32);
        Assert.Equal("news"u8.ToArray(), got.Data);
        Assert.Equal(3u, got.Cmsg<NlPktinfo>(SOL_NETLINK, NETLINK_PKTINFO).Group);
        Assert.Equal(4u, MemoryMarshal.Read<SockaddrNl>(got.Name).NlGroups);
        Assert.Equal(4, two.Recv().Result);
        Assert.Equal(-EAGAIN, from.Recv().Result);
        Assert.Equal(-ECONNREFUSED, SendTo(from, "news", 0, 2));
        Assert.Equal(-EAGAIN, one.Recv().Result);
        Assert.Equal(4, two.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void Who_reads_too_slowly_is_told_that_messages_are_lost()
    {
        TestSocket from = Netlink(User);
        TestSocket slow = Netlink(User);
        TestSocket proud = Netlink(User);
        slow.Bind(Nl(groups: 1));
        proud.Bind(Nl(groups: 1));
        Assert.Equal(0, proud.Set(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1));
        slow.Set(SOL_SOCKET, SO_RCVBUF, 4096);
        proud.Set(SOL_SOCKET, SO_RCVBUF, 4096);
        for (int i = 0; i < 100; i++)
            SendTo(from, new string('x', 500), 0, 1);
        Assert.NotEqual(0u, slow.Poll() & EPOLLERR);
        Assert.Equal(-ENOBUFS, slow.Recv().Result);
        int count = 0;
        while (slow.Recv().Result == 500)
            count++;
        Assert.InRange(count, 1, 20);
        SendTo(from, "again", 0, 1);
        Assert.Equal(5, slow.Recv().Result);
        Assert.Equal(500, proud.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void Who_sends_to_a_full_socket_waits_for_room()
    {
        TestSocket from = Netlink(User);
        TestSocket to = Netlink(User);
        to.Bind(Nl(5));
        to.Set(SOL_SOCKET, SO_RCVBUF, 4096);
        int sent = 0;
        while (SendTo(from, new string('x', 1000), 5) == 1000)
            sent++;
        Assert.Equal(-EAGAIN, SendTo(from, "x", 5));
        bool woken = false;
        using (Root.Enter())
            from.Sock.Sk!.SkWriteSpace = _ => woken = true;
        while (to.Recv().Result > 0)
            sent--;
        Assert.Equal(0, sent);
        Assert.True(woken);
        Assert.Equal(1, SendTo(from, "x", 5));
        CloseAll();
    }

    [Fact]
    public void Proc_net_netlink_lists_the_sockets()
    {
        TestSocket socket = Netlink(User);
        socket.Bind(Nl(4711, 3));
        Assert.Equal(0, ProcNet.Of(Test.Machine).Read(Net, "netlink", out string text));
        string line = Assert.Single(text.Split('\n'), l => l.Contains("4711", StringComparison.Ordinal));
        Assert.Contains("2   4711       00000003", line, StringComparison.Ordinal);
        CloseAll();
    }
}
