using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using static Linnet.Kernel.Uapi.InH;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Bench.Programs;

/// <summary>The program that makes calls which a supervisor has to answer, and says how long each took.</summary>
internal static unsafe partial class Caller
{
    private const int TcpNodelay = 1;
    private const int AddressSize = 16;
    private const int Batch = 100;

    private static readonly TimeSpan Warmup = TimeSpan.FromSeconds(0.7);

    /// <summary>Makes each kind of call so often, and prints a line for each: its name and microseconds.</summary>
    public static int Run(int count, bool onlyOne)
    {
        int socket = Socket(AF_INET, SOCK_STREAM, 0);
        if (socket < 0)
            return Fail("socket");
        byte* address = stackalloc byte[AddressSize];
        Report("getsockname", count, () => AskName(socket));
        if (onlyOne)
            return 0;
        Report("getsockopt SO_TYPE", count, () => AskOption(socket, SO_TYPE));
        Report("setsockopt TCP_NODELAY", count, () =>
        {
            int on = 1;
            return Setsockopt(socket, IPPROTO_TCP, TcpNodelay, &on, sizeof(int));
        });
        Thread other = new(() => Report("getsockname, another thread", count, () => AskName(socket)));
        other.Start();
        other.Join();
        int foreign = Socket(AF_UNIX, SOCK_STREAM, 0);
        Report("getsockname of a Unix socket", count, () => AskName(foreign));
        Report("socket + close", count / 4, () => Close(Socket(AF_INET, SOCK_STREAM, 0)));
        Exchange(count / 4);
        return 0;
    }

    // A datagram to itself, with the addresses that make both calls stop.
    private static void Exchange(int count)
    {
        int socket = Socket(AF_INET, SOCK_DGRAM, 0);
        byte[] address = new byte[AddressSize];
        fixed (byte* own = address)
        {
            (own[0], own[4], own[7]) = (AF_INET, 127, 1);
            int length = AddressSize;
            if (Bind(socket, own, AddressSize) < 0 || Getsockname(socket, own, &length) < 0)
                return;
        }

        Report("sendto + recvfrom, UDP", count, () =>
        {
            byte* data = stackalloc byte[64];
            byte* from = stackalloc byte[AddressSize];
            int length = AddressSize;
            fixed (byte* to = address)
            {
                return Sendto(socket, data, 64, 0, to, AddressSize) == 64
                    && Recvfrom(socket, data, 64, 0, from, &length) == 64 ? 0 : -1;
            }
        });
    }

    private static int AskName(int socket)
    {
        byte* address = stackalloc byte[128];
        int length = 128;
        return Getsockname(socket, address, &length);
    }

    private static int AskOption(int socket, int option)
    {
        int value, length = sizeof(int);
        return Getsockopt(socket, SOL_SOCKET, option, &value, &length);
    }

    private static void Report(string name, int count, Func<int> call)
    {
        // Until the supervisor's code has come to its last form.
        for (long begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < Warmup;)
            call();
        int failed = 0;
        double[] batches = new double[Math.Max(1, count / Batch)];
        for (int batch = 0; batch < batches.Length; batch++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Batch; i++)
                failed += call() < 0 ? 1 : 0;
            batches[batch] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Batch;
        }

        // A batch in which others had the processor says nothing of the call.
        Array.Sort(batches);
        double microseconds = batches[batches.Length / 2];
        Console.WriteLine(failed == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{name}\t{microseconds:0.000}")
            : $"{name}\tfailed {failed} times of {count}");
    }

    private static int Fail(string what)
    {
        Console.Error.WriteLine($"{what}: {Marshal.GetLastPInvokeErrorMessage()}");
        return 1;
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "bind")]
    private static partial int Bind(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    private static partial int Getsockname(int fd, byte* address, int* length);

    [LibraryImport("libc", EntryPoint = "getsockopt")]
    private static partial int Getsockopt(int fd, int level, int name, void* value, int* length);

    [LibraryImport("libc", EntryPoint = "setsockopt")]
    private static partial int Setsockopt(int fd, int level, int name, void* value, int length);

    [LibraryImport("libc", EntryPoint = "sendto")]
    private static partial nint Sendto(int fd, byte* data, nint length, int flags, byte* address, int addressLength);

    [LibraryImport("libc", EntryPoint = "recvfrom")]
    private static partial nint Recvfrom(int fd, byte* data, nint length, int flags, byte* address, int* addressLength);
}
