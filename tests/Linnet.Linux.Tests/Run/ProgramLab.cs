using System.Collections;
using System.Diagnostics;

namespace Linnet.Linux.Tests.Run;

/// <summary>Two hosts on a link, and programs of the computer's on them.</summary>
internal sealed class ProgramLab : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Supervisor supervisor = new();
    private readonly List<(LinuxProgram Program, string Output)> programs = [];
    private readonly List<string> files = [];

    public ProgramLab()
    {
        Network = new Network();
        One = Network.AddHost("one");
        Two = Network.AddHost("two");
        Link = Network.Connect(One, "10.0.0.1/24", Two, "10.0.0.2/24");
    }

    public Network Network { get; }

    public Host One { get; }

    public Host Two { get; }

    public Link Link { get; }

    /// <summary>The folder of the test's own programs.</summary>
    public static string Programs => Path.Combine(AppContext.BaseDirectory, "Run", "Programs");

    /// <summary>Writes a file that goes with the lab.</summary>
    /// <returns>Its name.</returns>
    public string Write(string text)
    {
        string name = Path.GetTempFileName();
        File.WriteAllText(name, text);
        files.Add(name);
        return name;
    }

    /// <summary>Starts a shell command on a host.</summary>
    /// <returns>The program, and the file that takes its output.</returns>
    public (LinuxProgram Program, string Output) Start(Host host, string command)
    {
        string output = Path.GetTempFileName();
        using FileStream file = new(output, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        int fd = (int)file.SafeFileHandle.DangerousGetHandle();
        LinuxProgram program = LinuxProgram.Start(supervisor, host, new ProgramStart
        {
            FileName = "sh",
            Arguments = ["-c", command],
            Environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
                .ToDictionary(entry => (string)entry.Key, entry => (string)entry.Value!),
            Descriptors = new Dictionary<int, int> { [1] = fd, [2] = fd },
        });
        programs.Add((program, output));
        return (program, output);
    }

    /// <summary>Runs a shell command on a host to its end.</summary>
    /// <returns>Its exit status and output.</returns>
    public async Task<(int Status, string Output)> RunAsync(Host host, string command)
    {
        (LinuxProgram program, string output) = Start(host, command);
        int status = await program.Ended.WaitAsync(Limit, TestContext.Current.CancellationToken);
        string text = await File.ReadAllTextAsync(output, TestContext.Current.CancellationToken);
        programs.Remove((program, output));
        program.Dispose();
        File.Delete(output);
        return (status, text);
    }

    /// <summary>
    /// Runs a shell command on the computer itself: in a network of its own where that is allowed, so that what else goes on there
    /// does not show.
    /// </summary>
    public static async Task<(int Status, string Output)> RunOnHostAsync(string command)
    {
        string[] words = ["sh", "-c", $"({command}) 2>&1"];
        if (Environment.IsPrivilegedProcess)
            words = ["unshare", "--net", "sh", "-c", $"ip link set lo up; ({command}) 2>&1"];
        using Process process = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardOutput = true })!;
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(Limit);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }

    public void Dispose()
    {
        foreach ((LinuxProgram program, string output) in programs)
        {
            program.Signal(SIGKILL);
            program.Ended.Wait(Limit);
            program.Dispose();
            File.Delete(output);
        }

        files.ForEach(File.Delete);
        supervisor.Dispose();
        Network.Dispose();
    }
}
