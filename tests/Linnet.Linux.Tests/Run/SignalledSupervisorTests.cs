using System.Runtime.InteropServices;

namespace Linnet.Linux.Tests.Run;

/// <summary>
/// Signals for the supervisor itself, as the runtime sends them to its threads when it collects garbage and as the host does when
/// a program that it follows stops, end no call of a program.
/// </summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class SignalledSupervisorTests
{
    private const int SigWinch = 28;

    [Fact]
    public async Task No_call_of_a_program_fails_by_them()
    {
        // With a handler they interrupt what a thread of this process waits for.
        int handled = 0;
        using PosixSignalRegistration handler = PosixSignalRegistration.Create(PosixSignal.SIGWINCH, _ => Interlocked.Increment(ref handled));
        using ProgramLab lab = new();
        (LinuxProgram program, string output) = lab.Start(lab.One, $"python3 {ProgramLab.Programs}/churn.py 200");
        int[] supervisors = [.. Directory.GetDirectories("/proc/self/task").Where(IsSupervisor).Select(task => int.Parse(Path.GetFileName(task)))];
        Assert.NotEmpty(supervisors);
        Thread bombing = new(() =>
        {
            while (!program.Ended.IsCompleted)
            {
                foreach (int tid in supervisors)
                    _ = Native.Tgkill(Environment.ProcessId, tid, SigWinch);
                Thread.SpinWait(200);
            }
        });
        bombing.Start();
        Assert.Equal(0, await program.Ended.WaitAsync(TimeSpan.FromSeconds(60)));
        bombing.Join();
        Assert.Equal("all well\n", await File.ReadAllTextAsync(output));
        Assert.True(handled > 0);
    }

    private static bool IsSupervisor(string task)
    {
        try
        {
            return File.ReadAllText($"{task}/comm").StartsWith("linnet ");
        }
        catch (IOException)
        {
            // The thread ended meanwhile.
            return false;
        }
    }
}
