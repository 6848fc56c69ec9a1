namespace Linnet;

/// <summary>The clock of a simulation; its timers fire between the steps of the <see cref="VirtualTimeScheduler"/>.</summary>
internal sealed class VirtualTimeProvider(VirtualTimeScheduler scheduler, DateTimeOffset start) : TimeProvider
{
    // Those that are due together fire in the order in which they were set. Guarded by itself.
    private readonly PriorityQueue<Shot, (long Due, long Sequence)> shots = new();
    private long now;
    private long sequence;

    /// <summary>Nanoseconds since the simulation began.</summary>
    public long Now
    {
        get => Volatile.Read(ref now);
        set => Volatile.Write(ref now, value);
    }

    /// <summary>When the next timer is due.</summary>
    public long? NextDue
    {
        get
        {
            lock (shots)
            {
                while (shots.TryPeek(out Shot? shot, out (long Due, long Sequence) key))
                {
                    if (shot.IsCurrent)
                        return key.Due;
                    shots.Dequeue();
                }
            }

            return null;
        }
    }

    /// <inheritdoc/>
    public override long TimestampFrequency => 1_000_000_000;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long GetTimestamp() => Now;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => start.AddTicks(Now / 100);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        VirtualTimer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Queues the callbacks of all timers that are due.</summary>
    public void QueueDue()
    {
        lock (shots)
        {
            while (shots.TryPeek(out Shot? shot, out (long Due, long Sequence) key) && key.Due <= Now)
            {
                shots.Dequeue();
                if (shot.IsCurrent)
                    shot.Fire();
            }
        }
    }

    /// <summary>One setting of a timer; it is void once the timer was set anew.</summary>
    private sealed class Shot(VirtualTimer timer, long period) : IThreadPoolWorkItem
    {
        public bool IsCurrent => timer.Next == this;

        public void Fire()
        {
            timer.Provider.Queue(this);
            timer.Next = null;
            if (period > 0)
                timer.Set(period, period);
        }

        public void Execute() => timer.Call();
    }

    private void Queue(Shot shot) => scheduler.Queue(shot);

    private sealed class VirtualTimer(VirtualTimeProvider provider, TimerCallback callback, object? state) : ITimer
    {
        private readonly ExecutionContext? executionContext = ExecutionContext.Capture();
        private bool disposed;

        public VirtualTimeProvider Provider => provider;

        public Shot? Next { get; set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (provider.shots)
            {
                if (disposed)
                    return false;
                Next = null;
                if (dueTime != Timeout.InfiniteTimeSpan)
                    Set(dueTime.Ticks * 100, period == Timeout.InfiniteTimeSpan ? 0 : period.Ticks * 100);
            }

            return true;
        }

        public void Set(long due, long period)
        {
            Next = new Shot(this, period);
            provider.shots.Enqueue(Next, (provider.Now + due, provider.sequence++));
        }

        public void Call()
        {
            if (executionContext != null)
                ExecutionContext.Run(executionContext, s => callback(s), state);
            else
                callback(state);
        }

        public void Dispose()
        {
            lock (provider.shots)
            {
                disposed = true;
                Next = null;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
