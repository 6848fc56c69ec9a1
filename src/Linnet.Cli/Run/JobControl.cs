using Linnet.Linux;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Cli.Run;

/// <summary>
/// Stops this process when the program has stopped, so that a shell's job control works as with the program alone. Ctrl-Z reaches both,
/// but the program may have to put the terminal in order first, and nothing moves there while this process stands still.
/// </summary>
internal sealed class JobControl : IDisposable
{
    // Other processes of the program's group may still be about to stop; who continues all of the group has done so by then.
    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(100);

    // Who started a child by vfork cannot stop before that runs another program; and where Ctrl-Z came in between, that stands still.
    private static readonly TimeSpan VforkInterval = TimeSpan.FromMilliseconds(250);
    private const int VforkLooks = 20;

    private readonly LinuxProgram program;
    private readonly Signals signals;
    private volatile bool isAsked;
    private volatile int stoppedBy;
    private volatile int stops;
    private volatile int stoppedFor;

    /// <summary>Begins to look after a program.</summary>
    public JobControl(LinuxProgram program)
    {
        this.program = program;
        signals = new Signals([SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT], Take);
        program.StopChanged = Changed;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        program.StopChanged = null;
        signals.Dispose();
    }

    private void Take(int signal)
    {
        // What continued this process may be seen only after what stops it next: it takes nothing back.
        isAsked |= signal != SIGCONT;
        _ = signal switch
        {
            SIGCONT => ContinueAsync(),
            SIGTSTP => StopAtLastAsync(),
            _ => StopAsync(),
        };
    }

    private void Changed(int signal)
    {
        if (signal != 0)
            stops++;
        stoppedBy = signal;
        _ = StopAsync();
    }

    // A program that is stopped by something else than keys is nobody's concern here.
    private async Task StopAsync()
    {
        if (!IsToStop())
            return;
        await Task.Delay(Settling);
        if (IsToStop())
            Stop();
    }

    private async Task StopAtLastAsync()
    {
        await StopAsync();
        for (int looks = 0, seen = 0; looks < VforkLooks && isAsked && !program.Ended.IsCompleted; looks++)
        {
            await Task.Delay(VforkInterval);
            seen = Signals.IsHeldUp(SIGTSTP, program.Pid) ? seen + 1 : 0;
            if (seen > 1 && isAsked)
                Stop();
        }
    }

    // Once for each stop of the program: it may still look stopped when this process goes on. What the terminal sends who reads in the
    // background is for the whole group, but may be seen here later than what came after it.
    private bool IsToStop() =>
        program.Ended.IsCompleted ? isAsked : stops != stoppedFor && (stoppedBy is SIGTTIN or SIGTTOU || (isAsked && stoppedBy != 0));

    private void Stop()
    {
        isAsked = false;
        stoppedFor = stops;
        LinuxProgram.StopSelf();
    }

    // Who continued this process alone means the program, unless Ctrl-Z came again: this may be seen only then.
    private async Task ContinueAsync()
    {
        await Task.Delay(Settling);
        if (stoppedBy != 0 && !isAsked)
            program.Signal(SIGCONT);
    }
}
