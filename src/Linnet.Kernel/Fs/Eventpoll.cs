using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>
/// An epoll instance (<c>struct eventpoll</c>): files that are watched, and a list of those that became ready. Files put
/// their items on the list when they wake their queues, so that waiting costs what is ready, not what is watched.
/// </summary>
/// <remarks>
/// Locks, in their order: the machine's nesting lock, <see cref="mtx"/> of an outer instance before that of an inner one,
/// a file's <c>EpLock</c>, a file's wait queue, <see cref="guard"/>, the queues <see cref="Wq"/> and <c>pollWait</c>.
/// </remarks>
[LinuxStruct("eventpoll")]
[LinuxFile("fs/eventpoll.c")]
public sealed partial class Eventpoll
{
    private const uint PrivateBits = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
    private const uint InoutBits = EPOLLIN | EPOLLOUT;
    private const uint ExclusiveOkBits = InoutBits | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

    private readonly Machine machine;
    private readonly UserStruct user;

    // Held while the list is harvested and while items are added and removed; never while waiting for events.
    private readonly Lock mtx = new();
    private readonly Dictionary<(File File, int Fd), Epitem> items = [];
    private Epitem? freeItems;
    private ItemPollTable? pollTable;

    // Guards the ready list, the overflow list and the items' events against wake-ups.
    private Spinlock guard;
    private EpitemList rdllist;
    private Epitem? ovflist;
    private bool scanning;

    private readonly WaitQueueHead pollWait = new();

    private Eventpoll(Machine machine)
    {
        this.machine = machine;
        user = UserStruct.Current(machine);
    }

    /// <summary>Who waits for events; woken one at a time. Entries are to be exclusive.</summary>
    public WaitQueueHead Wq { get; } = new();

    /// <summary>Whether something may be ready; a waiter looks here after it has queued itself in <see cref="Wq"/>.</summary>
    public bool EventsAvailable
    {
        get
        {
            guard.Lock();
            bool available = !rdllist.IsEmpty || scanning;
            guard.Unlock();
            return available;
        }
    }

    /// <summary>The file of the instance.</summary>
    internal File File { get; private set; } = null!;

    /// <summary>The instance behind a file, or null for other kinds of files (<c>is_file_epoll</c>).</summary>
    public static Eventpoll? Of(File file) => file.PrivateData as Eventpoll;

    /// <summary>Takes ready events, without waiting.</summary>
    /// <param name="events">Room for them.</param>
    /// <returns>How many.</returns>
    public int TrySendEvents(Span<EpollEvent> events)
    {
        int count = 0;
        lock (mtx)
        {
            EpitemList txlist = StartScan();
            while (count < events.Length && txlist.First is { } item)
            {
                txlist.Remove(item);
                uint revents = EpItemPoll(item, null);

                // What was ready may have been used up by others since; the item comes back when its file wakes it.
                if (revents == 0)
                    continue;
                events[count++] = new EpollEvent { Events = revents, Data = item.Event.Data };
                Requeue(item);
            }

            DoneScan(ref txlist);
        }

        return count;
    }

    // As TrySendEvents, into user memory: an item whose event cannot be delivered stays ready.
    [Linux("ep_send_events")]
    private int SendEvents(Sockptr events, int maxevents)
    {
        const int Size = 12;
        int res = 0;
        lock (mtx)
        {
            EpitemList txlist = StartScan();
            while (res < maxevents && txlist.First is { } item)
            {
                txlist.Remove(item);
                uint revents = EpItemPoll(item, null);
                if (revents == 0)
                    continue;
                EpollEvent reported = new() { Events = revents, Data = item.Event.Data };
                if (events.Add(res * Size).Put(reported) < 0)
                {
                    txlist.AddHead(item);
                    if (res == 0)
                        res = -EFAULT;
                    break;
                }

                res++;
                Requeue(item);
            }

            DoneScan(ref txlist);
        }

        return res;
    }

    // A one-shot item is disabled until it is modified. A level-triggered one goes behind the others, so that each gets its
    // turn, and is looked at again by the next call. An edge-triggered one waits for its file's next wake-up.
    private void Requeue(Epitem item)
    {
        if ((item.Event.Events & EPOLLONESHOT) != 0)
        {
            guard.Lock();
            item.Event.Events &= PrivateBits;
            guard.Unlock();
        }
        else if ((item.Event.Events & EPOLLET) == 0)
        {
            guard.Lock();
            rdllist.AddTail(item);
            guard.Unlock();
        }
    }

    [Linux("ep_start_scan")]
    private EpitemList StartScan()
    {
        guard.Lock();
        EpitemList txlist = rdllist;
        rdllist = default;
        Bug.On(scanning);
        scanning = true;
        guard.Unlock();
        return txlist;
    }

