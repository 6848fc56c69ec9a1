namespace Linnet.Linux;

/// <summary>
/// Answers that came too late. A signal ends a call on the host's side even while it is being made here; the host then makes it
/// once more, or the program does when it sees EINTR. What was done is not done twice: the second call gets the first one's answer.
/// </summary>
internal sealed unsafe class LostAnswers
{
    // A handler may run in between. What is repeated later is another call.
    public const int KeepMilliseconds = 250;

    private readonly Lock gate = new();
    private readonly List<Answer> answers = [];
    private volatile int count;

    /// <summary>Keeps the answer to a call that nobody waited for any more.</summary>
    public void Keep(HostProcess process, in SeccompCall call, long result)
    {
        lock (gate)
        {
            DropOld();
            answers.Add(new Answer(process, call, result, Environment.TickCount64 + KeepMilliseconds, HostProcess.TakeLate()));
            count = answers.Count;
        }
    }

    /// <summary>Whether a call is one made again, and the answer that it gets.</summary>
    public bool TryTake(HostProcess process, in SeccompCall call, out long result)
    {
        result = 0;
        if (count == 0)
            return false;
        lock (gate)
        {
            DropOld();
            SeccompCall repeated = call;

            // A thread that makes another call instead has given the first one up: the descriptor may be another socket later.
            answers.RemoveAll(answer => answer.Call.Tid == repeated.Tid && !IsSame(answer.Call, repeated));
            int index = answers.FindIndex(answer => answer.Process == process && IsSame(answer.Call, repeated));
            if (index >= 0)
            {
                result = answers[index].Result;
                foreach (LateWrite write in answers[index].Writes)
                    result = process.Memory.CopyToUser(write.Address, write.Data) == 0 ? result : -EFAULT;
                answers.RemoveAt(index);
            }

            count = answers.Count;
            return index >= 0;
        }
    }

    /// <summary>Whether a call is another one made again.</summary>
    public static bool IsSame(in SeccompCall one, in SeccompCall other)
    {
        if (one.Tid != other.Tid || one.Nr != other.Nr || one.InstructionPointer != other.InstructionPointer)
            return false;
        fixed (ulong* a = one.Arguments, b = other.Arguments)
            return new ReadOnlySpan<ulong>(a, 6).SequenceEqual(new ReadOnlySpan<ulong>(b, 6));
    }

    private void DropOld()
    {
        long now = Environment.TickCount64;
        answers.RemoveAll(answer => answer.Until < now);
    }

    private sealed record Answer(HostProcess Process, SeccompCall Call, long Result, long Until, IReadOnlyList<LateWrite> Writes);
}
