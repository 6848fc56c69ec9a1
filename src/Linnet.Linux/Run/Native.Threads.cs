namespace Linnet.Linux;

/// <summary>The host's calls that are about single threads.</summary>
internal static unsafe partial class Native
{
    // PIDFD_THREAD of the host's linux/pidfd.h.
    private const int PidfdThread = O_EXCL;

    public static int PidfdOpenThread(int tid) => (int)Syscall(NrPidfdOpen, tid, PidfdThread, 0, 0, 0, 0);
}
