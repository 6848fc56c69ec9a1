using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;
using Linnet.Kernel.Security;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SignalH;
using static Linnet.Kernel.Uapi.SocketIoctlH;
using Socket = Linnet.Kernel.Net.Socket;

namespace Linnet.Kernel.Tests.Net;

/// <summary>The calls on a socket's descriptor: addresses, pairs, accepting, messages, and their ways back.</summary>
public class SocketCallTests : SocketFixture
{
    private const ulong Address = Buffer + 0x4000;

    [Fact]
    public void Calls_on_no_socket()
    {
        int pipe = (int)Call(__NR_eventfd2, 0, 0);
        foreach (int nr in new[] { __NR_bind, __NR_listen, __NR_getsockname, __NR_getpeername, __NR_shutdown, __NR_connect })
        {
            Assert.Equal(-EBADF, Call(nr, 99, (long)Address, 0));
            Assert.Equal(-ENOTSOCK, Call(nr, pipe, (long)Address, 0));
        }

        Assert.Equal(-ENOTSOCK, Call(__NR_accept4, pipe, 0, 0, 0));
        Assert.Equal(-ENOTSOCK, Call(__NR_sendto, pipe, (long)Buffer, 1, 0, 0, 0));
        Assert.Equal(-ENOTSOCK, Call(__NR_recvmsg, pipe, (long)Buffer, 0));
        Assert.Equal(-EBADF, Call(__NR_recvfrom, 99, (long)Buffer, 1, 0, 0, 0));
        Assert.Equal(-ENOTSOCK, Call(__NR_setsockopt, pipe, SOL_SOCKET, SO_DEBUG, 0, -1));
        Assert.Equal(-ENOTSOCK, Call(__NR_getsockopt, pipe, SOL_SOCKET, SO_DEBUG, 0, 0));
    }

    [Fact]
    public void Bind_takes_addresses_of_0_to_128_bytes()
    {
        int fd = NewSocket();
        Assert.Equal(-EINVAL, Call(__NR_bind, fd, (long)Address, -1));
        Assert.Equal(-EINVAL, Call(__NR_bind, fd, (long)Address, 129));
        Assert.Equal(-EFAULT, Call(__NR_bind, fd, (long)BadAddress, 2));
        Assert.Equal(0, Call(__NR_bind, fd, (long)BadAddress, 0));
        Memory.Put(Address, [1, 2, 3]);
        Assert.Equal(0, Call(__NR_bind, fd, (long)Address, 3));
        Assert.Equal([1, 2, 3], SockOf(fd).Address);
    }

    [Fact]
    public void Connect_looks_at_the_address_before_the_kind_of_file()
    {
        int pipe = (int)Call(__NR_eventfd2, 0, 0);
        Assert.Equal(-EINVAL, Call(__NR_connect, pipe, (long)Address, 129));
        Assert.Equal(-EFAULT, Call(__NR_connect, pipe, (long)BadAddress, 2));
        Assert.Equal(-EBADF, Call(__NR_connect, 99, (long)Address, 129));
    }

    [Fact]
    public void Getsockname_cuts_the_address_and_tells_its_length()
    {
        int fd = NewSocket();
        Memory.Put(Address, [1, 2, 3, 4]);
        Call(__NR_bind, fd, (long)Address, 4);
        Memory.Put(Address, new byte[8]);
        Memory.Put(Buffer, 2);
        Assert.Equal(0, Call(__NR_getsockname, fd, (long)Address, (long)Buffer));
        Assert.Equal(4, Memory.Get<int>(Buffer));
        Assert.Equal([1, 2, 0, 0], Memory.Bytes(Address, 4));
        Memory.Put(Buffer, -1);
        Assert.Equal(-EINVAL, Call(__NR_getsockname, fd, (long)Address, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_getsockname, fd, (long)Address, (long)BadAddress));
        Memory.Put(Buffer, 4);
        Assert.Equal(-EFAULT, Call(__NR_getsockname, fd, (long)BadAddress, (long)Buffer));
    }

