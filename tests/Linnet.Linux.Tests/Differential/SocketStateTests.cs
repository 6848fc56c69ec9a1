namespace Linnet.Linux.Tests.Differential;

/// <summary>Each call on a socket, with good and bad arguments, in right and wrong states, against the host's kernel.</summary>
public class SocketStateTests
{
    private const uint Loopback = 0x7f000001;
    private const uint Nobody = 0x7f000042;
    private const ushort Port = 4001;
    private const ushort ClosedPort = 4002;

    public static TheoryData<string, string> States
    {
        get
        {
            TheoryData<string, string> states = [];
            foreach (string state in new[] { "new", "bound", "listening", "connected", "accepted", "refused", "read-shut", "write-shut", "both-shut", "peer-closed", "peer-reset" })
                states.Add("tcp", state);
            foreach (string kind in new[] { "udp", "raw", "ping" })
            {
                foreach (string state in new[] { "new", "bound", "connected", "disconnected", "both-shut" })
                    states.Add(kind, state);
            }

            return states;
        }
    }

    [Theory]
    [MemberData(nameof(States))]
    public void Each_call_in_each_state(string kind, string state)
    {
        using Twin twin = new();

        // What a ping socket has for a port is an identifier, any number.
        if (kind == "ping")
            twin.FirstEphemeralPort = 1;
        ushort port = Port;
        foreach (Action<Twin, int> call in Calls)
        {
            twin.Begin($"{kind} {state}");
            int fd = Reach(twin, kind, state, port++);
            call(twin, fd);

            // What the call did to the socket.
            Name(twin, fd, __NR_getsockname);
            Name(twin, fd, __NR_getpeername);
            Poll(twin, fd);
            GetOption(twin, fd, SO_ERROR);
            twin.CloseAll();
        }

        twin.AssertSame();
    }

    [Fact]
    public void Calls_on_what_is_no_socket()
    {
        using Twin twin = new();
        foreach (string kind in new[] { "eventfd", "pipe-read", "epoll", "memfd", "closed" })
        {
            foreach (Action<Twin, int> call in Calls)
            {
                twin.Begin(kind);
                call(twin, FileCallTests.Make(twin, kind));
                twin.CloseAll();
            }
        }

        foreach (Action<Twin, int> call in Calls)
        {
            twin.Begin("negative");
            call(twin, -1);
        }

        twin.AssertSame();
    }

    [Fact]
    public void Socketpair_is_refused_as_on_the_host()
    {
        using Twin twin = new() { IsExpected = (call, _, linnet) => (int)call.Arguments[0] != AF_INET && linnet == -EAFNOSUPPORT };
        foreach (int family in new[] { 0, AF_INET, 46, -1 })
        {
            for (int type = 0; type <= 6; type++)
            {
                foreach (int flags in new[] { 0, SOCK_NONBLOCK, 0x40000000 })
                {
                    foreach (ulong where in new[] { twin.Place(1), twin.Memory.End })
                        twin.Run($"socketpair({family}, {type | flags})", __NR_socketpair, family, type | flags, 0, (long)where);
                }
            }
        }

        twin.AssertSame();
    }

