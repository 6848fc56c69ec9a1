using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>
/// A network namespace of the host that a test made for itself: it holds nothing but what the test puts there, and no
/// packet leaves it. It is removed at the end, with the programs that still run in it.
/// </summary>
internal sealed partial class HostNamespace : IDisposable
{
    private static int counter;

    private readonly List<Process> running = [];

    private HostNamespace(string name) => Name = name;

    /// <summary>The namespace's name, as <c>ip netns</c> knows it.</summary>
    public string Name { get; }

    /// <summary>Makes a namespace with its loopback device up, or skips the test where that is not allowed.</summary>
    public static HostNamespace CreateOrSkip()
    {
        if (Geteuid() != 0)
            Assert.Skip("making network namespaces and TAP devices needs root");
        if (!File.Exists("/dev/net/tun"))
            Assert.Skip("the host has no /dev/net/tun");
        string name = $"linnet-{Environment.ProcessId}-{Interlocked.Increment(ref counter)}";
        Result made = Execute("ip", "netns", "add", name);
        if (made.ExitCode != 0)
            Assert.Skip($"the host lets nobody make network namespaces: {made.Errors.Trim()}");
        HostNamespace created = new(name);
        created.Run("ip", "link", "set", "lo", "up").ThrowIfFailed();
        return created;
    }

    /// <summary>Runs <paramref name="action"/> on a thread that is in the namespace.</summary>
    public void Inside(Action action)
    {
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                using SafeFileHandle file = File.OpenHandle($"/var/run/netns/{Name}");
                const int CLONE_NEWNET = 0x40000000;
                if (Setns((int)file.DangerousGetHandle(), CLONE_NEWNET) != 0)
                    throw new InvalidOperationException($"setns: {Marshal.GetLastPInvokeErrorMessage()}");
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure != null)
            throw new InvalidOperationException($"in namespace {Name}: {failure.Message}", failure);
    }

    /// <summary>Runs a program in the namespace to its end.</summary>
    public Result Run(string program, params string[] arguments) =>
        Execute("ip", ["netns", "exec", Name, program, .. arguments]);

    /// <summary>Starts a program in the namespace; it is ended with the namespace.</summary>
    public Process Start(string program, params string[] arguments)
    {
        Process process = Launch("ip", ["netns", "exec", Name, program, .. arguments]);
        running.Add(process);
        return process;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Process process in running)
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }

        Execute("ip", "netns", "del", Name);
    }

    /// <summary>Runs a program of the host to its end, for at most half a minute.</summary>
    public static Result Execute(string program, params string[] arguments)
    {
        using Process process = Launch(program, arguments);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(TimeSpan.FromSeconds(30));
        if (!ended)
            process.Kill(entireProcessTree: true);

        // A child that it left behind may hold the pipes open.
        if (!Task.WhenAll(output, errors).Wait(TimeSpan.FromSeconds(10)))
            return new Result(-1, "", $"{program} left its output open");
        return ended
            ? new Result(process.ExitCode, output.Result, errors.Result)
            : new Result(-1, output.Result, $"{program} did not end within 30 seconds\n{errors.Result}");
    }

    private static Process Launch(string program, string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int Setns(int fd, int kind);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint Geteuid();

    /// <summary>How a program ended.</summary>
    internal sealed record Result(int ExitCode, string Output, string Errors)
    {
        /// <summary>Throws with what the program said, when it failed.</summary>
        public Result ThrowIfFailed() =>
            ExitCode == 0 ? this : throw new InvalidOperationException($"exit status {ExitCode}: {Errors}{Output}");
    }
}
