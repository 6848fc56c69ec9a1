using System.Globalization;
using System.Runtime.InteropServices;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Cli.Run;

/// <summary>
/// Takes signals. Those that it was told to ignore when it was started, as by <c>nohup</c>, it does not
/// take: they stay ignored, and so they are for the programs that it starts.
/// </summary>
/// <remarks>.NET takes SIGTERM before any code of ours runs, so that nobody can tell whether that was ignored.</remarks>
internal sealed class Signals : IDisposable
{
    private const string IgnoredLine = "SigIgn:";

    // As shells have it.
    private const int StatusOfSignals = 128;

    /// <summary>Signals that ask for an end.</summary>
    public static readonly int[] ToEnd = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];

    private readonly PosixSignalRegistration[] registrations;

    /// <summary>Begins to take them.</summary>
    /// <param name="numbers">Which.</param>
    /// <param name="take">Told of each one's number, on any thread.</param>
    public Signals(IEnumerable<int> numbers, Action<int> take)
    {
        ulong ignored = ReadMask(File.ReadAllLines("/proc/self/status"), IgnoredLine);
        registrations =
        [
            .. numbers.Where(number => (ignored >> (number - 1) & 1) == 0)
                .Select(number => PosixSignalRegistration.Create((PosixSignal)number, context =>
                {
                    context.Cancel = true;
                    take(number);
                })),
        ];
    }

    /// <summary>The exit status of who ends because of a signal.</summary>
    public static int StatusOf(int signal) => StatusOfSignals + signal;

    /// <summary>Whether this process is in the foreground of its terminal, so that keys like Ctrl-C send signals to it and its programs alike.</summary>
    public static bool ComeFromKeys()
    {
        // State, parent, process group, session, terminal and its foreground's process group stand behind the name.
        const int Group = 2, Foreground = 5;
        string text = File.ReadAllText("/proc/self/stat");
        string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
        return fields[Group] == fields[Foreground];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in registrations)
            registration.Dispose();
    }

    /// <summary>Whether a signal that nothing has been said about waits for a process that cannot be interrupted now.</summary>
    public static bool IsHeldUp(int signal, int pid)
    {
        try
        {
            string[] status = File.ReadAllLines($"/proc/{pid}/status");
            return status.Contains("State:\tD (disk sleep)")
                && Has("ShdPnd:") && !Has("SigCgt:") && !Has(IgnoredLine);

            bool Has(string mask) => (ReadMask(status, mask) >> (signal - 1) & 1) != 0;
        }
        catch (IOException)
        {
            // It is gone.
            return false;
        }
    }

    private static ulong ReadMask(string[] status, string name) =>
        ulong.Parse(
            status.First(line => line.StartsWith(name, StringComparison.Ordinal)).AsSpan(name.Length).Trim(),
            NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
