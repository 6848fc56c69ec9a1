using System.Text;
using Linnet.Kernel.Fs;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary>epoll: levels and edges, order, exclusive waiters, instances in instances.</summary>
public class EpollTests : FsFixture
{
    private const ulong Event = Buffer + 4096;
    private const ulong Events = Buffer + 8192;

    [Fact]
    public void Level_triggered_events_stay_until_they_are_used_up()
    {
        int ep = NewEpoll();
        int fd = NewEventfd();
        Assert.Equal(0, Add(ep, fd, EPOLLIN));
        Assert.Equal(0, Wait(ep));
        AddToEventfd(fd, 1);
        Assert.Equal(1, Wait(ep));
        Assert.Equal(1, Wait(ep));
        Assert.Equal((EPOLLIN, fd), Got(0));
        Read(fd, 8);
        Assert.Equal(0, Wait(ep));
    }

    [Fact]
    public void Edge_triggered_events_come_once_for_each_change()
    {
        int ep = NewEpoll();
        (int read, int write) = NewPipe();
        Assert.Equal(0, Add(ep, read, EPOLLIN | EPOLLET));
        Write(write, "a");
        Assert.Equal(1, Wait(ep));
        Assert.Equal(0, Wait(ep));
        Write(write, "b");
        Assert.Equal(1, Wait(ep));
        Assert.Equal("ab", Read(read));
        Write(write, "c");
        Assert.Equal("c", Read(read));
        Assert.Equal(0, Wait(ep));
    }

