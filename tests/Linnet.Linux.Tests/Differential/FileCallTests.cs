namespace Linnet.Linux.Tests.Differential;

/// <summary>Calls on descriptors, pipes, event counters, files in memory and epoll, against the host's kernel.</summary>
public class FileCallTests
{
    private static readonly long[] Numbers = [-1, 0, 1, 2, 3, 4, 7, 63, 64, 1000, 0x7fffffff, 0xffffffff];

    [Fact]
    public void Fcntl_on_each_kind_of_file()
    {
        using Twin twin = new();
        int[] commands = [F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_GETOWN, F_GETSIG, F_SETSIG, F_DUPFD_CLOEXEC,
            F_DUPFD_QUERY, F_CREATED_QUERY, F_GETPIPE_SZ, F_SETPIPE_SZ, F_NOTIFY, 5000, -1, 12, 13];
        ForEachKind(twin, (kind, fd) =>
        {
            foreach (int command in commands)
            {
                // A size of two GiB would be granted to root.
                foreach (long argument in Numbers.Where(n => command != F_SETPIPE_SZ || n <= 1000 || n == 0xffffffff))
                    twin.Run($"fcntl({kind} {fd}, {command}, {argument})", __NR_fcntl, fd, command, argument);
            }

            foreach (int flags in new[] { O_NONBLOCK, O_NONBLOCK | O_APPEND, O_NONBLOCK | O_DIRECT, O_NONBLOCK | 0x2000, O_NONBLOCK | O_CREAT | O_TRUNC, O_NONBLOCK | O_NOATIME })
            {
                twin.Run($"fcntl({kind} {fd}, F_SETFL, 0x{flags:x})", __NR_fcntl, fd, F_SETFL, flags);
                twin.Run($"fcntl({kind} {fd}, F_GETFL)", __NR_fcntl, fd, F_GETFL);
            }

            for (int who = -1; who <= 3; who++)
                twin.Run($"fcntl({kind} {fd}, F_SETOWN_EX, {who})", __NR_fcntl, fd, F_SETOWN_EX, (long)OwnerEx(twin, who));
            twin.Run($"fcntl({kind} {fd}, F_GETOWN_EX)", __NR_fcntl, fd, F_GETOWN_EX, (long)twin.Place(2));
            twin.Run($"fcntl({kind} {fd}, F_SETOWN_EX, bad)", __NR_fcntl, fd, F_SETOWN_EX, (long)twin.Memory.End);
            twin.Run($"fcntl({kind} {fd}, F_SETOWN, INT_MIN)", __NR_fcntl, fd, F_SETOWN, int.MinValue);
            twin.Run($"fcntl({kind} {fd}, F_SETOWN, 0)", __NR_fcntl, fd, F_SETOWN, 0);
        });
        twin.AssertSame();
    }

    [Fact]
    public void Reads_and_writes_with_bad_arguments_on_each_kind_of_file()
    {
        using Twin twin = new();
        ForEachKind(twin, (kind, fd) =>
        {
            long good = (long)twin.Place(1), end = (long)twin.Memory.End;
            foreach (int nr in new[] { __NR_read, __NR_write })
            {
                foreach (long address in new[] { good, 0, end, end - 4, -1, 0x7fff_ffff_f000 - 4 })
                {
                    foreach (long count in new[] { 0L, 1, 8, 4096, -1, long.MinValue, long.MaxValue, int.MaxValue })
                    {
                        if (!IsHuge(count, address - good))
                            twin.Run($"{Name(nr)}({kind} {fd}, good{address - good:+#;-#;+0}, {count})", nr, fd, address, count);
                    }
                }
            }

            foreach (int nr in new[] { __NR_pread64, __NR_pwrite64 })
            {
                foreach (long position in new[] { 0L, 5, -1, long.MinValue })
                    twin.Run($"{Name(nr)}({kind} {fd}, 8, {position})", nr, fd, good, 8, position);
            }

            foreach (int nr in new[] { __NR_readv, __NR_writev, __NR_preadv, __NR_pwritev, __NR_preadv2, __NR_pwritev2 })
                Vectors(twin, kind, fd, nr, good, end);
            for (int whence = -1; whence <= 5; whence++)
            {
                foreach (long offset in new[] { 0L, 3, -1, 1 << 20 })
                    twin.Run($"lseek({kind} {fd}, {offset}, {whence})", __NR_lseek, fd, offset, whence);
            }

            twin.Run($"fsync({kind} {fd})", __NR_fsync, fd);
            twin.Run($"fdatasync({kind} {fd})", __NR_fdatasync, fd);
            twin.Run($"ftruncate({kind} {fd}, -1)", __NR_ftruncate, fd, -1);
            twin.Run($"ftruncate({kind} {fd}, 100)", __NR_ftruncate, fd, 100);
        });
        twin.AssertSame();
    }

