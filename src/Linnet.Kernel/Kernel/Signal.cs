using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>Signal masks of calls that wait with one of their own.</summary>
[LinuxFile("kernel/signal.c")]
public static class Signal
{
    private const ulong Unblockable = (1UL << (SIGKILL - 1)) | (1UL << (SIGSTOP - 1));

    /// <summary>Replaces the current task's mask until <see cref="RestoreSavedSigmaskUnless"/>.</summary>
    /// <param name="umask">Where the mask is, or null to keep the present one.</param>
    /// <param name="sigsetsize">Its size, which has to be 8.</param>
    /// <returns>0, -EINVAL or -EFAULT.</returns>
    [Linux("set_user_sigmask")]
    public static int SetUserSigmask(Sockptr umask, ulong sigsetsize)
    {
        if (umask.IsNull)
            return 0;
        if (sigsetsize != sizeof(ulong))
            return -EINVAL;
        if (umask.Get(out ulong mask) < 0)
            return -EFAULT;
        TaskStruct task = TaskStruct.Current;
        task.SavedSigmask = task.BlockedSignals;
        task.BlockedSignals = mask & ~Unblockable;
        return 0;
    }

    /// <summary>Ends <see cref="SetUserSigmask"/>; after an interruption, once the signal has been taken.</summary>
    /// <param name="interrupted">Whether the call ends because of a signal.</param>
    [Linux("restore_saved_sigmask_unless")]
    public static void RestoreSavedSigmaskUnless(bool interrupted)
    {
        TaskStruct task = TaskStruct.Current;
        if (interrupted || task.SavedSigmask is not { } saved)
            return;
        task.BlockedSignals = saved;
        task.SavedSigmask = null;
    }
}
