using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// A process of the host's, by a descriptor that cannot come to mean another one. It is closed when nobody uses it any more:
/// the process may be seen to end while a call of its own is being made.
/// </summary>
internal sealed class PidFd : SafeHandle
{
    private PidFd(int fd)
        : base(-1, ownsHandle: true) => SetHandle(fd);

    /// <inheritdoc/>
    public override bool IsInvalid => handle < 0;

    /// <summary>The descriptor's number, for who knows that it is open.</summary>
    public int Number => (int)handle;

    /// <summary>Opens the descriptor of a process.</summary>
    /// <returns>Null when it is gone.</returns>
    public static PidFd? Open(int pid) => pid > 0 && PidfdOpen(pid) is var fd and >= 0 ? new PidFd(fd) : null;

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