    [Fact]
    public void Ioctls_on_each_kind_of_file()
    {
        using Twin twin = new();
        uint[] requests = [FIONREAD, FIOCLEX, FIONCLEX, FIOASYNC, 2, TIOCOUTQ, TIOCGWINSZ, 0, 0xffffffff, 0x12345678];
        ForEachKind(twin, (kind, fd) =>
        {
            foreach (uint request in requests)
            {
                twin.Memory.Write(twin.Place(2), 1);
                twin.Run($"ioctl({kind} {fd}, 0x{request:x}, good)", __NR_ioctl, fd, request, (long)twin.Place(2));
                twin.Run($"ioctl({kind} {fd}, 0x{request:x}, bad)", __NR_ioctl, fd, request, (long)twin.Memory.End);
            }

            twin.Run($"fcntl({kind} {fd}, F_GETFL)", __NR_fcntl, fd, F_GETFL);
        });
        twin.AssertSame();
    }

    [Fact]
    public void Moving_data_between_each_pair_of_kinds()
    {
        using Twin twin = new();
        string[] kinds = ["pipe-read", "pipe-write", "eventfd", "memfd", "epoll", "closed"];
        long offset = (long)twin.Place(3);
        foreach (string from in kinds)
        {
            foreach (string to in kinds)
            {
                foreach (long at in new[] { 0, offset, (long)twin.Memory.End })
                {
                    foreach (int count in new[] { 0, 3, -1 })
                    {
                        int input = Make(twin, from), output = Make(twin, to);
                        string what = $"{from} {to}, offset {at - offset}, {count}";
                        twin.Memory.Write(twin.Place(3), 1L);
                        twin.Run($"sendfile({what})", __NR_sendfile, output, input, at, count);
                        twin.Run($"splice({what}, in)", __NR_splice, input, at, output, 0, count, SPLICE_F_NONBLOCK);
                        twin.Run($"splice({what}, out)", __NR_splice, input, 0, output, at, count, SPLICE_F_NONBLOCK);
                        twin.Run($"tee({what})", __NR_tee, input, output, count, SPLICE_F_NONBLOCK);
                        twin.Run($"splice({what}, bad flags)", __NR_splice, input, 0, output, 0, count, 0x10);
                        twin.CloseAll();
                    }
                }
            }
        }

        twin.AssertSame();
    }

