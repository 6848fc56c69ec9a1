namespace Linnet.Linux;

/// <summary>A call of a program that waits: it is made again whenever its socket says that something happened.</summary>
/// <param name="listener">Who knows whether it still waits.</param>
/// <param name="call">The call.</param>
/// <param name="answer">Answers it.</param>
/// <param name="attempt">Makes it; a result, or null when it still has to wait. Called with the shadow's gate.</param>
/// <param name="deadline">When it stops waiting, ms of <see cref="Environment.TickCount64"/>; <see cref="long.MaxValue"/> for never.</param>
/// <param name="expired">The result then.</param>
internal sealed class PendingCall(
    SeccompListener listener, in SeccompCall call, Action<long> answer, Func<long?> attempt, long deadline, long expired)
{
    private readonly ulong id = call.Id;
    private readonly SeccompCall made = call;

    /// <summary>The thread that waits.</summary>
    public int Tid { get; } = call.Tid;

    /// <summary>When it stops waiting, ms of <see cref="Environment.TickCount64"/>.</summary>
    public long Deadline => deadline;

    /// <summary>What it has done so far, or null where that is nothing.</summary>
    public CallProgress? Progress { get; init; }

    /// <summary>When it was found that a signal had ended it, ms of <see cref="Environment.TickCount64"/>; 0 before.</summary>
    public long LostAt { get; private set; }

    /// <summary>The socket that it waits for.</summary>
    public ShadowSocket? Shadow { get; init; }

    /// <summary>Called when it turns out that a signal has ended it.</summary>
    public Action? BrokenOff { get; init; }

    /// <summary>Makes the call again, unless a signal has ended it.</summary>
    /// <returns>Whether it is over.</returns>
    public bool TryAgain()
    {
        if (!listener.IsValid(id))
        {
            LostAt = Environment.TickCount64;
            BrokenOff?.Invoke();
            return true;
        }

        HostProcess.ActFor(Tid, listener, id);
        CallMemory.OfThread.Begin();
        long? attempted = attempt();
        CallMemory.OfThread.End();
        if (attempted is { } result)
        {
            // Null stands for "waits", so what was answered otherwise says so by this.
            if (result != SupervisedCalls.Answered)
                answer(result);
            return true;
        }

        if (Environment.TickCount64 < deadline)
            return false;
        answer(Progress?.Stop() ?? expired);
        return true;
    }

    /// <summary>Whether a call is this one, made again.</summary>
    public bool IsSame(in SeccompCall other) => LostAnswers.IsSame(made, other);

    /// <summary>Ends the wait.</summary>
    public void Answer(long result) => answer(result);
}

/// <summary>
/// What a call has done that still waits for more. Where a signal ends the wait, the call is made once more by the host or the
/// program, and goes on from there: nothing is sent twice, and nothing lost that was received.
/// </summary>
internal abstract class CallProgress
{
    /// <summary>Ends the call where it is.</summary>
    /// <returns>Its result; null when nothing has been done.</returns>
    public abstract long? Stop();
}
