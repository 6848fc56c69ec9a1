using System.Security.Cryptography;
using Linnet.Testing;

namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>A folder of a test's own, and labs that run in it as <c>linnet up</c> runs them.</summary>
internal sealed class RealLab : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-programs-");

    public RealLab()
    {
        // Servers that give up root's rights read it too.
        File.SetUnixFileMode(root.FullName, (UnixFileMode)0b111_101_101);
    }

    /// <summary>The folder, which goes with this object.</summary>
    public string Folder => root.FullName;

    /// <summary>The folder of the programs that the tests brought.</summary>
    public static string Programs => Path.Combine(AppContext.BaseDirectory, "Programs");

    /// <summary>Writes a file.</summary>
    /// <returns>Its full name.</returns>
    public string Write(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>Writes a script for a shell, which starts in the folder.</summary>
    /// <returns>The command that runs it.</returns>
    public string Script(string name, string text) => $"sh {Write($"{name}.sh", $"cd {Folder} || exit\n{text}\n")}";

    /// <summary>Writes a file that cannot be compressed or guessed; the same for the same seed.</summary>
    /// <returns>Its SHA-256, as <c>sha256sum</c> prints it.</returns>
    public string WriteRandom(string name, int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    /// <summary>The SHA-256 of a file, as <c>sha256sum</c> prints it.</summary>
    public string Sha256Of(string name) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Folder, name))));

    /// <summary>Reads a file.</summary>
    public string Read(string name) => File.ReadAllText(Path.Combine(Folder, name));

    /// <summary>Runs a lab until its main program ends.</summary>
    /// <param name="lab">The lab's file.</param>
    /// <param name="seconds">How long that may take.</param>
    /// <param name="options">Options of <c>linnet up</c>.</param>
    /// <exception cref="TimeoutException">It took longer: its programs have been ended, and the message has what they printed.</exception>
    public async Task<LabOutcome> UpAsync(string lab, int seconds = 60, params string[] options) =>
        new(await CliRun.RunAsync(TimeSpan.FromSeconds(seconds), ["up", .. options, Write("lab.yaml", lab)]));

    public void Dispose() => root.Delete(recursive: true);
}

/// <summary>How a lab ended, and what its programs printed.</summary>
internal sealed class LabOutcome(CliRun run)
{
    /// <summary>The main program's exit status.</summary>
    public int Status => run.Status;

    /// <summary>All that was printed, for the messages of failed tests.</summary>
    public string All => run.Output + run.Error;

    /// <summary>What a host's programs printed.</summary>
    public string[] Of(string host) =>
    [
        .. run.Lines.Select(line => line.Split(" | ", 2)).Where(parts => parts.Length == 2 && parts[0].TrimEnd() == host).Select(parts => parts[1]),
    ];

    /// <summary>What a host's programs printed, as one text.</summary>
    public string TextOf(string host) => string.Join('\n', Of(host));

    /// <summary>Fails the test, with all that was printed, when the main program failed.</summary>
    public LabOutcome Succeeded()
    {
        Assert.True(Status == 0, $"exit status {Status}\n{All}");
        return this;
    }
}
