using CsCheck;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// Random programs of calls on a few sockets, pipes and epolls, against the host's kernel. A failure prints the seed and
/// the shortest program that it could be cut down to.
/// </summary>
public class RandomProgramTests
{
    private const uint Loopback = 0x7f000001;

    // A step is a call and the choices of its arguments.
    private static readonly Gen<(int Kind, int First, int Second, int Third)> Step =
        Gen.Select(Gen.Int[0, 29], Gen.Int[0, 5], Gen.Int[0, 7], Gen.Int[0, 15]);

    [Fact]
    public void Programs_do_what_they_do_on_the_host()
    {
        using (HostThread.CreateOrSkip())
        {
        }

        Gen.Select(Gen.Int[0, 3], Step.Array[1, 40]).Sample(Run, iter: 300, threads: 1, print: Print);
    }

    private static bool Run((int Start, (int Kind, int First, int Second, int Third)[] Steps) program)
    {
        using Twin twin = new();
        twin.IsExpected = Exceptions.IsExpectedRandom;
        twin.Begin("random");
        Begin(twin, program.Start);
        foreach ((int kind, int first, int second, int third) in program.Steps)
            Do(twin, kind, first, second, third);
        if (twin.Differences.Count == 0)
            return true;
        last = twin.Differences[0];
        return false;
    }

    private static string last = "";

    private static string Print((int Start, (int Kind, int First, int Second, int Third)[] Steps) program) =>
        $"{last}\n{program.Start} [{string.Join(", ", program.Steps)}]";

    // Most programs begin with something to talk over, at descriptors 0 to 2.
    private static void Begin(Twin twin, int start)
    {
        switch (start)
        {
            case 1:
                Do(twin, 0, 0, 0, 0);
                Do(twin, 4, 0, 0, 0);
                Do(twin, 6, 0, 5, 0);
                Do(twin, 0, 0, 0, 0);
                Do(twin, 8, 1, 0, 0);
                Do(twin, 11, 0, 0, 0);
                break;
            case 2:
                Do(twin, 2, 0, 0, 0);
                Do(twin, 4, 0, 0, 0);
                Do(twin, 2, 0, 0, 0);
                Do(twin, 8, 1, 0, 0);
                break;
            case 3:
                Do(twin, 3, 0, 0, 0);
                Do(twin, 0, 0, 0, 0);
                break;
        }
    }

