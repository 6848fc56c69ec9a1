using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>The resource limits of a task (<c>signal->rlim</c>); a copy for each task, as after <c>fork</c>.</summary>
public sealed class Rlimits
{
    // What the kernel gives init (INIT_RLIMITS); no limit where the table has none.
    private const ulong InitialOpenFiles = 1024;
    private const ulong MaximalOpenFiles = 4096;

    private readonly Rlimit[] limits = new Rlimit[RLIM_NLIMITS];

    internal Rlimits()
    {
        Array.Fill(limits, new Rlimit { RlimCur = RLIM_INFINITY, RlimMax = RLIM_INFINITY });
        limits[RLIMIT_NOFILE] = new Rlimit { RlimCur = InitialOpenFiles, RlimMax = MaximalOpenFiles };
        limits[RLIMIT_CORE].RlimCur = 0;
        limits[RLIMIT_STACK].RlimCur = 8 * 1024 * 1024;
        limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = default;
    }

    internal Rlimits(Rlimits copied) => copied.limits.CopyTo(limits, 0);

    /// <summary>The soft limit (<c>rlimit</c>).</summary>
    /// <param name="resource"><c>RLIMIT_*</c>.</param>
    public ulong Soft(int resource) => Volatile.Read(ref limits[resource].RlimCur);

    /// <summary>The soft limit of open descriptors, as an exclusive bound for their numbers.</summary>
    public int Nofile => (int)Math.Min(Soft(RLIMIT_NOFILE), int.MaxValue);

    /// <summary>Reads and then sets a limit (<c>do_prlimit</c>).</summary>
    /// <param name="task">Whose limits these are; it has the capability that raising a hard limit needs, or not.</param>
    /// <param name="resource"><c>RLIMIT_*</c>.</param>
    /// <param name="newLimit">The new limit, or null to only read.</param>
    /// <param name="oldLimit">The limit before.</param>
    /// <returns>0, -EINVAL, or -EPERM for raising a hard limit without CAP_SYS_RESOURCE or beyond <c>fs.nr_open</c>.</returns>
    [Linux("do_prlimit", "kernel/sys.c")]
    public int DoPrlimit(TaskStruct task, int resource, Rlimit? newLimit, out Rlimit oldLimit)
    {
        oldLimit = default;
        if ((uint)resource >= RLIM_NLIMITS)
            return -EINVAL;
        if (newLimit is { } wanted)
        {
            if (wanted.RlimCur > wanted.RlimMax)
                return -EINVAL;
            if (resource == RLIMIT_NOFILE && wanted.RlimMax > (ulong)task.Machine.FilesStat.NrOpen)
                return -EPERM;
        }

        lock (limits)
        {
            oldLimit = limits[resource];
            if (newLimit is not { } limit)
                return 0;
            if (limit.RlimMax > oldLimit.RlimMax && !task.Capable(CAP_SYS_RESOURCE))
                return -EPERM;
            limits[resource].RlimMax = limit.RlimMax;
            Volatile.Write(ref limits[resource].RlimCur, limit.RlimCur);
        }

        return 0;
    }
}
