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

    /// <summary>The thread that waits.</summary>
    public int Tid { get; } = call.Tid;

    /// <summary>When it stops waiting, ms of <see cref="Environment.TickCount64"/>.</summary>
    public long Deadline => deadline;

    /// <summary>The socket that it waits for.</summary>
    public ShadowSocket? Shadow { get; init; }

    /// <summary>Makes the call again, unless a signal has ended it.</summary>
    /// <returns>Whether it is over.</returns>
    public bool TryAgain()
    {
        if (!listener.IsValid(id))
            return true;
        HostProcess.ActFor(Tid);
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
        answer(expired);
        return true;
    }

    /// <summary>Ends the wait.</summary>
    public void Answer(long result) => answer(result);
}
