using Linnet.Kernel;
using Linnet.Testing;

namespace Linnet.Tests.Scheduling;

public class VirtualTimeSchedulerTests
{
    [Fact]
    public void Threads_take_turns_in_the_order_of_their_wake_ups()
    {
        using TestMachine test = new();
        WaitQueueHead queue = new();
        List<string> seen = [];
        for (int i = 0; i < 3; i++)
        {
            int me = i;
            test.Start($"waiter {me}", () =>
            {
                seen.Add($"{me} waits");
                Wait(test.Machine, queue);
                seen.Add($"{me} woke");
            });
        }

        test.Start("waker", () =>
        {
            seen.Add("wake");
            queue.WakeUpAll();
        });
        test.Run();

        // Entries that are not exclusive are added at the head of a queue.
        Assert.Equal(["0 waits", "1 waits", "2 waits", "wake", "2 woke", "1 woke", "0 woke"], seen);
    }

    [Fact]
    public void A_signal_before_the_wait_is_not_lost()
    {
        using TestMachine test = new();
        bool woke = false;
        test.Start("self", () =>
        {
            using KernelEntry entry = test.Machine.Enter();
            ThreadWaiter waiter = test.Machine.ThreadWaiter;
            waiter.Signal();
            waiter.Schedule();
            woke = true;
        });
        test.Run();
        Assert.True(woke);
    }

    [Fact]
    public void Time_jumps_from_timer_to_timer()
    {
        using TestMachine test = new();
        List<long> fired = [];
        TimerList late = new(test.Machine.Timers, _ => fired.Add(test.Now), test);
        TimerList early = new(test.Machine.Timers, _ =>
        {
            fired.Add(test.Now);
            late.Mod(5_000_000_000);
        }, test);
        early.Mod(2_000_000);
        test.Run();
        Assert.Equal([2_000_000, 5_000_000_000], fired);
        Assert.Equal(TimeSpan.FromSeconds(5), test.Scheduler.Elapsed);
    }

    [Fact]
    public void RunUpTo_leaves_what_is_due_at_its_end_for_later()
    {
        using VirtualTimeScheduler scheduler = new();
        List<string> log = [];
        using ITimer early = scheduler.TimeProvider.CreateTimer(_ => log.Add("early"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        using ITimer last = scheduler.TimeProvider.CreateTimer(_ => log.Add("last"), null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);

        scheduler.RunUpTo(TimeSpan.FromSeconds(2));
        Assert.Equal(TimeSpan.FromSeconds(2), scheduler.Elapsed);
        log.Add("caller");
        scheduler.RunFor(TimeSpan.Zero);

        Assert.Equal(["early", "caller", "last"], log);
    }

    [Fact]
    public void RunFor_ends_exactly_then()
    {
        using TestMachine test = new();
        int fired = 0;
        TimerList timer = new(test.Machine.Timers, _ => fired++, test);
        timer.Mod(10_000_000_000);
        test.RunFor(TimeSpan.FromSeconds(4));
        Assert.Equal(4_000_000_000, test.Now);
        Assert.Equal(0, fired);
        test.RunFor(TimeSpan.FromSeconds(6));
        Assert.Equal(1, fired);
    }

    [Fact]
    public void Who_waits_for_ever_is_reported()
    {
        using TestMachine test = new();
        WaitQueueHead queue = new();
        test.Start("stuck", () => Wait(test.Machine, queue));
        var report = Assert.Throws<SimulationDeadlockException>(test.Run);
        Assert.Equal(["stuck"], report.Waiting);
    }

    [Fact]
    public void What_a_thread_throws_comes_out_of_Run()
    {
        using TestMachine test = new();
        test.Start("fails", () => throw new InvalidDataException("here"));
        Assert.Equal("here", Assert.Throws<InvalidDataException>(test.Run).Message);
    }

    [Fact]
    public void What_a_program_throws_comes_out_of_Run()
    {
        using VirtualTimeScheduler scheduler = new();
        var thrown = Assert.Throws<InvalidDataException>(() => scheduler.Run(async () =>
        {
            await Task.Delay(TimeSpan.FromHours(1), scheduler.TimeProvider);
            throw new InvalidDataException("later");
        }));
        Assert.Equal("later", thrown.Message);
        Assert.Equal(TimeSpan.FromHours(1), scheduler.Elapsed);
    }

    [Fact]
    public void Async_code_stays_on_the_simulation()
    {
        using VirtualTimeScheduler scheduler = new();
        List<string> seen = [];
        async Task Program(string name, int milliseconds)
        {
            for (int i = 0; i < 3; i++)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), scheduler.TimeProvider);
                Assert.True(scheduler.IsInside);
                seen.Add($"{name}@{scheduler.Elapsed.TotalMilliseconds}");
            }
        }

        scheduler.Run(() => Task.WhenAll(Program("a", 10), Program("b", 15)));
        Assert.Equal(["a@10", "b@15", "a@20", "a@30", "b@30", "b@45"], seen.Order(new ByTime()));
        Assert.Equal(6, seen.Count);
    }

    [Fact]
    public void A_program_that_nobody_completes_is_reported()
    {
        using VirtualTimeScheduler scheduler = new();
        var report = Assert.Throws<SimulationDeadlockException>(
            () => scheduler.Run(() => new TaskCompletionSource().Task));
        Assert.Equal(["main"], report.Waiting);
    }

    [Fact]
    public void The_driving_thread_may_wait_and_drives_meanwhile()
    {
        using TestMachine test = new();
        WaitQueueHead queue = new();
        TimerList timer = new(test.Machine.Timers, _ => queue.WakeUp(), test);
        timer.Mod(7_000_000);
        Wait(test.Machine, queue);
        Assert.Equal(7_000_000, test.Now);
    }

    [Fact]
    public void Periodic_timers_of_the_time_provider_keep_their_period()
    {
        using VirtualTimeScheduler scheduler = new();
        List<double> fired = [];
        ITimer timer = scheduler.TimeProvider.CreateTimer(
            _ => fired.Add(scheduler.Elapsed.TotalSeconds), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        scheduler.RunFor(TimeSpan.FromSeconds(6));
        Assert.Equal([1, 3, 5], fired);
        timer.Dispose();
        scheduler.Run();
        Assert.Equal(TimeSpan.FromSeconds(6), scheduler.Elapsed);
    }

    [Fact]
    public void Seeded_numbers_repeat()
    {
        RandomSource one = RandomSources.Seeded(42), same = RandomSources.Seeded(42), other = RandomSources.Seeded(43);
        ulong first = one.NextU64();
        Assert.Equal(first, same.NextU64());
        Assert.NotEqual(first, other.NextU64());
        Assert.NotEqual(first, one.NextU64());
    }

    private static void Wait(Machine machine, WaitQueueHead queue)
    {
        using KernelEntry entry = machine.Enter();
        ThreadWaiter waiter = machine.ThreadWaiter;
        waiter.Reset();
        waiter.Exclusive = false;
        queue.Add(waiter);
        waiter.Schedule();
        queue.Remove(waiter);
    }

    // What falls on the same instant has an order, but not one that is worth a promise.
    private sealed class ByTime : IComparer<string>
    {
        public int Compare(string? x, string? y) => Key(x!).CompareTo(Key(y!));

        private static (double Time, string Name) Key(string s) => (double.Parse(s.Split('@')[1]), s);
    }
}