    [Fact]
    public void The_backlog_is_cut_to_somaxconn()
    {
        int fd = NewSocket();
        Net.NetnsCore.SysctlSomaxconn = 100;
        Assert.Equal(0, Call(__NR_listen, fd, 5));
        Assert.Equal(5, SockOf(fd).Listens);
        Assert.Equal(0, Call(__NR_listen, fd, 500));
        Assert.Equal(100, SockOf(fd).Listens);
        Assert.Equal(0, Call(__NR_listen, fd, -1));
        Assert.Equal(100, SockOf(fd).Listens);
        As(Task, () => Socket.KernelListen(SocketOf(fd), 500));
        Assert.Equal(500, SockOf(fd).Listens);
    }

    [Fact]
    public void Accept_makes_a_connected_descriptor_with_flags_of_its_own()
    {
        int fd = NewSocket(flags: SOCK_NONBLOCK);
        Assert.Equal(-EINVAL, Call(__NR_accept4, fd, 0, 0, 1));
        Assert.Equal(-EAGAIN, Call(__NR_accept4, fd, 0, 0, 0));
        SockOf(fd).Waiting = 2;
        Assert.Equal(1, Call(__NR_accept4, fd, 0, 0, SOCK_CLOEXEC));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, 1, F_GETFD));
        Assert.Equal(O_RDWR, Call(__NR_fcntl, 1, F_GETFL));
        Memory.Put(Buffer, 16);
        Assert.Equal(2, Call(__NR_accept, fd, (long)Address, (long)Buffer));
        Assert.Equal(2, Memory.Get<int>(Buffer));
        // Operations of three sockets, protocols of three socks.
        Assert.Equal(6, Module!.RefCount);
    }

    [Fact]
    public void What_cannot_be_accepted_leaves_nothing()
    {
        int fd = NewSocket(flags: SOCK_NONBLOCK);
        Assert.Equal(-EAGAIN, Call(__NR_accept, fd, 0, 0));
        Nothing();
        SockOf(fd).Waiting = 4;
        Family.Ops.PeerNameResult = -ENOTCONN;
        Memory.Put(Buffer, 16);
        Assert.Equal(-ECONNABORTED, Call(__NR_accept, fd, (long)Address, (long)Buffer));
        Nothing();
        Family.Ops.PeerNameResult = 0;
        Assert.Equal(-EFAULT, Call(__NR_accept, fd, (long)Address, (long)BadAddress));
        Nothing();
        NoAccept module = new();
        Lsm.SecurityAddHooks(Machine, module);
        Assert.Equal(-EPERM, Call(__NR_accept, fd, 0, 0));
        Nothing();
        Assert.Equal(2, SockOf(fd).Waiting);
        Lsm.Remove(Machine, module);
        Memory.Put(Buffer, new Rlimit { RlimCur = 1, RlimMax = 1 });
        Call(__NR_setrlimit, 7, (long)Buffer);
        Assert.Equal(-EMFILE, Call(__NR_accept, fd, 0, 0));
        Nothing();

        void Nothing()
        {
            Assert.Equal(1, Sockets);
            Assert.Equal(2, Module!.RefCount);
            Assert.Equal([fd], Task.Files.OpenDescriptors);
        }
    }

    [Fact]
    public void A_pair_that_fails_leaves_nothing()
    {
        Assert.Equal(-EINVAL, Call(__NR_socketpair, Toy, SOCK_STREAM | 0x20, 0, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_socketpair, Toy, SOCK_STREAM, 0, (long)BadAddress));
        Assert.Equal(-EAFNOSUPPORT, Call(__NR_socketpair, AF_ASH, SOCK_STREAM, 0, (long)Buffer));
        int made = 0;
        Family.OnCreate = () => Family.CreateResult = ++made == 2 ? -ENOMEM : 0;
        Assert.Equal(-ENOMEM, Call(__NR_socketpair, Toy, SOCK_STREAM, 0, (long)Buffer));
        Assert.Equal(0, Sockets);
        Lsm.SecurityAddHooks(Machine, new NoPairs());
        Assert.Equal(-EPERM, Call(__NR_socketpair, Toy, SOCK_STREAM, 0, (long)Buffer));
        Assert.Equal(0, Sockets);
        Assert.Empty(Task.Files.OpenDescriptors);
        Assert.Equal(0, Module!.RefCount);
    }

    [Fact]
    public void A_pair_needs_two_files()
    {
        TaskStruct user = NewUser();
        Machine.FilesStat.MaxFiles = 1;
        Assert.Equal(-ENFILE, CallAs(user, __NR_socketpair, Toy, SOCK_STREAM, 0, (long)Buffer));
        Assert.Equal(0, Sockets);
        Assert.Equal(0, Machine.FilesStat.NrFiles);
        Assert.Empty(user.Files.OpenDescriptors);
    }

    [Fact]
    public void Data_goes_through_a_pair_by_every_call()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Assert.Equal(3, Send(a, "one"));
        Assert.Equal("on", Recv(b, 2));
        Assert.Equal("e", Recv(b, flags: MSG_PEEK));
        Assert.Equal("e", Recv(b));
        Assert.Equal("EAGAIN", Recv(b));
        Memory.Put(Buffer, [65, 66, 67]);
        Assert.Equal(3, Call(__NR_write, a, (long)Buffer, 3));
        Assert.Equal(0, Call(__NR_read, b, (long)Buffer, 0));
        Assert.Equal("ABC", Recv(b));
        Assert.Equal(-EAGAIN, Call(__NR_read, b, (long)Buffer, 5));
        Assert.Equal(8, Send(a, "longer than eight"));
        Assert.Equal(-EAGAIN, Send(a, "x"));
        Assert.Equal(-EFAULT, Call(__NR_sendto, a, unchecked((long)0xffff_8000_0000_0000), 1, 0, 0, 0));
        Assert.Equal("longer t", Recv(b));
    }

    [Fact]
    public void Messages_carry_pieces_addresses_and_flags()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Memory.Put(Address, [9, 8, 7]);
        Call(__NR_bind, b, (long)Address, 3);
        Memory.Put(Buffer2, "helloworld"u8.ToArray());
        Assert.Equal(7, Call(__NR_sendmsg, a, Msghdr((Buffer2, 3), (Buffer2 + 5, 4)), 0));
        Memory.Put(Buffer2, new byte[16]);
        long msg = Msghdr((Buffer2, 2), (Buffer2 + 8, 6));
        UserMsghdr header = Memory.Get<UserMsghdr>((ulong)msg);
        header.MsgName = Address;
        header.MsgNamelen = 2;
        header.MsgFlags = 0xffff;
        header.MsgControl = Address;
        header.MsgControllen = 32;
        Memory.Put((ulong)msg, header);
        Assert.Equal(7, Call(__NR_recvmsg, b, msg, 0));
        Assert.Equal("he"u8.ToArray(), Memory.Bytes(Buffer2, 2));
        Assert.Equal("lworl"u8.ToArray(), Memory.Bytes(Buffer2 + 8, 5));
        header = Memory.Get<UserMsghdr>((ulong)msg);
        Assert.Equal(3, header.MsgNamelen);
        Assert.Equal(0u, header.MsgFlags);
        Assert.Equal(0ul, header.MsgControllen);
    }

    [Fact]
    public void Bad_messages_are_refused_in_Linux_order()
    {
        (int a, _) = NewPair();
        Assert.Equal(-EINVAL, Call(__NR_sendmsg, 99, 0, MSG_CMSG_COMPAT));
        Assert.Equal(-EBADF, Call(__NR_sendmsg, 99, (long)BadAddress, 0));
        Assert.Equal(-EFAULT, Call(__NR_sendmsg, a, (long)BadAddress, 0));
        Assert.Equal(-EMSGSIZE, Call(__NR_sendmsg, a, With(h => h with { MsgIovlen = 1025 }), 0));
        Assert.Equal(-EINVAL, Call(__NR_sendmsg, a, With(h => h with { MsgName = Address, MsgNamelen = -1, MsgIovlen = 1025 }), 0));
        Assert.Equal(-EFAULT, Call(__NR_sendmsg, a, With(h => h with { MsgName = BadAddress, MsgNamelen = 4000 }), 0));
        Assert.Equal(-EINVAL, Call(__NR_sendmsg, a, Msghdr((Buffer2, ulong.MaxValue)), 0));
        Assert.Equal(-ENOBUFS, Call(__NR_sendmsg, a, With(h => h with { MsgControllen = 0x8000_0000 }), 0));
        Assert.Equal(-EFAULT, Call(__NR_sendmsg, a, With(h => h with { MsgControl = BadAddress, MsgControllen = 20 }), 0));
        Assert.Equal(-ENOBUFS, Call(__NR_sendmsg, a, With(h => h with { MsgControl = Address, MsgControllen = 200_000 }), 0));
        Assert.Equal(0, SockOf(a).SkOmemAlloc);
    }

    [Fact]
    public void Sendmmsg_stops_at_the_first_that_fails()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Memory.Put(Buffer2, "abcdefghijkl"u8.ToArray());
        long vector = Mmsghdr((Buffer2, 3), (Buffer2 + 3, 5), (Buffer2 + 8, 2));
        Assert.Equal(2, Call(__NR_sendmmsg, a, vector, 3, 0));
        Assert.Equal(3u, Memory.Get<Mmsghdr>((ulong)vector).MsgLen);
        Assert.Equal(5u, Memory.Get<Mmsghdr>((ulong)vector + 64).MsgLen);
        Assert.Equal(-EAGAIN, Call(__NR_sendmmsg, a, vector, 3, 0));
        Assert.Equal("abcdefgh", Recv(b));
    }

    [Fact]
    public void An_error_behind_received_messages_is_told_next_time()
    {
        (int a, int b) = NewPair(SOCK_DGRAM, SOCK_NONBLOCK);
        Send(a, "x");
        long vector = Mmsghdr((Buffer2, 4), (Buffer2, 4));
        Assert.Equal(1, Call(__NR_recvmmsg, b, vector, 2, 0, 0));
        SockOf(b).SkErr = ECONNREFUSED;
        Assert.Equal(-ECONNREFUSED, Call(__NR_recvmmsg, b, vector, 2, 0, 0));
        Assert.Equal(-EAGAIN, Call(__NR_recvmmsg, b, vector, 2, 0, 0));
        Memory.Put(Buffer, new Timespec { TvNsec = 1_000_000_000 });
        Assert.Equal(-EINVAL, Call(__NR_recvmmsg, b, vector, 2, 0, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_recvmmsg, b, vector, 2, 0, (long)BadAddress));
    }

    [Fact]
    public void Socketcall_reads_as_many_arguments_as_the_call_has()
    {
        Put(Toy, SOCK_STREAM, 0);
        Assert.Equal(0, InTask(() => SocketSyscalls.Socketcall(SYS_SOCKET, Buffer)));
        Assert.Equal(-EINVAL, InTask(() => SocketSyscalls.Socketcall(0, Buffer)));
        Assert.Equal(-EINVAL, InTask(() => SocketSyscalls.Socketcall(SYS_SENDMMSG + 1, Buffer)));
        Assert.Equal(-EFAULT, InTask(() => SocketSyscalls.Socketcall(SYS_SOCKET, BadAddress)));
        Put(0, 7);
        Assert.Equal(0, InTask(() => SocketSyscalls.Socketcall(SYS_LISTEN, Buffer)));
        Assert.Equal(7, SockOf(0).Listens);
        // Two arguments at the end of the memory are enough for listen, three would fault.
        Memory.Put(0x10000 + (1 << 20) - 16, 0L);
        Assert.Equal(0, InTask(() => SocketSyscalls.Socketcall(SYS_LISTEN, 0x10000 + (1 << 20) - 16)));
        Assert.Equal(-EFAULT, InTask(() => SocketSyscalls.Socketcall(SYS_BIND, 0x10000 + (1 << 20) - 16)));

        long InTask(Func<long> call)
        {
            using KernelEntry entry = Task.Enter();
            return call();
        }

        void Put(params long[] values)
        {
            for (int i = 0; i < values.Length; i++)
                Memory.Put(Buffer + (ulong)(i * 8), values[i]);
        }
    }

    [Fact]
    public void Unknown_calls_options_and_requests_are_counted()
    {
        int fd = NewSocket();
        Assert.Equal(-ENOSYS, Call(4711));
        Assert.Equal(-ENOPROTOOPT, Call(__NR_setsockopt, fd, SOL_SOCKET, 999, (long)Buffer, 4));
        Assert.Equal(-EOPNOTSUPP, Call(__NR_setsockopt, fd, 77, 3, (long)Buffer, 4));
        Assert.Equal(-ENOTTY, Call(__NR_ioctl, fd, 0x12345678, 0));
        Assert.Equal(7, Call(__NR_ioctl, fd, 0x89f00001, 0));
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.Syscall, 4711));
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.SocketOption, SOL_SOCKET, 999));
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.SocketOption, 77, 3));
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.Ioctl, 0x12345678));
    }

    [Fact]
    public void Requests_about_devices_go_through_any_socket()
    {
        int fd = NewSocket();
        Memory.Put(Buffer, new byte[40]);
        Memory.Put(Buffer + 16, 1);
        Assert.Equal(0, Call(__NR_ioctl, fd, SIOCGIFNAME, (long)Buffer));
        Assert.Equal("lo\0"u8.ToArray(), Memory.Bytes(Buffer, 3));
        Assert.Equal(0, Call(__NR_ioctl, fd, SIOCGIFMTU, (long)Buffer));
        Assert.Equal(65536, Memory.Get<int>(Buffer + 16));
        Assert.Equal(0, Call(__NR_ioctl, fd, SIOCGIFINDEX, (long)Buffer));
        Assert.Equal(1, Memory.Get<int>(Buffer + 16));
        Memory.Put(Buffer + 16, (short)1);
        Assert.Equal(-EPERM, CallAs(NewUserWith(fd), __NR_ioctl, fd, SIOCSIFFLAGS, (long)Buffer));
        Assert.Equal(0, Call(__NR_ioctl, fd, SIOCSIFFLAGS, (long)Buffer));
        Assert.True(Net.LoopbackDev.IsUp);
        Memory.Put(Buffer, "nodev\0"u8.ToArray());
        Assert.Equal(-ENODEV, Call(__NR_ioctl, fd, SIOCGIFMTU, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_ioctl, fd, SIOCGIFMTU, (long)BadAddress));
        Assert.Equal(-ENOTTY, Call(__NR_ioctl, fd, 0x8999, (long)Buffer));
    }

    [Fact]
    public void A_signal_tells_of_data_when_asked_for()
    {
        (int a, int b) = NewPair();
        Assert.Equal(0, Call(__NR_fcntl, b, F_SETOWN, Task.Pid));
        Send(a, "x");
        Assert.False(Task.SignalPending);
        Assert.Equal(0, Call(__NR_fcntl, b, F_SETFL, FileTable.FASYNC));
        Send(a, "x");
        Assert.Equal(SIGIO, Task.DequeueSignal());
        Assert.Equal(0, Call(__NR_fcntl, b, F_SETFL, 0));
        Send(a, "x");
        Assert.False(Task.SignalPending);
    }

    private TaskStruct NewUserWith(int fd)
    {
        TaskStruct user = NewUser();
        FilesStruct.CopyFiles(Task, user, share: true);
        return user;
    }

    private long Msghdr(params (ulong Base, ulong Length)[] pieces)
    {
        WriteMsghdr(Buffer, Buffer + 0x1000, pieces);
        return (long)Buffer;
    }

    private long Mmsghdr(params (ulong Base, ulong Length)[] messages)
    {
        for (int i = 0; i < messages.Length; i++)
            WriteMsghdr(Buffer + (ulong)(i * 64), Buffer + 0x1000 + (ulong)(i * 16), [messages[i]]);
        return (long)Buffer;
    }

    private void WriteMsghdr(ulong at, ulong iovecs, (ulong Base, ulong Length)[] pieces)
    {
        for (int i = 0; i < pieces.Length; i++)
            Memory.Put(iovecs + (ulong)(i * 16), new Iovec { IovBase = pieces[i].Base, IovLen = pieces[i].Length });
        Memory.Put(at, new UserMsghdr { MsgIov = iovecs, MsgIovlen = (ulong)pieces.Length });
    }

    private long With(Func<UserMsghdr, UserMsghdr> change)
    {
        long at = Msghdr((Buffer2, 1));
        Memory.Put((ulong)at, change(Memory.Get<UserMsghdr>((ulong)at)));
        return at;
    }

    private sealed class NoAccept : SecurityModule
    {
        public override string Name => "noaccept";

        public override int SocketAccept(Socket sock, Socket newsock) => -EPERM;
    }

    private sealed class NoPairs : SecurityModule
    {
        public override string Name => "nopairs";

        public override int SocketSocketpair(Socket sock1, Socket sock2) => -EPERM;
    }
}
