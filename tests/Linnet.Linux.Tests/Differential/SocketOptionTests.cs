namespace Linnet.Linux.Tests.Differential;

/// <summary>Every option of every level, read and written with short, exact and long buffers, against the host's kernel.</summary>
public class SocketOptionTests
{
    private static readonly int[] Levels = [SOL_SOCKET, IPPROTO_IP, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW, 41, 270, -1];
    private static readonly int[] Values = [0, 1, 2, -1, 5, 255, 256, 65535, 1 << 20, int.MaxValue, int.MinValue];
    private static readonly int[] SetLengths = [4, 0, 1, 2, 3, 8, 12, 16, 40, 64, 136, -1];
    private static readonly int[] GetLengths = [0, 1, 2, 3, 4, 8, 12, 16, 64, 300, -1];
    private const int LastOption = 90;

    public static TheoryData<string> Kinds => ["tcp", "udp", "ping", "raw", "raw-hdrincl"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_option_reads_as_on_the_host(string kind)
    {
        using Twin twin = new() { IsExpected = Exceptions.IsExpectedOption };
        int fd = Make(twin, kind);
        foreach (int level in Levels)
        {
            for (int name = -1; name <= LastOption; name++)
            {
                twin.Begin(kind);
                foreach (int length in GetLengths)
                    Get(twin, fd, level, name, length);
                twin.Run($"getsockopt({level}, {name}, no value)", __NR_getsockopt, fd, level, name, (long)twin.Memory.End, (long)Length(twin, 4));
                twin.Run($"getsockopt({level}, {name}, no length)", __NR_getsockopt, fd, level, name, (long)twin.Place(1), (long)twin.Memory.End);
            }
        }

        twin.AssertSame();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_option_is_set_as_on_the_host(string kind)
    {
        using Twin twin = new() { IsExpected = Exceptions.IsExpectedOption };
        foreach (int level in Levels)
        {
            for (int name = -1; name <= LastOption; name++)
            {
                // One socket an option: what one has set must not change what the next finds.
                twin.Begin(kind);
                int fd = Make(twin, kind);
                foreach (int value in Values)
                {
                    foreach (int length in SetLengths)
                        SetAndGet(twin, fd, level, name, value, length);
                }

                twin.Run($"setsockopt({level}, {name}, bad, 4)", __NR_setsockopt, fd, level, name, (long)twin.Memory.End, 4);
                twin.Run($"setsockopt({level}, {name}, null, 0)", __NR_setsockopt, fd, level, name, 0, 0);
                twin.Run($"setsockopt({level}, {name}, null, 4)", __NR_setsockopt, fd, level, name, 0, 4);
                twin.CloseAll();
            }
        }

        twin.AssertSame();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_ordinary_user_is_refused_as_on_the_host(string kind)
    {
        using Twin twin = new() { IsExpected = Exceptions.IsExpectedOption };
        int fd = Make(twin, kind);
        twin.BecomeUser(1000);
        foreach (int level in new[] { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_UDP })
        {
            for (int name = 0; name <= LastOption; name++)
            {
                twin.Begin(kind);
                foreach (int value in new[] { 1, 0, 7, 100_000_000 })
                    SetAndGet(twin, fd, level, name, value, 4);
            }
        }

        twin.AssertSame();
    }

    internal static int Make(Twin twin, string kind) => kind switch
    {
        "tcp" => twin.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK),
        "udp" => twin.Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK),
        "ping" => twin.Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP),
        "raw" => twin.Socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP),
        _ => twin.Socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW),
    };

    private static void SetAndGet(Twin twin, int fd, int level, int name, int value, int length)
    {
        Span<byte> buffer = stackalloc byte[160];
        for (int i = 0; i < buffer.Length; i += 4)
            System.Runtime.InteropServices.MemoryMarshal.Write(buffer[i..], i == 0 ? value : 0);
        twin.Memory.Write(twin.Place(1), buffer);
        long set = twin.Run($"setsockopt({level}, {name}, {value}, {length})", __NR_setsockopt, fd, level, name, (long)twin.Place(1), length);
        if (set >= 0)
            Get(twin, fd, level, name, 4);
    }

    private static void Get(Twin twin, int fd, int level, int name, int length)
    {
        twin.Memory.Write(twin.Place(1), new byte[320]);
        twin.Run($"getsockopt({level}, {name}, {length})", __NR_getsockopt, fd, level, name, (long)twin.Place(1), (long)Length(twin, length));
    }

    private static ulong Length(Twin twin, int length)
    {
        twin.Memory.Write(twin.Place(2), length);
        return twin.Place(2);
    }
}