    [Linux("ep_done_scan")]
    private void DoneScan(ref EpitemList txlist)
    {
        guard.Lock();

        // The overflow list is last in, first out; adding at the head restores the order of the wake-ups.
        while (ovflist is { } item)
        {
            ovflist = item.OvflNext;
            item.OvflNext = null;
            item.IsInOvflist = false;
            if (!item.IsLinked)
                rdllist.AddHead(item);
        }

        scanning = false;
        rdllist.SpliceHead(ref txlist);
        if (!rdllist.IsEmpty)
            Wq.WakeUp();
        guard.Unlock();
    }

    /// <summary>What is ready of what an item wants; given a table, it is also registered.</summary>
    [Linux("ep_item_poll")]
    private static uint EpItemPoll(Epitem item, PollTable? table)
    {
        File file = item.File;
        if (!file.TryGet())
            return 0;
        if (table != null)
            table.Key = item.Event.Events;
        uint mask = file.FOp.Poll(file, table) & item.Event.Events;

        // Closed meanwhile, its release would take the item away from the scan that looks at it.
        file.FputLater();
        return mask;
    }

    // A file woke one of its queues. Called with the queue's lock held, from any context.
    [Linux("ep_poll_callback")]
    internal bool PollCallback(Epitem item, uint pollflags)
    {
        bool wakePollers = false;
        bool took = false;
        guard.Lock();
        uint wanted = item.Event.Events;
        bool disabled = (wanted & ~PrivateBits) == 0;
        if (!disabled && (pollflags == 0 || (pollflags & wanted) != 0))
        {
            if (scanning)
                AddOverflow(item);
            else if (!item.IsLinked)
                rdllist.AddTail(item);
            if (Wq.Active)
            {
                took = TakesExclusively(wanted, pollflags);
                Wq.WakeUp();
            }

            wakePollers = pollWait.Active;
        }

        guard.Unlock();
        if (wakePollers)
            pollWait.WakeUp(EPOLLIN);
        return took || (wanted & EPOLLEXCLUSIVE) == 0;
    }

    private void AddOverflow(Epitem item)
    {
        if (item.IsInOvflist)
            return;
        item.IsInOvflist = true;
        item.OvflNext = ovflist;
        ovflist = item;
    }

    private static bool TakesExclusively(uint wanted, uint pollflags)
    {
        if ((wanted & EPOLLEXCLUSIVE) == 0)
            return false;
        return (pollflags & InoutBits) switch
        {
            EPOLLIN => (wanted & EPOLLIN) != 0,
            EPOLLOUT => (wanted & EPOLLOUT) != 0,
            0 => true,
            _ => false,
        };
    }

    // Registers an item with each queue that its file waits on.
    private sealed class ItemPollTable : PollTable
    {
        public Epitem Item = null!;

        // Places that earlier uses of the item left behind.
        public EppollEntry? Next;

        public override void PollWait(File? file, WaitQueueHead queue)
        {
            EppollEntry entry = Next ?? new EppollEntry(Item);
            if (Next == null)
            {
                entry.NextEntry = Item.Pwqlist;
                Item.Pwqlist = entry;
            }
            else
            {
                Next = entry.NextEntry;
            }

            entry.Exclusive = (Item.Event.Events & EPOLLEXCLUSIVE) != 0;
            queue.Add(entry);
        }
    }

    private sealed class EventpollFops : FileOperations
    {
        public static readonly EventpollFops Instance = new();

        public override bool CanReadIter => false;

        public override bool CanWriteIter => false;

        // noop_llseek: seeking is allowed and does nothing.
        public override bool CanLseek => true;

        public override long Llseek(File file, long offset, int whence) => file.FPos;

        [Linux("ep_eventpoll_poll")]
        public override uint Poll(File file, PollTable? wait)
        {
            Eventpoll ep = (Eventpoll)file.PrivateData!;
            wait?.PollWait(file, ep.pollWait);
            uint res = 0;
            lock (ep.mtx)
            {
                EpitemList txlist = ep.StartScan();
                while (res == 0 && txlist.First is { } item)
                {
                    if (EpItemPoll(item, null) != 0)
                        res = EPOLLIN | EPOLLRDNORM;
                    else
                        txlist.Remove(item);
                }

                ep.DoneScan(ref txlist);
            }

            return res;
        }

        [Linux("ep_eventpoll_ioctl")]
        public override int Ioctl(File file, uint cmd, Sockptr arg) => -EINVAL;

        [Linux("ep_eventpoll_release")]
        public override void Release(File file) => ((Eventpoll)file.PrivateData!).ClearAndPut();

        [Linux("ep_show_fdinfo")]
        public override void ShowFdinfo(StringBuilder output, File file)
        {
            Eventpoll ep = (Eventpoll)file.PrivateData!;
            lock (ep.mtx)
            {
                foreach (Epitem item in ep.items.Values)
                {
                    Stat stat = default;
                    item.File.FOp.Getattr(item.File, ref stat);
                    output.Append($"tfd: {item.Fd,8} events: {item.Event.Events,8:x} data: {item.Event.Data,16:x}  ");
                    output.Append($"pos:{item.File.FPos} ino:{stat.StIno:x} sdev:{stat.StDev:x}\n");
                }
            }
        }
    }
}
