using Linnet.Kernel;

namespace Linnet;

/// <content>
/// The threads of a simulation. Whoever runs holds the baton: the driver, or one simulated thread. A thread that parks
/// hands it to the next thread in the queue, or back to the driver where the next step is a piece of work or a timer.
/// </content>
public sealed partial class VirtualTimeScheduler
{
    // Called by the simulated thread that holds the baton and has nothing more to do.
    private void PassBaton()
    {
        SimulatedThread? next = null;
        lock (gate)
        {
            if (!stepwise && !ending && failures.Count == 0 && runQueue.TryPeek(out object? item))
                next = item as SimulatedThread;
            if (next != null)
                runQueue.Dequeue();
        }

        if (next != null)
            next.TakeTurn();
        else
            driverBaton.Release();
    }

    private sealed class SimulatedThread(VirtualTimeScheduler scheduler, string name, Action body)
    {
        // More than this many times a thread is not asked to unwind: its code catches everything and goes on waiting.
        private const int MostUnwinds = 100;

        [ThreadStatic]
        private static SimulatedThread? current;

        private readonly SemaphoreSlim baton = new(0);
        private Thread? thread;
        private int unwinds;

        // Guarded by the scheduler's gate.
        private bool parked;
        private bool signalled;

        public static SimulatedThread? Current => current;

        public VirtualTimeScheduler Scheduler => scheduler;

        public string Name => name;

        // Called by whoever holds the baton, which is this thread's from now on.
        public void TakeTurn()
        {
            if (thread != null)
            {
                baton.Release();
                return;
            }

            thread = new Thread(Main) { IsBackground = true, Name = name };
            thread.Start();
        }

        public void Park()
        {
            lock (scheduler.gate)
            {
                if (signalled && !scheduler.ending)
                {
                    signalled = false;
                    return;
                }

                parked = true;
            }

            if (!scheduler.ending)
            {
                scheduler.PassBaton();
                baton.Wait();
            }

            if (scheduler.ending)
                EndHere();
            lock (scheduler.gate)
                signalled = false;
        }

        public void Signal()
        {
            lock (scheduler.gate)
            {
                if (parked && !scheduler.ending)
                {
                    parked = false;
                    scheduler.runQueue.Enqueue(this);
                }
                else
                {
                    signalled = true;
                }
            }
        }

        public void Reset()
        {
            lock (scheduler.gate)
                signalled = false;
        }

        // Called by the driver at the end of the simulation.
        public void Unwind()
        {
            if (thread == null)
                return;
            baton.Release();
            scheduler.driverBaton.Wait();
        }

        private void EndHere()
        {
            if (++unwinds < MostUnwinds)
                throw new SimulationEndedException();
            scheduler.driverBaton.Release();
            Thread.Sleep(Timeout.Infinite);
        }

        private void Main()
        {
            current = this;
            SynchronizationContext.SetSynchronizationContext(scheduler.context);
            try
            {
                body();
            }
            catch (SimulationEndedException)
            {
            }
            catch (Exception e) when (!scheduler.ending)
            {
                scheduler.Fail(e);
            }
            catch (Exception)
            {
                // What code throws because it was torn down is no news.
            }

            lock (scheduler.gate)
                scheduler.threads.Remove(this);
            scheduler.PassBaton();
        }
    }

    private sealed class SimulatedWaiter(SimulatedThread thread) : ThreadWaiter
    {
        public override void Signal() => thread.Signal();

        protected override void Reset() => thread.Reset();

        protected override void Park() => thread.Park();
    }

    /// <summary>Parks a thread that is not of the simulation: the one that drives it drives on, another one really waits.</summary>
    private sealed class DriverWaiter(VirtualTimeScheduler scheduler) : ThreadWaiter
    {
        private bool signalled;

        public override void Signal()
        {
            lock (this)
            {
                signalled = true;
                Monitor.Pulse(this);
            }
        }

        protected override void Reset()
        {
            lock (this)
                signalled = false;
        }

        protected override void Park()
        {
            Thread? owner = Volatile.Read(ref scheduler.driver);
            if (owner == null || owner == Thread.CurrentThread)
                scheduler.RunUntil(() => Volatile.Read(ref signalled));
            lock (this)
            {
                while (!signalled)
                    Monitor.Wait(this);
                signalled = false;
            }
        }
    }
}

/// <summary>Unwinds the threads of a simulation that is over.</summary>
internal sealed class SimulationEndedException() : Exception("the simulation is over");

/// <summary>Nothing can happen any more in a simulation, and somebody still waits.</summary>
/// <param name="waiting">Who waits.</param>
public sealed class SimulationDeadlockException(IReadOnlyList<string> waiting)
    : Exception($"nothing can happen any more in the simulation, and these wait: {string.Join(", ", waiting)}")
{
    /// <summary>The names of the threads and programs that wait.</summary>
    public IReadOnlyList<string> Waiting { get; } = waiting;
}