    // Descriptors are small numbers, so that programs hit what they made, and now and then what is not there.
    private static void Do(Twin twin, int kind, int fd, int second, int third)
    {
        long at = (long)twin.Place(1);
        switch (kind)
        {
            case 0 or 1:
                Stream(twin);
                break;
            case 2:
                twin.Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK);
                break;
            case 3:
                twin.Run("pipe2(O_NONBLOCK)", __NR_pipe2, at, O_NONBLOCK);
                break;
            case 4 or 5:
                twin.Run($"bind({fd}, {Port(second)})", __NR_bind, fd, Address(twin, second), 16);
                break;
            case 6 or 7:
                twin.Run($"listen({fd}, {second})", __NR_listen, fd, second);
                break;
            case 8 or 9 or 10:
                twin.Run($"connect({fd}, {Port(second)})", __NR_connect, fd, Address(twin, second), 16);
                break;
            case 11 or 12 or 13:
                twin.Memory.Write(twin.Place(2), 16);
                twin.Run($"accept4({fd})", __NR_accept4, fd, at, (long)twin.Place(2), SOCK_NONBLOCK);
                break;
            case 14:
                twin.Run($"shutdown({fd}, {second % 3})", __NR_shutdown, fd, second % 3);
                break;
            case 15:
                twin.Close(fd);
                break;
            case 16 or 17 or 18:
                Send(twin, fd, second, third);
                break;
            case 19 or 20 or 21:
                int[] flags = [0, 0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE, 0];
                twin.Memory.Write(twin.Place(2), 16);
                twin.Run($"recvfrom({fd}, {third * 1000}, {flags[second]:x})", __NR_recvfrom, fd, (long)twin.Place(3), third * 1000, flags[second], at, (long)twin.Place(2));
                break;
            case 22:
                Poll(twin, fd);
                break;
            case 23:
                SetOption(twin, fd, second, third);
                break;
            case 24:
                GetOption(twin, fd, second);
                break;
            case 25:
                twin.Memory.Write(twin.Place(2), 16);
                twin.Run($"getsockname({fd})", second % 2 == 0 ? __NR_getsockname : __NR_getpeername, fd, at, (long)twin.Place(2));
                break;
            case 26:
                twin.Run($"dup2({fd}, {second})", __NR_dup2, fd, second);
                break;
            case 27:
                twin.Run($"ioctl({fd}, FIONREAD)", __NR_ioctl, fd, FIONREAD, at);
                break;
            case 28:
                twin.Run($"splice({fd}, {second})", __NR_splice, fd, 0, second, 0, third * 500, SPLICE_F_NONBLOCK);
                break;
            default:
                twin.Run($"connect({fd}, AF_UNSPEC)", __NR_connect, fd, (long)twin.Address(twin.Place(1), 0, 0, 0), 16);
                break;
        }
    }

    // What Nagle's algorithm holds back depends on when acknowledgements come, and time stands still in Linnet.
    private static void Stream(Twin twin)
    {
        int fd = twin.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
        twin.Memory.Write(twin.Place(1), 1);
        twin.Run($"setsockopt({fd}, TCP_NODELAY)", __NR_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, (long)twin.Place(1), 4);
    }

    private static void Send(Twin twin, int fd, int second, int third)
    {
        int length = third * 700;
        for (int i = 0; i < length; i += 8)
            twin.Memory.Write(twin.Place(3) + (ulong)i, (ulong)i * 0x9e3779b97f4a7c15);
        if (second == 7)
            twin.Run($"sendto({fd}, {length}, {Port(third)})", __NR_sendto, fd, (long)twin.Place(3), length, MSG_NOSIGNAL, Address(twin, third), 16);
        else
            twin.Run($"sendto({fd}, {length})", __NR_sendto, fd, (long)twin.Place(3), length, MSG_NOSIGNAL | (second == 6 ? MSG_MORE : second == 5 ? MSG_OOB : 0), 0, 0);
    }

    private static void Poll(Twin twin, int fd)
    {
        twin.Memory.Write(twin.Place(1), new Pollfd { Fd = fd, Events = 0x20ff });
        twin.Run($"poll({fd})", __NR_poll, (long)twin.Place(1), 1, 0);
    }

    private static readonly (int Level, int Name)[] Options =
    [
        (SOL_SOCKET, SO_REUSEADDR), (SOL_SOCKET, SO_REUSEPORT), (SOL_SOCKET, SO_KEEPALIVE), (SOL_SOCKET, SO_OOBINLINE),
        (SOL_SOCKET, SO_PRIORITY), (SOL_SOCKET, SO_BROADCAST), (SOL_SOCKET, SO_ERROR), (SOL_SOCKET, SO_ACCEPTCONN),
    ];

    private static void SetOption(Twin twin, int fd, int option, int value)
    {
        (int level, int name) = Options[option];
        twin.Memory.Write(twin.Place(1), value & 1);
        twin.Run($"setsockopt({fd}, {level}, {name}, {value & 1})", __NR_setsockopt, fd, level, name, (long)twin.Place(1), 4);
    }

    private static void GetOption(Twin twin, int fd, int option)
    {
        (int level, int name) = Options[option];
        twin.Memory.Write(twin.Place(2), 4);
        twin.Run($"getsockopt({fd}, {level}, {name})", __NR_getsockopt, fd, level, name, (long)twin.Place(1), (long)twin.Place(2));
    }

    private static ushort Port(int choice) => (ushort)(choice % 4 == 3 ? 0 : 6000 + choice % 4);

    private static long Address(Twin twin, int choice) =>
        (long)twin.Address(twin.Place(1), (choice & 4) != 0 ? 0 : Loopback, Port(choice));
}