    // Every call with arguments that are right somewhere and wrong elsewhere.
    private static IEnumerable<Action<Twin, int>> Calls
    {
        get
        {
            foreach (int length in new[] { 16, 0, 2, 15, 128, 129, -1 })
            {
                yield return (t, fd) => t.Run($"bind({length} bytes)", __NR_bind, fd, (long)t.Address(t.Place(1), Loopback, 5001), length);
                yield return (t, fd) => t.Run($"connect({length} bytes)", __NR_connect, fd, (long)t.Address(t.Place(1), Loopback, ClosedPort), length);
                yield return (t, fd) => t.Run($"sendto({length} bytes of address)", __NR_sendto, fd, (long)t.Place(3), 10, MSG_NOSIGNAL, (long)t.Address(t.Place(1), Loopback, ClosedPort), length);
            }

            foreach ((uint address, ushort port, ushort family) in new (uint, ushort, ushort)[]
                { (Loopback, 80, AF_INET), (0, 5002, AF_INET), (0x08080808, 5003, AF_INET), (0xffffffff, 5004, AF_INET), (0xe0000001, 5005, AF_INET), (Nobody, 5006, AF_INET), (Loopback, 5007, 0), (0, 5008, 0), (Loopback, 5009, 10), (Loopback, 5010, 99) })
            {
                yield return (t, fd) => t.Run($"bind({address:x}:{port} family {family})", __NR_bind, fd, (long)t.Address(t.Place(1), address, port, family), 16);
                yield return (t, fd) => t.Run($"connect({address:x}:{port} family {family})", __NR_connect, fd, (long)t.Address(t.Place(1), address, port, family), 16);
                yield return (t, fd) => t.Run($"sendto({address:x}:{port} family {family})", __NR_sendto, fd, (long)t.Place(3), 10, MSG_NOSIGNAL, (long)t.Address(t.Place(1), address, port, family), 16);
            }

            yield return (t, fd) => t.Run("bind(bad)", __NR_bind, fd, (long)t.Memory.End, 16);
            yield return (t, fd) => t.Run("connect(bad)", __NR_connect, fd, (long)t.Memory.End, 16);
            foreach (int backlog in new[] { 0, 5, -1, int.MaxValue })
                yield return (t, fd) => t.Run($"listen({backlog})", __NR_listen, fd, backlog);
            foreach (int flags in new[] { 0, SOCK_NONBLOCK, SOCK_CLOEXEC, 1, -1 })
                yield return (t, fd) => t.Run($"accept4({flags})", __NR_accept4, fd, 0, 0, flags);
            yield return (t, fd) => t.Run("accept(address)", __NR_accept, fd, (long)t.Place(1), (long)Length(t, 16));
            yield return (t, fd) => t.Run("accept(bad)", __NR_accept, fd, (long)t.Memory.End, (long)Length(t, 16));
            foreach (int how in new[] { -1, 0, 1, 2, 3 })
                yield return (t, fd) => t.Run($"shutdown({how})", __NR_shutdown, fd, how);
            foreach (int flags in new[] { 0, MSG_PEEK, MSG_OOB, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL | MSG_DONTWAIT, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC })
            {
                foreach (int count in new[] { 0, 10 })
                    yield return (t, fd) => t.Run($"recvfrom({count}, {flags:x})", __NR_recvfrom, fd, (long)t.Place(3), count, flags, (long)t.Place(1), (long)Length(t, 16));
            }

            yield return (t, fd) => t.Run("recvfrom(bad)", __NR_recvfrom, fd, (long)t.Memory.End, 10, 0, 0, 0);
            yield return (t, fd) => t.Run("recvfrom(length -1)", __NR_recvfrom, fd, (long)t.Place(3), 10, 0, (long)t.Place(1), (long)Length(t, -1));
            foreach (int flags in new[] { 0, MSG_OOB, MSG_DONTROUTE, MSG_MORE, MSG_EOR, MSG_CONFIRM, MSG_DONTWAIT, 0x10000000 })
            {
                foreach (int count in new[] { 0, 10, 70_000 })
                    yield return (t, fd) => t.Run($"send({count}, {flags:x})", __NR_sendto, fd, (long)t.Place(3), count, flags | MSG_NOSIGNAL, 0, 0);
            }

            yield return (t, fd) => t.Run("send(bad)", __NR_sendto, fd, (long)t.Memory.End, 10, MSG_NOSIGNAL, 0, 0);
            foreach (int length in new[] { 0, 8, 16, 200, -1 })
            {
                yield return (t, fd) => t.Run($"getsockname({length})", __NR_getsockname, fd, (long)t.Place(1), (long)Length(t, length));
                yield return (t, fd) => t.Run($"getpeername({length})", __NR_getpeername, fd, (long)t.Place(1), (long)Length(t, length));
            }

            yield return (t, fd) => t.Run("getsockname(bad)", __NR_getsockname, fd, (long)t.Memory.End, (long)Length(t, 16));
            yield return (t, fd) => t.Run("getsockname(bad length)", __NR_getsockname, fd, (long)t.Place(1), (long)t.Memory.End);
            foreach (int nr in new[] { __NR_sendmsg, __NR_recvmsg })
            {
                yield return (t, fd) => t.Run($"{Text(nr)}(bad)", nr, fd, (long)t.Memory.End, MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(nothing)", nr, fd, (long)Message(t, 0, 0, 0, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(10)", nr, fd, (long)Message(t, 10, 1, 0, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(1025 pieces)", nr, fd, (long)Message(t, 10, 1025, 0, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(piece of -1)", nr, fd, (long)Message(t, -1, 1, 0, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(name length -1)", nr, fd, (long)Message(t, 10, 1, -1, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(name length 200)", nr, fd, (long)Message(t, 10, 1, 200, 0), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(control of 8)", nr, fd, (long)Message(t, 10, 1, 0, 8), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(control of 2 GiB)", nr, fd, (long)Message(t, 10, 1, 0, 0x8000_0000), MSG_NOSIGNAL);
                yield return (t, fd) => t.Run($"{Text(nr)}(flags -1)", nr, fd, (long)Message(t, 10, 1, 0, 0), 0x80000000);
            }

            foreach (uint request in new uint[] { FIONREAD, SIOCOUTQ, 0x8905, 0x8906, 0x8907, 0x8912, 0x8913, 0x8915, 0x894b, 0x8901, 0x8902, 0x8903, 0x8904, 0x1234, FIOASYNC })
            {
                yield return (t, fd) => t.Run($"ioctl(0x{request:x})", __NR_ioctl, fd, request, (long)t.Place(1));
                yield return (t, fd) => t.Run($"ioctl(0x{request:x}, bad)", __NR_ioctl, fd, request, (long)t.Memory.End);
            }

            yield return (t, fd) => t.Run("read(10)", __NR_read, fd, (long)t.Place(3), 10);
            yield return (t, fd) => t.Run("read(0)", __NR_read, fd, (long)t.Place(3), 0);
            yield return (t, fd) => t.Run("lseek", __NR_lseek, fd, 0, 1);
            yield return (t, fd) => t.Run("pread64", __NR_pread64, fd, (long)t.Place(3), 10, 0);
            yield return (t, fd) => t.Run("fsync", __NR_fsync, fd);
            yield return (t, fd) => t.Run("ftruncate", __NR_ftruncate, fd, 0);
            yield return (t, fd) => t.Run("fcntl(F_SETFL, O_ASYNC)", __NR_fcntl, fd, F_SETFL, O_NONBLOCK | 0x2000);
            yield return (t, fd) => t.Run("fcntl(F_GETPIPE_SZ)", __NR_fcntl, fd, F_GETPIPE_SZ, 0);
        }
    }

    // A socket in a state, and what it needs beside it; the socket under test is the one returned.
    private static int Reach(Twin twin, string kind, string state, ushort port)
    {
        int fd = SocketOptionTests.Make(twin, kind);
        if (kind == "tcp" && state is not ("new" or "bound" or "refused"))
            return ReachTcp(twin, state, port, fd);
        ushort peer = state == "refused" ? ClosedPort : port;
        if (state == "bound")
            Bind(twin, fd, kind == "raw" ? (ushort)0 : port);
        if (state is "connected" or "disconnected" or "both-shut" or "refused")
            twin.Run("connect()", __NR_connect, fd, (long)twin.Address(twin.Place(1), Loopback, peer), 16);
        if (state == "disconnected")
            twin.Run("connect(AF_UNSPEC)", __NR_connect, fd, (long)twin.Address(twin.Place(1), 0, 0, 0), 16);
        if (state == "both-shut")
            twin.Run("shutdown(2)", __NR_shutdown, fd, SHUT_RDWR);
        return fd;
    }

    private static int ReachTcp(Twin twin, string state, ushort port, int listener)
    {
        SetOption(twin, listener, SO_REUSEADDR, 1);
        Bind(twin, listener, port);
        twin.Run("listen(5)", __NR_listen, listener, 5);
        if (state == "listening")
            return listener;
        int client = SocketOptionTests.Make(twin, "tcp");
        twin.Run("connect()", __NR_connect, client, (long)twin.Address(twin.Place(1), Loopback, port), 16);
        int server = (int)twin.Run("accept4()", __NR_accept4, listener, 0, 0, SOCK_NONBLOCK);
        switch (state)
        {
            case "accepted":
                return server;
            case "read-shut" or "write-shut" or "both-shut":
                int how = state == "read-shut" ? SHUT_RD : state == "write-shut" ? SHUT_WR : SHUT_RDWR;
                twin.Run($"shutdown({how})", __NR_shutdown, client, how);
                break;
            case "peer-closed":
                twin.Close(server);
                break;
            case "peer-reset":
                twin.Memory.Write(twin.Place(1), new Linger { LOnoff = 1 });
                twin.Run("setsockopt(SO_LINGER 0)", __NR_setsockopt, server, SOL_SOCKET, SO_LINGER, (long)twin.Place(1), 8);
                twin.Close(server);
                break;
        }

        return client;
    }

    private static void Bind(Twin twin, int fd, ushort port) =>
        twin.Run($"bind({port})", __NR_bind, fd, (long)twin.Address(twin.Place(1), Loopback, port), 16);

    private static void SetOption(Twin twin, int fd, int name, int value)
    {
        twin.Memory.Write(twin.Place(1), value);
        twin.Run($"setsockopt(SOL_SOCKET, {name}, {value})", __NR_setsockopt, fd, SOL_SOCKET, name, (long)twin.Place(1), 4);
    }

    private static void GetOption(Twin twin, int fd, int name) =>
        twin.Run($"getsockopt(SOL_SOCKET, {name})", __NR_getsockopt, fd, SOL_SOCKET, name, (long)twin.Place(1), (long)Length(twin, 4));

    private static void Name(Twin twin, int fd, int nr) =>
        twin.Run(nr == __NR_getsockname ? "getsockname()" : "getpeername()", nr, fd, (long)twin.Place(1), (long)Length(twin, 16));

    private static void Poll(Twin twin, int fd)
    {
        twin.Memory.Write(twin.Place(1), new Pollfd { Fd = fd, Events = 0x7fff });
        twin.Run("poll()", __NR_poll, (long)twin.Place(1), 1, 0);
    }

    private static ulong Length(Twin twin, int length)
    {
        twin.Memory.Write(twin.Place(2), length);
        return twin.Place(2);
    }

    private static ulong Message(Twin twin, long pieceLength, ulong pieces, int nameLength, ulong controlLength)
    {
        twin.Memory.Write(twin.Place(4), new Iovec { IovBase = twin.Place(3), IovLen = (ulong)pieceLength });
        twin.Memory.Write(twin.Place(5), new UserMsghdr
        {
            MsgName = nameLength == 0 ? 0 : twin.Address(twin.Place(1), Loopback, ClosedPort),
            MsgNamelen = nameLength,
            MsgIov = twin.Place(4),
            MsgIovlen = pieces,
            MsgControl = controlLength == 0 ? 0 : twin.Place(6),
            MsgControllen = controlLength,
        });
        return twin.Place(5);
    }

    private static string Text(int nr) => nr == __NR_sendmsg ? "sendmsg" : "recvmsg";
}
