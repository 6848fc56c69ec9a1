using System.Buffers;
using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>The system calls: user memory in, user memory out.</content>
public static partial class PollSelect
{
    private const int StackWords = 6 * 16;

    /// <summary><c>poll(fds, nfds, timeout_msecs)</c></summary>
    [Linux("__x64_sys_poll")]
    public static long Poll(Sockptr ufds, uint nfds, int timeoutMsecs) =>
        PollUser(ufds, nfds, Deadline.AfterMsec(TaskStruct.Current.Machine, timeoutMsecs));

    /// <summary><c>ppoll(fds, nfds, timespec, sigmask, sigsetsize)</c>; the time that is left is written back.</summary>
    [Linux("__x64_sys_ppoll")]
    public static long Ppoll(Sockptr ufds, uint nfds, Sockptr tsp, Sockptr sigmask, ulong sigsetsize)
    {
        Machine machine = TaskStruct.Current.Machine;
        int err = ReadTimeout(machine, tsp, out long deadline);
        if (err < 0)
            return err;
        err = Signal.SetUserSigmask(sigmask, sigsetsize);
        if (err < 0)
            return err;
        long ret = PollUser(ufds, nfds, deadline);
        return PollSelectFinish(machine, deadline, tsp, isTimeval: false, ret);
    }

    /// <summary><c>select(n, in, out, ex, timeval)</c>; the time that is left is written back.</summary>
    [Linux("__x64_sys_select")]
    public static long Select(int n, Sockptr inp, Sockptr outp, Sockptr exp, Sockptr tvp)
    {
        Machine machine = TaskStruct.Current.Machine;
        long deadline = Deadline.Never;
        if (!tvp.IsNull)
        {
            if (tvp.Get(out Timeval tv) < 0)
                return -EFAULT;
            Timespec ts = new()
            {
                TvSec = tv.TvSec + tv.TvUsec / 1_000_000,
                TvNsec = tv.TvUsec % 1_000_000 * Clock.NsecPerUsec,
            };
            if (!Deadline.IsValid(ts))
                return -EINVAL;
            deadline = Deadline.After(machine, ts);
        }

        long ret = CoreSysSelect(n, inp, outp, exp, deadline);
        return PollSelectFinish(machine, deadline, tvp, isTimeval: true, ret);
    }

    /// <summary><c>pselect6(n, in, out, ex, timespec, {sigmask, size})</c></summary>
    [Linux("__x64_sys_pselect6")]
    public static long Pselect6(int n, Sockptr inp, Sockptr outp, Sockptr exp, Sockptr tsp, Sockptr sig)
    {
        Machine machine = TaskStruct.Current.Machine;
        ulong mask = 0, size = 0;
        if (!sig.IsNull && (sig.Get(out mask) < 0 || sig.Add(sizeof(ulong)).Get(out size) < 0))
            return -EFAULT;
        int err = ReadTimeout(machine, tsp, out long deadline);
        if (err < 0)
            return err;
        err = Signal.SetUserSigmask(new Sockptr(sig.Mm, mask), size);
        if (err < 0)
            return err;
        long ret = CoreSysSelect(n, inp, outp, exp, deadline);
        return PollSelectFinish(machine, deadline, tsp, isTimeval: false, ret);
    }

    private static long PollUser(Sockptr ufds, uint nfds, long deadline)
    {
        TaskStruct task = TaskStruct.Current;
        if (nfds > (ulong)task.Rlimits.Nofile)
            return -EINVAL;
        FsThread thread = FsThread.Rent(task.Machine);
        if (thread.Pollfds.Length < nfds)
            thread.Pollfds = new Pollfd[nfds];
        int ret = PollUser(ufds, thread.Pollfds.AsSpan(0, (int)nfds), deadline);
        thread.Return();
        return ret;
    }

    private static int PollUser(Sockptr ufds, Span<Pollfd> fds, long deadline)
    {
        if (ufds.CopyFrom(MemoryMarshal.AsBytes(fds)) < 0)
            return -EFAULT;
        int ret = DoSysPoll(fds, deadline);

        // Only the results are written: another thread may change what is wanted meanwhile.
        for (int i = 0; i < fds.Length; i++)
        {
            if (ufds.Add(8 * i + 6).Put(fds[i].Revents) < 0)
                return -EFAULT;
        }

        return ret;
    }

    [Linux("core_sys_select")]
    private static long CoreSysSelect(int n, Sockptr inp, Sockptr outp, Sockptr exp, long deadline)
    {
        if (n < 0)
            return -EINVAL;
        n = Math.Min(n, TaskStruct.Current.Files.MaxFds);
        int words = (n + 63) / 64;
        ulong[]? rented = 6 * words > StackWords ? ArrayPool<ulong>.Shared.Rent(6 * words) : null;
        Span<ulong> sets = rented != null ? rented.AsSpan(0, 6 * words) : stackalloc ulong[6 * words];
        sets.Clear();
        long ret = SelectUser(n, words, inp, outp, exp, sets, deadline);
        if (rented != null)
            ArrayPool<ulong>.Shared.Return(rented);
        return ret;
    }

    private static long SelectUser(
        int n, int words, Sockptr inp, Sockptr outp, Sockptr exp, Span<ulong> sets, long deadline)
    {
        if (GetFdSet(inp, sets[..words]) < 0 || GetFdSet(outp, sets.Slice(words, words)) < 0
            || GetFdSet(exp, sets.Slice(2 * words, words)) < 0)
        {
            return -EFAULT;
        }

        int ret = DoSelect(n, sets, deadline);
        if (ret < 0)
            return ret;
        if (SetFdSet(inp, sets.Slice(3 * words, words)) < 0 || SetFdSet(outp, sets.Slice(4 * words, words)) < 0
            || SetFdSet(exp, sets.Slice(5 * words, words)) < 0)
        {
            return -EFAULT;
        }

        return ret;
    }

    private static int GetFdSet(Sockptr from, Span<ulong> set) => from.IsNull ? 0 : from.CopyFrom(MemoryMarshal.AsBytes(set));

    private static int SetFdSet(Sockptr to, ReadOnlySpan<ulong> set) => to.IsNull ? 0 : to.CopyTo(MemoryMarshal.AsBytes(set));

    // poll_select_set_timeout for a timespec in user memory; no timespec means for ever.
    private static int ReadTimeout(Machine machine, Sockptr tsp, out long deadline)
    {
        deadline = Deadline.Never;
        if (tsp.IsNull)
            return 0;
        if (tsp.Get(out Timespec ts) < 0)
            return -EFAULT;
        if (!Deadline.IsValid(ts))
            return -EINVAL;
        deadline = Deadline.After(machine, ts);
        return 0;
    }

    // The caller's time is not const: what is left of it is written back, and a failure to do so is nobody's error.
    [Linux("poll_select_finish")]
    private static long PollSelectFinish(Machine machine, long deadline, Sockptr time, bool isTimeval, long ret)
    {
        Signal.RestoreSavedSigmaskUnless(ret == -EINTR);
        if (time.IsNull)
            return ret;
        Timespec left = Deadline.Remaining(machine, deadline);
        if (isTimeval)
            left.TvNsec /= Clock.NsecPerUsec;
        time.Put(left);
        return ret;
    }
}
