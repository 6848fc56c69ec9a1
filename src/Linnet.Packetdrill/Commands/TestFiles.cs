using System.Diagnostics.CodeAnalysis;
using System.Text;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;

namespace Linnet.Packetdrill.Commands;

/// <summary>
/// The files that a run's commands and calls see: <c>/proc/sys</c>, <c>/proc/net</c> and module parameters of the namespace under
/// test, <c>/dev/null</c> and <c>/dev/zero</c>, and files of their own that are kept in memory for the run. Nothing of the host is seen
/// but shell scripts, which are named relative to the script, and nothing is written to it.
/// </summary>
/// <param name="net">The namespace under test.</param>
/// <param name="scriptPath">The script's file.</param>
public sealed class TestFiles(NetNamespace net, string scriptPath)
{
    private const string ProcSys = "/proc/sys/";
    private const string ProcNet = "/proc/net/";
    private const string SysModule = "/sys/module/";

    private readonly SortedDictionary<string, string> files = new(StringComparer.Ordinal);

    /// <summary>Whether there is such a file.</summary>
    public bool Exists(string path) => path is "/dev/null" or "/dev/zero" || TryRead(path, out _);

    /// <summary>Reads a file; a character is a byte.</summary>
    public bool TryRead(string path, out string content)
    {
        content = "";
        if (path == "/dev/null")
            return true;
        if (path.StartsWith(ProcNet, StringComparison.Ordinal))
            return Kernel.Net.Core.ProcNet.Of(net.Machine).Read(net, path[ProcNet.Length..], out content) == 0;
        if (Setting(path) is { } setting)
            return setting.Table.Read(setting.Path, out content) == 0;
        bool found = files.TryGetValue(path, out string? text);
        content = text ?? "";
        return found;
    }

    /// <summary>Writes a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="content">What to write.</param>
    /// <param name="append">Whether to keep what is there.</param>
    /// <param name="problem">What is wrong.</param>
    public bool Write(string path, string content, bool append, [NotNullWhen(false)] out string? problem)
    {
        problem = null;
        if (path is "/dev/null" or "/dev/zero")
            return true;
        if (Setting(path) is { } setting)
        {
            using KernelEntry entry = net.Machine.Enter();
            int result = setting.Table.Write(setting.Path, content);
            problem = result < 0 ? ErrorText(-result) : null;
        }
        else if (path.StartsWith("/proc/", StringComparison.Ordinal) || path.StartsWith("/sys/", StringComparison.Ordinal))
            problem = ErrorText(EACCES);
        else
            files[path] = append && files.TryGetValue(path, out string? before) ? before + content : content;
        return problem is null;
    }

    /// <summary>Removes a file; false when there is none.</summary>
    public bool Remove(string path) => files.Remove(path);

    /// <summary>Reads a shell script: one that was written by the run, or one of the host, relative to the script's directory.</summary>
    internal bool TryReadScript(string path, out string text)
    {
        if (files.TryGetValue(path, out text!))
            return true;
        text = "";
        string full = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(scriptPath)) ?? "/", path);
        if (!File.Exists(full))
            return false;
        text = File.ReadAllText(full, Encoding.UTF8);
        return true;
    }

    internal static string ErrorText(int errno) => Errno.Describe(errno);

    /// <summary>The setting that a file stands for: one of the namespace, or a parameter of one of the machine's modules.</summary>
    private (SysctlTable Table, string Path)? Setting(string path)
    {
        if (path.StartsWith(ProcSys, StringComparison.Ordinal))
            return (net.Sysctl, path[ProcSys.Length..]);
        return path.StartsWith(SysModule, StringComparison.Ordinal)
            ? (net.Machine.Modules.Parameters, "module/" + path[SysModule.Length..])
            : null;
    }
}
