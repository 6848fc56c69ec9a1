using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel;

namespace Linnet;

/// <summary>
/// Parks a real thread: it spins for as long as that has paid lately, and sleeps then.
/// </summary>
internal abstract class HostThreadWaiter : ThreadWaiter
{
    protected const int Clear = 0;
    protected const int Signalled = 1;
    protected const int Asleep = 2;

    private const int MostSpins = 100;
    private const int InstructionsPerSpin = 10;

    private static readonly int LeastSpins = Environment.ProcessorCount > 1 ? 4 : 0;

    private int usefulSpins = LeastSpins;

    /// <summary>Where the thread is: nothing happened, it was signalled, or it sleeps.</summary>
    protected abstract ref int State { get; }

    public override void Signal()
    {
        if (Interlocked.Exchange(ref State, Signalled) == Asleep)
            WakeUp();
    }

    // A full fence: what the thread looks at next must not have been read before the signal was forgotten.
    protected override void Reset() => Interlocked.Exchange(ref State, Clear);

    protected override void Park()
    {
        if (!Spin() && Interlocked.CompareExchange(ref State, Asleep, Clear) == Clear)
            Sleep();
        Reset();
    }

    /// <summary>Sleeps while the state is <see cref="Asleep"/>.</summary>
    protected abstract void Sleep();

    /// <summary>Wakes the thread; the state has been changed.</summary>
    protected abstract void WakeUp();

    // How long spinning is worth while is learnt from how long it took before, as adaptive mutexes do.
    private bool Spin()
    {
        if (LeastSpins == 0)
            return false;
        int limit = Math.Min(MostSpins, usefulSpins * 2 + LeastSpins);
        for (int i = 0; i < limit; i++)
        {
            if (Volatile.Read(ref State) == Signalled)
            {
                usefulSpins += (i - usefulSpins) / 8 + 1;
                return true;
            }

            Thread.SpinWait(InstructionsPerSpin);
        }

        usefulSpins -= usefulSpins / 4;
        return false;
    }
}

/// <summary>Sleeps in the host kernel's <c>futex</c>: about a fifth of the time that a monitor takes to wake a thread.</summary>
internal sealed unsafe class FutexThreadWaiter : HostThreadWaiter
{
    // A cache line of its own, where it cannot move.
    private readonly int[] line = GC.AllocateArray<int>(32, pinned: true);

    protected override ref int State => ref line[16];

    protected override void Sleep()
    {
        int* state = (int*)Unsafe.AsPointer(ref line[16]);
        while (Volatile.Read(ref *state) == Asleep)
            Futex.Wait(state, Asleep);
    }

    protected override void WakeUp() => Futex.Wake((int*)Unsafe.AsPointer(ref line[16]));
}

/// <summary>Sleeps in a monitor, where there is no futex.</summary>
internal sealed class MonitorThreadWaiter : HostThreadWaiter
{
    private readonly object gate = new();
    private int state;

    protected override ref int State => ref state;

    protected override void Sleep()
    {
        lock (gate)
        {
            while (Volatile.Read(ref state) == Asleep)
                Monitor.Wait(gate);
        }
    }

    protected override void WakeUp()
    {
        lock (gate)
            Monitor.Pulse(gate);
    }
}

/// <summary>The <c>futex</c> call of a Linux host.</summary>
internal static unsafe partial class Futex
{
    private const int FutexWaitPrivate = 128;
    private const int FutexWakePrivate = 129;

    private static readonly nint Number = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 202,
        Architecture.Arm64 => 98,
        _ => 0,
    };

    /// <summary>Whether the host has the call.</summary>
    public static bool IsSupported => Number != 0 && OperatingSystem.IsLinux();

    /// <summary>Sleeps while <paramref name="word"/> is <paramref name="value"/>; may wake for no reason.</summary>
    public static void Wait(int* word, int value) => Syscall(Number, word, FutexWaitPrivate, value, 0, 0, 0);

    /// <summary>Wakes one thread that sleeps at <paramref name="word"/>.</summary>
    public static void Wake(int* word) => Syscall(Number, word, FutexWakePrivate, 1, 0, 0, 0);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Syscall(nint number, int* word, nint operation, nint value, nint timeout, nint word2, nint value3);
}
