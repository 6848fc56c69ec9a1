using Linnet.Kernel;

namespace Linnet.Tests.Scheduling;

public class HostSchedulerTests
{
    [Fact]
    public void Threads_wake_each_other()
    {
        const int Rounds = 2000;
        using HostScheduler scheduler = new();
        Machine machine = NewMachine(scheduler);
        WaitQueueHead ping = new(), pong = new();
        int pings = 0, pongs = 0;
        using CountdownEvent done = new(2);
        scheduler.Start("pong", () =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                WaitUntil(machine, ping, () => Volatile.Read(ref pings) > i);
                pongs++;
                pong.WakeUp();
            }

            done.Signal();
        });
        scheduler.Start("ping", () =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                pings++;
                ping.WakeUp();
                WaitUntil(machine, pong, () => Volatile.Read(ref pongs) > i);
            }

            done.Signal();
        });
        Assert.True(done.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal(Rounds, pongs);
    }

    [Fact]
    public void A_timer_fires_after_its_deadline()
    {
        using HostScheduler scheduler = new();
        Machine machine = NewMachine(scheduler);
        using ManualResetEventSlim fired = new();
        long at = 0;
        TimerList timer = new(machine.Timers, _ =>
        {
            at = machine.Clock.Now;
            fired.Set();
        }, machine);
        TimerList far = new(machine.Timers, _ => { }, machine);
        far.Mod(machine.Clock.Now + 3_600_000_000_000);
        long deadline = machine.Clock.Now + 20_000_000;
        timer.Mod(deadline);
        Assert.True(fired.Wait(TimeSpan.FromSeconds(30)));
        Assert.True(at >= deadline);
    }

    [Fact]
    public void A_later_timer_of_a_second_machine_fires_too()
    {
        using HostScheduler scheduler = new();
        Machine early = NewMachine(scheduler), late = NewMachine(scheduler);
        using CountdownEvent fired = new(2);
        TimerList first = new(early.Timers, _ => fired.Signal(), early);
        TimerList second = new(late.Timers, _ => fired.Signal(), late);
        first.Mod(early.Clock.Now + 10_000_000);
        second.Mod(late.Clock.Now + 20_000_000);
        Assert.True(fired.Wait(TimeSpan.FromSeconds(30)));
    }

    private static void WaitUntil(Machine machine, WaitQueueHead queue, Func<bool> condition)
    {
        using KernelEntry entry = machine.Enter();
        ThreadWaiter waiter = machine.ThreadWaiter;
        while (true)
        {
            waiter.Reset();
            queue.Add(waiter);
            if (!condition())
                waiter.Schedule();
            queue.Remove(waiter);
            if (condition())
                return;
        }
    }

    private static Machine NewMachine(HostScheduler scheduler) => new(new MachineOptions
    {
        TimeProvider = scheduler.TimeProvider,
        Scheduler = scheduler,
        Random = RandomSources.System(),
    });
}
