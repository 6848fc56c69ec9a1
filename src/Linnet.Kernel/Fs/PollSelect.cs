using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Waiting for descriptors to become ready: <c>poll</c> and <c>select</c>.</summary>
/// <remarks>
/// The functions come in three layers: <see cref="PollOnce"/> and <see cref="SelectOnce"/> look and register without
/// waiting, for callers who wait in their own way; <see cref="DoSysPoll"/> and <see cref="DoSelect"/> park the thread;
/// the system calls move user memory around these.
/// </remarks>
[LinuxFile("fs/select.c")]
public static partial class PollSelect
{
    private const uint PollinSet = EPOLLNVAL | EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR;
    private const uint PolloutSet = EPOLLNVAL | EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR;
    private const uint PollexSet = EPOLLNVAL | EPOLLPRI;

    /// <summary>Looks at each descriptor once, and registers with those that are not ready until one is found that is.</summary>
    /// <param name="files">The descriptors' table.</param>
    /// <param name="fds">What is wanted; <see cref="Pollfd.Revents"/> receives what is there.</param>
    /// <param name="table">Where to register, or null.</param>
    /// <returns>How many have something to report.</returns>
    public static int PollOnce(FilesStruct files, Span<Pollfd> fds, PollWqueues? table)
    {
        int count = 0;
        foreach (ref Pollfd pollfd in fds)
        {
            uint mask = DoPollfd(files, in pollfd, table);
            pollfd.Revents = (short)mask;
            if (mask == 0)
                continue;
            count++;

            // There is something to return with: nobody will wait, so the others need not be registered.
            if (table != null)
                table.Registers = false;
        }

        return count;
    }

    /// <summary>Waits until a descriptor is ready (<c>poll</c>).</summary>
    /// <param name="fds">What is wanted; <see cref="Pollfd.Revents"/> receives what is there.</param>
    /// <param name="deadline">When to give up, in ns since boot; <see cref="long.MaxValue"/> never, <see cref="long.MinValue"/> at once.</param>
    /// <returns>How many descriptors have something to report, 0 at the deadline, or -EINTR.</returns>
    [Linux("do_sys_poll")]
    public static int DoSysPoll(Span<Pollfd> fds, long deadline)
    {
        TaskStruct task = TaskStruct.Current;
        FilesStruct files = task.Files;
        if (deadline == Deadline.Immediately)
            return PollOnce(files, fds, null);
        FsThread thread = FsThread.Rent(task.Machine);
        thread.Waiter.Reset();
        task.BeginWait();
        int count = PollOnce(files, fds, thread.Poll);
        while (count == 0)
        {
            if (task.SignalPending)
            {
                count = -EINTR;
                break;
            }

            bool inTime = thread.ScheduleUntil(deadline);
            count = PollOnce(files, fds, null);
            if (!inTime)
                break;
        }

        task.EndWait();
        thread.Poll.Freewait();
        thread.Return();
        return count;
    }

    /// <summary>Looks at each descriptor of three sets once (the inner loop of <c>select</c>).</summary>
    /// <param name="files">The descriptors' table.</param>
    /// <param name="n">Descriptors below this one.</param>
    /// <param name="sets">Six bitmaps of <c>(n + 63) / 64</c> words: wanted in, out, exceptional; found in, out, exceptional.</param>
    /// <param name="table">Where to register, or null.</param>
    /// <returns>How many bits were found.</returns>
    public static int SelectOnce(FilesStruct files, int n, Span<ulong> sets, PollWqueues? table)
    {
        int words = (n + 63) / 64;
        int found = 0;
        for (int word = 0; word < words; word++)
        {
            ulong wantsIn = sets[word];
            ulong wantsOut = sets[words + word];
            ulong wantsEx = sets[2 * words + word];
            ulong foundIn = 0, foundOut = 0, foundEx = 0;
            for (ulong all = wantsIn | wantsOut | wantsEx; all != 0; all &= all - 1)
            {
                int fd = word * 64 + BitOperations.TrailingZeroCount(all);
                if (fd >= n)
                    break;
                ulong bit = all & (~all + 1);
                uint wanted = ((wantsIn & bit) != 0 ? PollinSet : 0) | ((wantsOut & bit) != 0 ? PolloutSet : 0) | PollexSet;
                uint mask = SelectPollOne(files, fd, wanted, table);
                if ((mask & PollinSet) != 0)
                    foundIn |= wantsIn & bit;
                if ((mask & PolloutSet) != 0)
                    foundOut |= wantsOut & bit;
                if ((mask & PollexSet) != 0)
                    foundEx |= wantsEx & bit;
                if (table != null && ((foundIn | foundOut | foundEx) & bit) != 0)
                    table.Registers = false;
            }

            sets[3 * words + word] = foundIn;
            sets[4 * words + word] = foundOut;
            sets[5 * words + word] = foundEx;
            found += BitOperations.PopCount(foundIn) + BitOperations.PopCount(foundOut) + BitOperations.PopCount(foundEx);
        }

        return found;
    }

