using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Who gets the signals of a file (<c>struct fown_struct</c>).</summary>
[LinuxStruct("fown_struct")]
internal sealed class FownStruct
{
    /// <summary>The task that gets them; null for nobody.</summary>
    public TaskStruct? Owner;

    /// <summary><c>F_OWNER_TID</c>, <c>F_OWNER_PID</c>, <c>F_OWNER_PGRP</c>.</summary>
    public int PidType = F_OWNER_PID;

    /// <summary>Real user of the task that set the owner.</summary>
    public uint Uid;

    /// <summary>Effective user of the task that set the owner.</summary>
    public uint Euid;

    /// <summary>The signal instead of SIGIO; 0 for SIGIO.</summary>
    public int Signum;
}

/// <summary>The files that want a signal when something happens to one thing (a list of <c>struct fasync_struct</c>).</summary>
[LinuxStruct("fasync_struct")]
[LinuxFile("fs/fcntl.c")]
public sealed class FasyncStruct
{
    // Copied on each change, so that the walk needs no lock.
    private volatile File[] files = [];

    /// <summary>Whether anybody wants signals.</summary>
    public bool Active => files.Length != 0;

    /// <summary>Puts a file on the list or takes it off, and sets its <c>FASYNC</c> flag to that.</summary>
    /// <returns>1 when that changed anything, 0 otherwise.</returns>
    [Linux("fasync_helper")]
    public int FasyncHelper(int fd, File file, bool on)
    {
        lock (this)
        {
            bool was = Array.IndexOf(files, file) >= 0;
            if (was != on)
                files = on ? [.. files, file] : [.. files.Where(other => other != file)];
            file.SetFlag(FileTable.FASYNC, on);
            return was != on ? 1 : 0;
        }
    }

    /// <summary>Sends the signal to the owners of the files.</summary>
    /// <param name="sig"><c>SIGIO</c> or <c>SIGURG</c>.</param>
    /// <param name="band"><c>POLL_*</c>: what happened.</param>
    [Linux("kill_fasync")]
    public void KillFasync(int sig, int band)
    {
        foreach (File file in files)
        {
            // SIGURG is not for those who chose a signal of their own for SIGIO.
            if (sig != SIGURG || file.FOwner?.Signum == 0)
                SendSigio(file.FOwner, band);
        }
    }

    /// <summary>Sends SIGURG to the owner of a file (<c>sk_send_sigurg</c> and the like).</summary>
    /// <returns>Whether there is an owner.</returns>
    [Linux("send_sigurg")]
    public static bool SendSigurg(File file)
    {
        FownStruct? fown = file.FOwner;
        if (fown?.Owner is not { } task)
            return false;
        if (SigioPerm(task, fown))
            task.SendSignal(SIGURG);
        return true;
    }

    [Linux("send_sigio")]
    private static void SendSigio(FownStruct? fown, int band)
    {
        if (fown?.Owner is { } task && SigioPerm(task, fown))
            task.SendSignal(fown.Signum == 0 ? SIGIO : fown.Signum);
    }

    // Whoever asked for the signal must have been allowed to send it.
    [Linux("sigio_perm")]
    private static bool SigioPerm(TaskStruct task, FownStruct fown) =>
        fown.Euid == 0 || fown.Euid == task.Cred.Uid || fown.Uid == task.Cred.Uid;
}