    [Fact]
    public void One_shot_is_disabled_until_it_is_modified()
    {
        int ep = NewEpoll();
        int fd = NewEventfd(1);
        Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLONESHOT));
        Assert.Equal(1, Wait(ep));
        AddToEventfd(fd, 1);
        Assert.Equal(0, Wait(ep));
        Assert.Equal(0, Control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT));
        Assert.Equal(1, Wait(ep));
        Assert.Equal(0, Wait(ep));
    }

    [Fact]
    public void Ready_files_take_turns()
    {
        int ep = NewEpoll();
        int[] fds = [NewEventfd(1), NewEventfd(1), NewEventfd(1)];
        foreach (int fd in fds)
            Assert.Equal(0, Add(ep, fd, EPOLLIN));
        List<int> order = [];
        for (int i = 0; i < 6; i++)
        {
            Assert.Equal(1, Wait(ep, 1));
            order.Add(Got(0).Fd);
        }

        Assert.Equal([.. fds, .. fds], order);
    }

    [Fact]
    public void Events_come_in_the_order_of_their_wake_ups()
    {
        int ep = NewEpoll();
        int[] fds = [NewEventfd(), NewEventfd(), NewEventfd()];
        foreach (int fd in fds)
            Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLET));
        AddToEventfd(fds[2], 1);
        AddToEventfd(fds[0], 1);
        AddToEventfd(fds[1], 1);
        Assert.Equal(3, Wait(ep));
        Assert.Equal([fds[2], fds[0], fds[1]], Enumerable.Range(0, 3).Select(i => Got(i).Fd));
    }

    [Fact]
    public void Bad_arguments()
    {
        int ep = NewEpoll();
        int fd = NewEventfd();
        Assert.Equal(-EINVAL, Call(__NR_epoll_create, 0));
        Assert.Equal(-EINVAL, Call(__NR_epoll_create1, 1));
        Assert.Equal(-EBADF, Add(99, fd, EPOLLIN));
        Assert.Equal(-EBADF, Add(ep, 99, EPOLLIN));
        Assert.Equal(-EINVAL, Add(fd, ep, EPOLLIN));
        Assert.Equal(-EINVAL, Add(ep, ep, EPOLLIN));
        Assert.Equal(-ENOENT, Control(ep, EPOLL_CTL_MOD, fd, EPOLLIN));
        Assert.Equal(-ENOENT, Control(ep, EPOLL_CTL_DEL, fd, 0));
        Assert.Equal(-EINVAL, Control(ep, 7, fd, EPOLLIN));
        Assert.Equal(0, Add(ep, fd, EPOLLIN));
        Assert.Equal(-EEXIST, Add(ep, fd, EPOLLIN));
        Assert.Equal(-EFAULT, Call(__NR_epoll_ctl, ep, EPOLL_CTL_MOD, fd, (long)BadAddress));
        Assert.Equal(0, Call(__NR_epoll_ctl, ep, EPOLL_CTL_DEL, fd, (long)BadAddress));
        Memory.Put(Buffer, 0);
        int mem = (int)Call(__NR_memfd_create, (long)Buffer, 0);
        Assert.Equal(-EPERM, Add(ep, mem, EPOLLIN));
        Assert.Equal(-EINVAL, Wait(ep, 0));
        Assert.Equal(-EINVAL, Wait(ep, int.MaxValue));
        Assert.Equal(-EINVAL, Wait(fd, 1));
        Assert.Equal(-EBADF, Wait(99, 0));
        Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLOUT));
        Assert.Equal(-EFAULT, Call(__NR_epoll_wait, ep, (long)BadAddress, 1, 0));
        Assert.Equal(1, Wait(ep));
    }

    [Fact]
    public void Exclusive_has_rules_of_its_own()
    {
        int ep = NewEpoll();
        int fd = NewEventfd();
        Assert.Equal(-EINVAL, Add(ep, fd, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE));
        Assert.Equal(-EINVAL, Add(ep, NewEpoll(), EPOLLIN | EPOLLEXCLUSIVE));
        Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE));
        Assert.Equal(-EINVAL, Control(ep, EPOLL_CTL_MOD, fd, EPOLLIN));
        Assert.Equal(-EINVAL, Control(ep, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE));
        Assert.Equal(0, Control(ep, EPOLL_CTL_DEL, fd, 0));
    }

    [Theory]
    [InlineData(EPOLLEXCLUSIVE, 1)]
    [InlineData(0, 3)]
    public void An_event_wakes_one_exclusive_instance_or_all_others(uint flag, int woken)
    {
        int fd = NewEventfd();
        List<TaskStruct> waiters = [];
        List<long> returned = [];
        for (int i = 0; i < 3; i++)
        {
            int ep = NewEpoll();
            Assert.Equal(0, Add(ep, fd, EPOLLIN | flag));
            ulong room = Events + 64 * (ulong)i;
            waiters.Add(Thread(task => returned.Add(CallAs(task, __NR_epoll_wait, ep, (long)room, 4, -1))));
        }

        Test.RunReady();
        AddToEventfd(fd, 1);
        Test.RunReady();
        Assert.Equal(Enumerable.Repeat(1L, woken), returned);
        waiters.ForEach(waiter => waiter.SendSignal(SIGUSR1));
        Test.RunReady();
        Assert.Equal(3, returned.Count);
    }

    [Fact]
    public void Waiters_of_one_instance_share_its_events()
    {
        int ep = NewEpoll();
        int[] fds = [NewEventfd(), NewEventfd()];
        foreach (int fd in fds)
            Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLET));
        List<long> returned = [];
        for (int i = 0; i < 2; i++)
        {
            ulong room = Events + 64 * (ulong)i;
            Thread(task => returned.Add(CallAs(task, __NR_epoll_wait, ep, (long)room, 1, -1)));
        }

        Test.RunReady();
        AddToEventfd(fds[0], 1);
        AddToEventfd(fds[1], 1);
        Test.RunReady();
        Assert.Equal([1, 1], returned);
    }

    [Fact]
    public void Timeouts_signals_and_masks()
    {
        int ep = NewEpoll();
        long ret = -1, ended = 0;
        Thread(task =>
        {
            ret = CallAs(task, __NR_epoll_wait, ep, (long)Events, 1, 30);
            ended = Test.Now;
        });
        long start = Test.Now;
        Test.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal((0, 30_000_000), (ret, ended - start));
        TaskStruct waiter = Thread(task => ret = CallAs(task, __NR_epoll_pwait, ep, (long)Events, 1, -1, 0, 8));
        Test.RunReady();
        waiter.SendSignal(SIGUSR1);
        Test.RunReady();
        Assert.Equal(-EINTR, ret);
        Memory.Put(Buffer, -1L);
        Assert.Equal(-EINVAL, Call(__NR_epoll_pwait2, ep, (long)Events, 1, (long)Buffer, 0, 8));
        Assert.Equal(-EFAULT, Call(__NR_epoll_pwait2, ep, (long)Events, 1, (long)BadAddress, 0, 8));
        Assert.Equal(-EINVAL, Call(__NR_epoll_pwait, ep, (long)Events, 1, 0, (long)Buffer, 4));
    }

    [Fact]
    public void A_closed_file_is_watched_no_more()
    {
        int ep = NewEpoll();
        int fd = NewEventfd(1);
        int copy = (int)Call(__NR_dup, fd);
        Assert.Equal(0, Add(ep, fd, EPOLLIN));
        Assert.Equal(0, Call(__NR_close, fd));
        Assert.Equal(1, Wait(ep));
        Assert.Equal(0, Call(__NR_close, copy));
        Assert.Equal(0, Wait(ep));
        Assert.Equal("", Fdinfo(ep));

        // The other way round: the file lives on, and its wake-ups reach nobody.
        fd = NewEventfd();
        Assert.Equal(0, Add(ep, fd, EPOLLIN));
        Assert.Equal(0, Call(__NR_close, ep));
        AddToEventfd(fd, 1);
    }

    [Fact]
    public void Instances_nest()
    {
        int inner = NewEpoll();
        int outer = NewEpoll();
        int fd = NewEventfd();
        Assert.Equal(0, Add(outer, inner, EPOLLIN));
        Assert.Equal(0, Add(inner, fd, EPOLLIN));
        long ret = -1;
        Thread(task => ret = CallAs(task, __NR_epoll_wait, outer, (long)Events, 4, -1));
        Test.RunReady();
        AddToEventfd(fd, 1);
        Test.RunReady();
        Assert.Equal(1, ret);
        Assert.Equal((EPOLLIN, inner), Got(0));
        Assert.Equal(1, Wait(outer));
        Read(fd, 8);
        Assert.Equal(0, Wait(outer));
    }

    [Fact]
    public void Loops_and_deep_nesting_are_refused()
    {
        int[] eps = [.. Enumerable.Range(0, 7).Select(_ => NewEpoll())];
        for (int i = 0; i < 4; i++)
            Assert.Equal(0, Add(eps[i], eps[i + 1], EPOLLIN));
        Assert.Equal(-ELOOP, Add(eps[4], eps[5], EPOLLIN));
        Assert.Equal(-ELOOP, Add(eps[5], eps[0], EPOLLIN));
        Assert.Equal(-ELOOP, Add(eps[1], eps[0], EPOLLIN));
        Assert.Equal(-ELOOP, Add(eps[3], eps[1], EPOLLIN));
        Assert.Equal(0, Add(eps[0], eps[4], EPOLLIN));
    }

    [Fact]
    public void Watches_are_limited_by_user()
    {
        EpollLimits.Of(Test.Machine).MaxUserWatches = 1;
        int ep = NewEpoll();
        Assert.Equal(0, Add(ep, NewEventfd(), EPOLLIN));
        int other = NewEventfd();
        Assert.Equal(-ENOSPC, Add(ep, other, EPOLLIN));
        Assert.Equal(0, Control(ep, EPOLL_CTL_DEL, other - 1, 0));
        Assert.Equal(0, Add(ep, other, EPOLLIN));
    }

    [Fact]
    public void Fdinfo_lists_what_is_watched()
    {
        int ep = NewEpoll();
        int fd = NewEventfd();
        Assert.Equal(0, Add(ep, fd, EPOLLIN | EPOLLET | EPOLLWAKEUP));
        Assert.Equal($"tfd: {fd,8} events: 80000019 data: {fd,16:x}  pos:0 ino:0 sdev:0\n", Fdinfo(ep));
    }

    [Fact]
    public void Steady_use_allocates_nothing()
    {
        int ep = NewEpoll();
        int fd = NewEventfd();
        using KernelEntry entry = Task.Enter();
        EpollEvent[] events = new EpollEvent[4];
        long before = 0;
        for (int round = 0; round < 200; round++)
        {
            if (round == 100)
                before = GC.GetAllocatedBytesForCurrentThread();
            Eventpoll.DoEpollCtl(ep, EPOLL_CTL_ADD, fd, new EpollEvent { Events = EPOLLIN | EPOLLOUT });
            Eventpoll.DoEpollWait(ep, events, long.MinValue);
            Eventpoll.DoEpollCtl(ep, EPOLL_CTL_DEL, fd, default);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private int NewEpoll() => (int)Call(__NR_epoll_create1, 0);

    private long Add(int ep, int fd, uint events) => Control(ep, EPOLL_CTL_ADD, fd, events);

    private long Control(int ep, int op, int fd, uint events)
    {
        Memory.Put(Event, new EpollEvent { Events = events, Data = (ulong)fd });
        return Call(__NR_epoll_ctl, ep, op, fd, (long)Event);
    }

    private long Wait(int ep, int max = 10) => Call(__NR_epoll_wait, ep, (long)Events, max, 0);

    private (int Events, int Fd) Got(int index)
    {
        EpollEvent got = Memory.Get<EpollEvent>(Events + 12 * (ulong)index);
        return ((int)got.Events, (int)got.Data);
    }

    private string Fdinfo(int fd)
    {
        StringBuilder text = new();
        As(Task, () =>
        {
            Linnet.Kernel.Fs.File file = Files.Fget(fd)!;
            file.FOp.ShowFdinfo(text, file);
            file.Fput();
        });
        return text.ToString();
    }
}
