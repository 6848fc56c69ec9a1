using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>
/// Instances that watch instances: a wake-up has to travel through all of them, so they must neither form a loop, nor a
/// chain that is too long, nor too many ways from one file to the outside.
/// </content>
public sealed partial class Eventpoll
{
    // EP_MAX_NESTS
    private const int MaxNests = 4;

    // How many ways of so many instances may lead from one file to the outside.
    private static readonly int[] PathLimits = [1000, 500, 100, 50, 10];

    // The result for this instance in the running check; both are guarded by the machine's nesting lock.
    private ulong gen;
    private int loopCheckDepth;

    /// <summary>Whether this instance may watch <paramref name="to"/>.</summary>
    [Linux("ep_loop_check")]
    private int LoopCheck(Eventpoll to)
    {
        ulong now = ++EpollLimits.Of(machine).LoopCheckGen;
        int depth = to.LoopCheckProc(this, 0, now);
        if (depth > MaxNests)
            return -1;
        return depth + 1 + GetUpwardsDepthProc(0) > MaxNests ? -1 : 0;
    }

    // How many instances are below this one; more than allowed if the one that is to watch it is among them.
    [Linux("ep_loop_check_proc")]
    private int LoopCheckProc(Eventpoll inserting, int depth, ulong now)
    {
        if (gen == now)
            return loopCheckDepth;
        int result = 0;
        lock (mtx)
        {
            gen = now;
            foreach (Epitem item in items.Values)
            {
                if (Of(item.File) is not { } below)
                    continue;
                result = below == inserting || depth > MaxNests
                    ? MaxNests + 1
                    : Math.Max(result, below.LoopCheckProc(inserting, depth + 1, now) + 1);
                if (result > MaxNests)
                    break;
            }

            loopCheckDepth = result;
        }

        return result;
    }

    // How many instances are above this one.
    [Linux("ep_get_upwards_depth_proc")]
    private int GetUpwardsDepthProc(int depth)
    {
        int result = 0;
        if (depth > MaxNests)
            return MaxNests + 1;
        for (Epitem? item = File.FEp; item != null; item = item.FileNext)
            result = Math.Max(result, item.Ep.GetUpwardsDepthProc(depth + 1) + 1);
        return result;
    }

    // After an insertion: each file that it connects, directly or through instances, must still be within the limits.
    [Linux("reverse_path_check")]
    private static int ReversePathCheck(File target)
    {
        Span<int> counts = stackalloc int[MaxNests + 1];
        return CheckBelow(target, counts, 0);
    }

    private static int CheckBelow(File file, Span<int> counts, int depth)
    {
        if (Of(file) is not { } inner)
        {
            counts.Clear();
            return ReversePathCheckProc(file.FEp, counts, 0);
        }

        if (depth > MaxNests)
            return -1;
        lock (inner.mtx)
        {
            foreach (Epitem item in inner.items.Values)
            {
                if (CheckBelow(item.File, counts, depth + 1) != 0)
                    return -1;
            }
        }

        return 0;
    }

    [Linux("reverse_path_check_proc")]
    private static int ReversePathCheckProc(Epitem? watchers, Span<int> counts, int depth)
    {
        if (depth > MaxNests)
            return -1;
        for (Epitem? item = watchers; item != null; item = item.FileNext)
        {
            Epitem? above = item.Ep.File.FEp;
            int error = above != null ? ReversePathCheckProc(above, counts, depth + 1) : PathCountInc(counts, depth);
            if (error != 0)
                return error;
        }

        return 0;
    }

    // Any number of instances may watch a file directly.
    [Linux("path_count_inc")]
    private static int PathCountInc(Span<int> counts, int nests) =>
        nests > 0 && ++counts[nests] > PathLimits[nests] ? -1 : 0;
}

/// <summary>The limits of epoll on a machine, and the lock that is held while instances are nested (<c>epnested_mutex</c>).</summary>
public sealed class EpollLimits
{
    private static readonly StateSlot<EpollLimits> Slot = new();

    // A twenty-fifth of 64 GiB, at 160 bytes a watch.
    private const long DefaultMaxUserWatches = 17_179_869;

    private EpollLimits()
    {
    }

    /// <summary>How many files the instances of one user may watch (<c>fs.epoll.max_user_watches</c>).</summary>
    public long MaxUserWatches { get; set; } = DefaultMaxUserWatches;

    internal ulong LoopCheckGen { get; set; }

    /// <summary>The limits of a machine.</summary>
    public static EpollLimits Of(Machine machine) => Slot.OfOrNew(machine.Slots, 0, static _ => new EpollLimits());
}
