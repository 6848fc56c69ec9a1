using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Linnet.Linux;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Bench.Programs;

/// <summary>What the measurements with real programs need of the computer.</summary>
internal static partial class Tools
{
    private const int RUSAGE_CHILDREN = -1;

    // Debian keeps servers where a user's PATH may not lead.
    private static readonly string[] Folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin"];

    /// <summary>The linnet command, built beside this program.</summary>
    public static string Linnet { get; } =
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../Linnet.Cli/release/Linnet.Cli"));

    /// <summary>This program.</summary>
    public static string Self => Environment.ProcessPath!;

    /// <summary>Whether this process has root's rights.</summary>
    public static bool IsRoot => Environment.IsPrivilegedProcess;

    /// <summary>Processor time, user and system, of all that was started and has ended, in seconds.</summary>
    public static double ChildrenSeconds
    {
        get
        {
            Span<long> usage = stackalloc long[18];
            _ = Getrusage(RUSAGE_CHILDREN, usage);
            return usage[0] + usage[2] + (usage[1] + usage[3]) / 1e6;
        }
    }

    /// <summary>Those of the programs that are not installed.</summary>
    public static string[] Missing(params string[] names) => [.. names.Where(name => Find(name) == null)];

    /// <summary>A port of the loopback that is free now.</summary>
    public static int FreePort()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Starts a program without showing what it prints.</summary>
    public static Process Start(string name, params string[] arguments)
    {
        Process process = Process.Start(new ProcessStartInfo(Find(name) ?? name, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        })!;
        process.StandardInput.Close();
        return process;
    }

    /// <summary>Runs a program.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="FailedException">It failed, or took too long.</exception>
    public static string Run(TimeSpan limit, string name, params string[] arguments)
    {
        using Process process = Start(name, arguments);
        return Finish(process, limit);
    }

    /// <summary>Waits for a program.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="FailedException">It failed, or took too long.</exception>
    public static string Finish(Process process, TimeSpan limit)
    {
        Task<string> error = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            Stop(process);
            throw new FailedException($"{process.StartInfo.FileName} took longer than {limit.TotalSeconds:0} s");
        }

        return process.ExitCode == 0
            ? output.Result
            : throw new FailedException(
                $"{process.StartInfo.FileName} ended with status {process.ExitCode}: {Last(error.Result)} {Last(output.Result)}");
    }

    /// <summary>Ends a program that this one started, and waits for it.</summary>
    public static void Stop(Process process)
    {
        if (!process.HasExited)
            _ = Native.Kill(process.Id, SIGTERM);
        if (!process.WaitForExit(TimeSpan.FromSeconds(5)))
            process.Kill(entireProcessTree: true);
        process.WaitForExit();
    }

    /// <summary>Waits until a condition holds.</summary>
    /// <exception cref="FailedException">It does not come to hold.</exception>
    public static void Await(string what, Func<bool> condition)
    {
        for (long end = Environment.TickCount64 + 10_000; !condition(); Thread.Sleep(20))
        {
            if (Environment.TickCount64 > end)
                throw new FailedException($"{what}: waited in vain");
        }
    }

    /// <summary>Waits until a server takes connections on the loopback.</summary>
    public static void AwaitServer(int port) => Await($"a server on port {port}", () =>
    {
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    });

    private static string? Find(string name) => Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static string Last(string text) => text.Trim().Split('\n')[^1];

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int Getrusage(int who, Span<long> usage);
}

/// <summary>A measurement could not be made.</summary>
internal sealed class FailedException(string message) : Exception(message);
