using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// A process of the host's, by a descriptor that cannot come to mean another one. It is closed when nobody uses it any more:
/// the process may be seen to end while a call of its own is being made.
/// </summary>
internal sealed unsafe class PidFd : SafeHandle
{
    private PidFd(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>The descriptor's number, for who knows that it is open.</summary>
    public int Number => (int)handle;

    /// <summary>Opens the descriptor of a process.</summary>
    /// <returns>Null when it is gone.</returns>
    public static PidFd? Open(int pid) => pid > 0 ? Of(PidfdOpen(pid)) : null;

    /// <summary>Opens the descriptor of a thread, which tells of that thread alone.</summary>
    /// <returns>Null when it is gone, or the host is older than Linux 6.9.</returns>
    public static PidFd? OpenThread(int tid) => Of(PidfdOpenThread(tid));

    /// <summary>Whether the process has ended, with all of its threads.</summary>
    public bool HasEnded
    {
        get
        {
            if (!Hold())
                return true;
            PollFd poll = new() { Fd = Number, Events = POLLIN };
            bool hasEnded = Poll(&poll, 1, 0) > 0;
            DangerousRelease();
            return hasEnded;
        }
    }

    /// <summary>Takes a descriptor of the process.</summary>
    /// <returns>A descriptor of this process's for the same open file, or a negative errno; -ESRCH when the process is gone.</returns>
    public int Take(int fd)
    {
        if (!Hold())
            return -ESRCH;
        try
        {
            int taken = PidfdGetfd(Number, fd);
            return taken >= 0 ? taken : -Marshal.GetLastPInvokeError();
        }
        finally
        {
            DangerousRelease();
        }
    }

    /// <summary>Sends a signal to the process, if it is there.</summary>
    public void Signal(int signal)
    {
        if (!Hold())
            return;
        _ = PidfdSendSignal(Number, signal);
        DangerousRelease();
    }

    private static PidFd? Of(int fd) => fd >= 0 ? new PidFd(fd) : null;

    /// <inheritdoc/>
    protected override bool ReleaseHandle() => Native.Close((int)handle) == 0;

    private bool Hold()
    {
        bool held = false;
        try
        {
            DangerousAddRef(ref held);
        }
        catch (ObjectDisposedException)
        {
            // The process ended.
        }

        return held;
    }
}
