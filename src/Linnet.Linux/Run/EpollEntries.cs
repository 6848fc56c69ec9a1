using System.Globalization;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// What the epolls of a process watch at a descriptor. It goes with the open file: who puts another file there enters it again.
/// </summary>
internal sealed unsafe class EpollEntries
{
    private const int CloneFiles = 0x400;

    private readonly List<Entry> entries = [];

    private EpollEntries()
    {
    }

    /// <summary>Finds out what is watched at some descriptors of a process.</summary>
    public static EpollEntries Of(HostProcess process, IReadOnlyCollection<int> descriptors)
    {
        EpollEntries found = new();
        foreach (int epoll in process.Search("anon_inode:[eventpoll]"))
        {
            foreach (string line in process.ReadDescriptor(epoll))
            {
                // tfd: 5 events: 1d data: 5 …, of which all but the descriptor are hexadecimal.
                string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (words is ["tfd:", var fd, "events:", var events, "data:", var data, ..]
                    && int.Parse(fd, CultureInfo.InvariantCulture) is var number && descriptors.Contains(number))
                    found.entries.Add(new Entry(epoll, number, Convert.ToUInt32(events, 16), Convert.ToUInt64(data, 16)));
            }
        }

        return found;
    }

    /// <summary>Has another file watched in the same way.</summary>
    /// <param name="process">Whose epolls they are.</param>
    /// <param name="file">A descriptor of this process's for it.</param>
    public void Enter(HostProcess process, int file)
    {
        if (entries.Count == 0)
            return;

        // An entry has the number that its descriptor has for who makes it. A thread with a table of its own may take any.
        Thread thread = new(() =>
        {
            if (Unshare(CloneFiles) == 0)
                entries.ForEach(entry => Enter(process, file, entry));
        });
        thread.Start();
        thread.Join();
    }

    private static void Enter(HostProcess process, int file, Entry entry)
    {
        // Out of the way of the entry's number, as the epoll's own descriptor has to be.
        int source = Fcntl(file, F_DUPFD_CLOEXEC, entry.Number + 1);
        int taken = process.Take(entry.Epoll);
        int epoll = Fcntl(taken, F_DUPFD_CLOEXEC, entry.Number + 1);
        if (source < 0 || epoll < 0 || Dup3(source, entry.Number, O_CLOEXEC) < 0)
            return;
        HostEpollEvent added = new() { Events = entry.Events, Fd = (int)(uint)entry.Data, Generation = (uint)(entry.Data >> 32) };
        _ = EpollCtl(epoll, EpollCtlAdd, entry.Number, &added);
    }

    private readonly record struct Entry(int Epoll, int Number, uint Events, ulong Data);
}