    /// <summary>Waits until a descriptor of three sets is ready (<c>select</c>); arguments as <see cref="SelectOnce"/>.</summary>
    /// <returns>How many bits were found, 0 at the deadline, -EBADF for a set with a descriptor that is not open, or -EINTR.</returns>
    [Linux("do_select")]
    public static int DoSelect(int n, Span<ulong> sets, long deadline)
    {
        TaskStruct task = TaskStruct.Current;
        FilesStruct files = task.Files;
        n = MaxSelectFd(files, n, sets);
        if (n < 0)
            return n;
        if (deadline == Deadline.Immediately)
            return SelectAgain(files, sets, n);
        FsThread thread = FsThread.Rent(task.Machine);
        thread.Waiter.Reset();
        task.BeginWait();
        int count = SelectOnce(files, n, sets, thread.Poll);
        while (count == 0)
        {
            if (task.SignalPending)
            {
                count = -EINTR;
                break;
            }

            bool inTime = thread.ScheduleUntil(deadline);
            count = SelectAgain(files, sets, n);
            if (!inTime)
                break;
        }

        task.EndWait();
        thread.Poll.Freewait();
        thread.Return();
        return count;
    }

    private static int SelectAgain(FilesStruct files, Span<ulong> sets, int n) => SelectOnce(files, n, sets, null);

    // All descriptors of the sets must be open. The words per set stay those of the caller's n.
    [Linux("max_select_fd")]
    private static int MaxSelectFd(FilesStruct files, int n, Span<ulong> sets)
    {
        int words = (n + 63) / 64;
        for (int word = 0; word < words; word++)
        {
            ulong all = sets[word] | sets[words + word] | sets[2 * words + word];
            if (word == words - 1 && n % 64 != 0)
                all &= (1UL << (n % 64)) - 1;
            for (; all != 0; all &= all - 1)
            {
                if (!files.IsOpen(word * 64 + BitOperations.TrailingZeroCount(all)))
                    return -EBADF;
            }
        }

        return n;
    }

    private static uint SelectPollOne(FilesStruct files, int fd, uint wanted, PollWqueues? table)
    {
        File? file = files.Fget(fd);
        if (file == null)
            return EPOLLNVAL;
        if (table != null)
            table.Key = wanted;
        uint mask = file.FOp.Poll(file, table);
        file.Fput();
        return mask;
    }

    private static uint DoPollfd(FilesStruct files, in Pollfd pollfd, PollWqueues? table)
    {
        if (pollfd.Fd < 0)
            return 0;
        File? file = files.Fget(pollfd.Fd);
        if (file == null)
            return EPOLLNVAL;

        // Errors and hang-ups are reported whether they are asked for or not.
        uint filter = (ushort)pollfd.Events | (uint)(EPOLLERR | EPOLLHUP);
        if (table != null)
            table.Key = filter;
        uint mask = file.FOp.Poll(file, table) & filter;
        file.Fput();
        return mask;
    }
}
