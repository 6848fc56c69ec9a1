using System.Collections;
using Linnet.Linux;
using static Linnet.Kernel.Uapi.SyscallH;

namespace Linnet.Bench.Programs;

/// <summary>
/// The least that a supervisor can do: the same filter, the same way of waiting and answering, and each call that asks for a
/// name answered with 0 at once. What it takes is what the host's notification itself takes.
/// </summary>
internal static unsafe class BareSupervisor
{
    /// <summary>Runs a program under it.</summary>
    /// <returns>Its exit status.</returns>
    public static int Run(string[] command)
    {
        using Launcher launcher = new(new ProgramStart
        {
            FileName = command[0],
            Arguments = command[1..],
            Environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
                .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? ""),
        });
        using SeccompListener listener = launcher.Prepare();
        Thread server = new(() => Serve(listener)) { IsBackground = true };
        server.Start();
        int pid = launcher.Launch();
        int status;
        while (Native.Waitpid(pid, &status, 0) != pid)
        {
        }

        return (status & 0x7f) == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f);
    }

    private static void Serve(SeccompListener listener)
    {
        while (listener.Receive(out SeccompCall call))
        {
            if (call.Nr == __NR_getsockname)
                listener.Respond(call.Id, 0);
            else
                listener.Continue(call.Id);
        }
    }
}