    [Fact]
    public void Epoll_on_each_kind_of_file()
    {
        using Twin twin = new();
        uint[] wanted = [0, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLEXCLUSIVE,
            EPOLLEXCLUSIVE | EPOLLONESHOT, EPOLLWAKEUP | EPOLLIN, EPOLLRDHUP, 0xffffffff];
        ForEachKind(twin, (kind, fd) =>
        {
            int ep = (int)twin.Run("epoll_create1(0)", __NR_epoll_create1, 0);
            long at = (long)twin.Place(4);
            foreach (uint events in wanted)
            {
                foreach (int op in new[] { EPOLL_CTL_MOD, EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, EPOLL_CTL_DEL, 0, 4 })
                {
                    twin.Memory.Write(twin.Place(4), new EpollEvent { Events = events, Data = (ulong)fd });
                    twin.Run($"epoll_ctl({ep}, {op}, {kind} {fd}, 0x{events:x})", __NR_epoll_ctl, ep, op, fd, at);
                    twin.Run($"epoll_wait({ep})", __NR_epoll_wait, ep, (long)twin.Place(5), 4, 0);
                }
            }

            foreach (long max in new[] { 0, -1, int.MaxValue, int.MaxValue / 12, int.MaxValue / 12 + 1, 1 })
                twin.Run($"epoll_wait({kind} {fd}, {max})", __NR_epoll_wait, fd, (long)twin.Place(5), max, 0);
            twin.Run("epoll_ctl(bad)", __NR_epoll_ctl, ep, EPOLL_CTL_ADD, fd, (long)twin.Memory.End);
            twin.Run("epoll_ctl(self)", __NR_epoll_ctl, ep, EPOLL_CTL_ADD, ep, at);
            twin.Close(ep);
        });
        foreach (long argument in Numbers)
        {
            twin.Run($"epoll_create({argument})", __NR_epoll_create, argument);
            twin.Run($"epoll_create1({argument})", __NR_epoll_create1, argument);
            twin.Run($"eventfd2(5, {argument})", __NR_eventfd2, 5, argument);
            twin.Run($"pipe2({argument})", __NR_pipe2, (long)twin.Place(0), argument & ~0x80);
        }

        twin.AssertSame();
    }

    [Fact]
    public void Chains_of_epoll()
    {
        using Twin twin = new();
        int[] eps = [.. Enumerable.Range(0, 8).Select(_ => (int)twin.Run("epoll_create1(0)", __NR_epoll_create1, 0))];
        int counter = (int)twin.Run("eventfd2", __NR_eventfd2, 1, 0);
        twin.Memory.Write(twin.Place(4), new EpollEvent { Events = EPOLLIN });
        long at = (long)twin.Place(4);

        // Links in an order that builds chains from both ends, and tries every loop.
        foreach ((int outer, int inner) in new[] { (0, 1), (1, 2), (3, 4), (2, 3), (4, 5), (4, 0), (2, 1), (5, 6), (6, 7), (7, 0), (0, 4), (6, 4), (5, 0) })
            twin.Run($"epoll_ctl({outer} watches {inner})", __NR_epoll_ctl, eps[outer], EPOLL_CTL_ADD, eps[inner], at);
        foreach (int ep in eps)
            twin.Run($"epoll_ctl({ep} watches the counter)", __NR_epoll_ctl, ep, EPOLL_CTL_ADD, counter, at);
        foreach (int ep in eps)
            twin.Run($"epoll_wait({ep})", __NR_epoll_wait, ep, (long)twin.Place(5), 4, 0);
        twin.AssertSame();
    }

    [Fact]
    public void Poll_and_select_on_each_kind_of_file()
    {
        using Twin twin = new();
        ForEachKind(twin, (kind, fd) =>
        {
            foreach (int events in new[] { 0, POLLIN, POLLOUT, POLLIN | POLLOUT | POLLPRI | POLLRDHUP, 0xffff })
            {
                twin.Memory.Write(twin.Place(1), new Pollfd { Fd = fd, Events = (short)events, Revents = 0x55 });
                twin.Run($"poll({kind} {fd}, 0x{events:x})", __NR_poll, (long)twin.Place(1), 1, 0);
            }

            if (fd is < 0 or >= 60)
                return;
            for (int set = 0; set < 3; set++)
            {
                twin.Memory.Write(twin.Place(1), 1UL << fd);
                twin.Memory.Write(twin.Place(2), default(Timespec));
                long[] sets = [0, 0, 0];
                sets[set] = (long)twin.Place(1);
                twin.Run($"select({kind} {fd}, set {set})", __NR_select, 60, sets[0], sets[1], sets[2], (long)twin.Place(2));
            }
        });
        twin.Memory.Write(twin.Place(2), new Timespec { TvSec = -1 });
        foreach (long n in Numbers)
        {
            twin.Run($"select({n}, time -1)", __NR_select, n, 0, 0, 0, (long)twin.Place(2));
            twin.Run($"poll({n})", __NR_poll, (long)twin.Memory.End, n, 0);
            twin.Run($"ppoll({n}, time -1)", __NR_ppoll, 0, n, (long)twin.Place(2), 0, 0);
        }

        twin.AssertSame();
    }

