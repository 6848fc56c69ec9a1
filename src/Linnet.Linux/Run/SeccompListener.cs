using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>The supervisor's end of a filter: where stopped calls are taken from and answered (<c>seccomp_unotify(2)</c>).</summary>
/// <remarks>
/// Calls that wait are answered by threads that do not know whether the program has ended. So the descriptor is closed only once
/// no request is under way on it, and none is made afterwards: its number may be another program's listener by then.
/// </remarks>
internal sealed unsafe class SeccompListener : IDisposable
{
    private const nuint NotifRecv = 0xC0502100;
    private const nuint NotifSend = 0xC0182101;
    private const nuint NotifIdValid = 0x40082102;
    private const nuint NotifAddfd = 0x40182103;
    private const nuint NotifSetFlags = 0x40082104;
    private const nuint SyncWakeUp = 1;

    private const uint FlagContinue = 1;
    private const uint AddfdFlagSetfd = 1;
    private const uint AddfdFlagSend = 2;

    // Hosts before 6.11 let the request wait on when no task is left that could make a call.
    private static readonly bool HangUpEndsWait = Environment.OSVersion.Version >= new Version(6, 11);

    private readonly int fd;
    private readonly SafeFileHandle handle;

    /// <summary>Takes over the descriptor of a listener.</summary>
    public SeccompListener(int fd)
    {
        this.fd = fd;
        handle = new SafeFileHandle(fd, ownsHandle: true);

        // Caller and supervisor take turns on one CPU: half the time of a call. Hosts before 6.6 lack it.
        _ = Control(NotifSetFlags, (void*)SyncWakeUp);
    }

    /// <summary>Waits for the next stopped call. Only one thread may.</summary>
    /// <returns>Whether there is one; false when no task is left that could make one.</returns>
    public bool Receive(out SeccompCall call)
    {
        while (true)
        {
            // The host refuses room that is not empty.
            call = default;
            fixed (SeccompCall* room = &call)
            {
                if ((HangUpEndsWait || !HasHungUp(Timeout.Infinite)) && Control(NotifRecv, room) == 0)
                    return true;
            }

            // A signal came, or the caller was killed before its call could be taken.
            if (HasHungUp(0))
                return false;
        }
    }

    /// <summary>Answers a call with a result or a negative errno.</summary>
    /// <returns>Whether the caller still waited for it.</returns>
    public bool Respond(ulong id, long result)
    {
        Response response = new()
        {
            Id = id,
            Value = result < 0 ? 0 : result,
            Error = result < 0 ? (int)result : 0,
        };
        return Request(NotifSend, &response);
    }

    /// <summary>Lets the host's kernel make the call itself.</summary>
    public void Continue(ulong id)
    {
        Response response = new() { Id = id, Flags = FlagContinue };
        Request(NotifSend, &response);
    }

    /// <summary>Whether the caller still waits; what is written to its memory before this is known may hit another program.</summary>
    public bool IsValid(ulong id) => Request(NotifIdValid, &id);

    /// <summary>Gives the caller a copy of a descriptor, whose number is the result of its call.</summary>
    /// <returns>The number, or a negative errno: -ENOENT when the caller is gone, -EMFILE when it has too many.</returns>
    public int RespondWithDescriptor(ulong id, int descriptor, bool closeOnExec)
    {
        AddDescriptor request = new()
        {
            Id = id,
            Flags = AddfdFlagSend,
            Source = descriptor,
            NewFlags = closeOnExec ? O_CLOEXEC : 0,
        };

        // A signal in the middle would have the call return 0, without a descriptor.
        byte* all = stackalloc byte[SigsetSize];
        byte* before = stackalloc byte[SigsetSize];
        _ = Sigfillset(all);
        _ = PthreadSigmask(SIG_BLOCK, all, before);
        int result = Control(NotifAddfd, &request);
        int error = Marshal.GetLastPInvokeError();
        _ = PthreadSigmask(SIG_SETMASK, before, null);

        // A signal that comes between the request and its caller's answer is told by another error.
        return result >= 0 ? result : error == ESRCH ? -ENOENT : -error;
    }

    /// <summary>Puts a copy of a descriptor where the caller has another; its call goes on waiting.</summary>
    /// <returns>The number, or a negative errno.</returns>
    public int Replace(ulong id, int descriptor, int number, bool closeOnExec)
    {
        AddDescriptor request = new()
        {
            Id = id,
            Flags = AddfdFlagSetfd,
            Source = descriptor,
            NewFd = (uint)number,
            NewFlags = closeOnExec ? O_CLOEXEC : 0,
        };
        int result = Control(NotifAddfd, &request);
        return result >= 0 ? result : -Marshal.GetLastPInvokeError();
    }

    /// <summary>Closes the listener: calls that are stopped, and all later ones, fail with ENOSYS.</summary>
    public void Dispose() => handle.Dispose();

    private bool HasHungUp(int timeout)
    {
        // A signal in a busy moment is told as an error: that is no end.
        PollFd poll = new() { Fd = fd, Events = POLLIN };
        return Poll(&poll, 1, timeout) > 0 && (poll.Revents & POLLHUP) != 0;
    }

    // A signal for this process leaves the request undone, as long as it waits for the listener's lock.
    private bool Request(nuint request, void* argument)
    {
        while (Control(request, argument) < 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
                return false;
        }

        return true;
    }

    private int Control(nuint request, void* argument)
    {
        try
        {
            return Ioctl(handle, request, argument);
        }
        catch (ObjectDisposedException)
        {
            Marshal.SetLastPInvokeError(ENOENT);
            return -1;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Response
    {
        public ulong Id;
        public long Value;
        public int Error;
        public uint Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct AddDescriptor
    {
        public ulong Id;
        public uint Flags;
        public int Source;
        public uint NewFd;
        public int NewFlags;
    }
}

/// <summary>A stopped call (<c>struct seccomp_notif</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SeccompCall
{
    public ulong Id;

    /// <summary>The calling thread.</summary>
    public int Tid;

    public uint Flags;
    public int Nr;
    public uint Arch;
    public ulong InstructionPointer;
    public fixed ulong Arguments[6];
}
