using System.Runtime.InteropServices;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// A thread that makes raw system calls on the host's kernel, in a network namespace and with a descriptor table of its
/// own: its first socket is descriptor 0, and nothing that it does is seen outside. Both go with the thread.
/// </summary>
internal sealed unsafe partial class HostThread : IDisposable
{
    private const int CLONE_FILES = 0x400;
    private const int CLONE_NEWNET = 0x40000000;

    private readonly SemaphoreSlim request = new(0);
    private readonly SemaphoreSlim response = new(0);
    private readonly Thread thread;
    private readonly nint[] arguments = new nint[6];
    private int number;
    private long result;
    private bool ending;
    private string? failure;

    private HostThread()
    {
        thread = new Thread(Serve) { IsBackground = true, Name = "host kernel" };
        thread.Start();
        response.Wait();
    }

    /// <summary>Starts a thread, or skips the test where the host does not let it have a namespace.</summary>
    public static HostThread CreateOrSkip()
    {
        HostThread host = new();
        if (host.failure == null)
            return host;
        host.Dispose();
        Assert.Skip(host.failure);
        return null!;
    }

    /// <summary>Makes a system call on the thread.</summary>
    /// <returns>The result, or a negative errno.</returns>
    public long Call(int nr, ReadOnlySpan<ulong> given)
    {
        number = nr;
        for (int i = 0; i < 6; i++)
            arguments[i] = i < given.Length ? (nint)given[i] : 0;
        request.Release();
        response.Wait();
        return result;
    }

    public long Call(int nr, params ulong[] given) => Call(nr, given.AsSpan());

    public void Dispose()
    {
        ending = true;
        request.Release();
        thread.Join();
        request.Dispose();
        response.Dispose();
    }

    // Between its first and its last line this thread starts nothing, loads nothing and logs nothing: whatever the runtime
    // began on it would live in the private table of descriptors.
    private void Serve()
    {
        failure = Separate();
        response.Release();
        while (true)
        {
            request.Wait();
            if (ending)
                return;
            result = Invoke(number, arguments);
            response.Release();
        }
    }

    private static string? Separate()
    {
        Invoke(__NR_getpid, new nint[6]);
        if (Invoke(__NR_unshare, [CLONE_FILES | CLONE_NEWNET, 0, 0, 0, 0, 0]) < 0)
            return "the host lets nobody make network namespaces; this needs root";
        Invoke(__NR_close_range, [0, unchecked((nint)uint.MaxValue), 0, 0, 0, 0]);
        return BringUpLoopback() ? null : "the loopback device of the new namespace cannot be brought up";
    }

    private static bool BringUpLoopback()
    {
        const int SIOCSIFFLAGS = 0x8914;
        const short IFF_UP_RUNNING = 0x41;
        byte* ifreq = stackalloc byte[40];
        new Span<byte>(ifreq, 40).Clear();
        ifreq[0] = (byte)'l';
        ifreq[1] = (byte)'o';
        *(short*)(ifreq + 16) = IFF_UP_RUNNING;
        long fd = Invoke(__NR_socket, [AF_INET, SOCK_DGRAM, 0, 0, 0, 0]);
        long err = Invoke(__NR_ioctl, [(nint)fd, SIOCSIFFLAGS, (nint)ifreq, 0, 0, 0]);
        Invoke(__NR_close, [(nint)fd, 0, 0, 0, 0, 0]);
        return err == 0;
    }

    private static long Invoke(int nr, nint[] a)
    {
        nint ret = Syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        return ret == -1 ? -Marshal.GetLastPInvokeError() : ret;
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);
}