    internal static int Make(Twin twin, string kind)
    {
        switch (kind)
        {
            case "pipe-read" or "pipe-write":
                twin.Run("pipe2(O_NONBLOCK)", __NR_pipe2, (long)twin.Place(0), O_NONBLOCK);
                int read = twin.Memory.Read<int>(twin.Place(0)), write = twin.Memory.Read<int>(twin.Place(0) + 4);
                twin.Memory.Write(twin.Place(0), "some bytes"u8);
                twin.Run("write(10)", __NR_write, write, (long)twin.Place(0), 10);
                return kind == "pipe-read" ? read : write;
            case "eventfd":
                return (int)twin.Run("eventfd2(3, EFD_NONBLOCK)", __NR_eventfd2, 3, O_NONBLOCK);
            case "memfd":
                twin.Memory.Write(twin.Place(0), "name\0"u8);
                int fd = (int)twin.Run("memfd_create()", __NR_memfd_create, (long)twin.Place(0), 0);
                twin.Run("pwrite64(4)", __NR_pwrite64, fd, (long)twin.Place(0), 4, 0);
                return fd;
            case "epoll":
                return (int)twin.Run("epoll_create1(0)", __NR_epoll_create1, 0);
            default:
                return 55;
        }
    }

    private static void ForEachKind(Twin twin, Action<string, int> body)
    {
        foreach (string kind in new[] { "pipe-read", "pipe-write", "eventfd", "memfd", "epoll", "closed" })
        {
            twin.Begin(kind);
            body(kind, Make(twin, kind));
            twin.CloseAll();
        }
    }

    private static ulong OwnerEx(Twin twin, int type)
    {
        twin.Memory.Write(twin.Place(3), new FOwnerEx { Type = type });
        return twin.Place(3);
    }

    private static void Vectors(Twin twin, string kind, int fd, int nr, long good, long end)
    {
        long vector = (long)twin.Place(2);
        foreach ((long Base, long Length)[] pieces in new (long, long)[][]
            { [(good, 4), (good + 100, 4)], [(good, 0), (good, 0)], [(good, 4), (end, 4)], [(end, 4)], [(good, -1)], [(good, 4), (-5, 10)] })
        {
            for (int i = 0; i < pieces.Length; i++)
                twin.Memory.Write((ulong)vector + 16 * (ulong)i, new Iovec { IovBase = (ulong)pieces[i].Base, IovLen = (ulong)pieces[i].Length });
            foreach (long position in new[] { 0L, -1, -2 })
                twin.Run($"{Name(nr)}({kind} {fd}, {pieces.Length} pieces, position {position})", nr, fd, vector, pieces.Length, position, 0, 0);
        }

        foreach (long count in new[] { 0L, 1025, -1, long.MaxValue })
            twin.Run($"{Name(nr)}({kind} {fd}, count {count})", nr, fd, vector, count, 0, 0, 0);
        twin.Run($"{Name(nr)}({kind} {fd}, bad vector)", nr, fd, end, 1, 0, 0, 0);
    }

    // Reading so much from good memory would run over its end into other mappings.
    private static bool IsHuge(long count, long distance) => distance == 0 && count > 1 << 17;

    private static string Name(int nr) => nr switch
    {
        __NR_read => "read",
        __NR_write => "write",
        __NR_pread64 => "pread64",
        __NR_pwrite64 => "pwrite64",
        __NR_readv => "readv",
        __NR_writev => "writev",
        __NR_preadv => "preadv",
        __NR_pwritev => "pwritev",
        __NR_preadv2 => "preadv2",
        _ => "pwritev2",
    };
}
