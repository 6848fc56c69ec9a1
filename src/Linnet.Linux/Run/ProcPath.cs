using System.Globalization;

namespace Linnet.Linux;

/// <summary>Which files of <c>/proc</c> are a network's.</summary>
internal enum ProcTree
{
    /// <summary><c>/proc/net</c>, and <c>net</c> of a process or thread.</summary>
    Net,

    /// <summary><c>/proc/sys/net</c>.</summary>
    SysNet,
}

/// <summary>A file of <c>/proc</c> that tells of a network.</summary>
/// <param name="Tree">Where it is.</param>
/// <param name="Name">Its path there, as <c>tcp</c> or <c>core/somaxconn</c>.</param>
/// <param name="Pid">The process or thread whose network it is; 0 for the one that asks.</param>
/// <param name="IsFolder">Whether the path ends with a slash, so that only a folder will do.</param>
internal readonly record struct ProcPath(ProcTree Tree, string Name, int Pid, bool IsFolder)
{
    /// <summary>
    /// Whether it belongs to a family whose sockets are the host's: then so are its files.
    /// </summary>
    public bool IsOfHost => Name == "unix" || Name.StartsWith("unix/", StringComparison.Ordinal);

    /// <summary>Whether a path can lead to such a file: a quick look that turns most away.</summary>
    public static bool IsCandidate(ReadOnlySpan<byte> path) => path.IndexOf("proc"u8) >= 0;

    /// <summary>Reads a path by its words alone: links are not followed, but those of <c>/proc</c> itself.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="result">What it leads to.</param>
    /// <returns>Whether it leads to a file of a network, there or not.</returns>
    public static bool TryParse(string path, out ProcPath result)
    {
        result = default;
        List<string> parts = [];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part != "..")
            {
                if (part != ".")
                    parts.Add(part);
            }
            else if (parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
        }

        // A process's root is the same for all, unless it is confined to a part of the files, where there is no such folder.
        while (parts is ["proc", var owner, "root", ..] && (owner is "self" or "thread-self" || IsNumber(owner, out _)))
            parts.RemoveRange(0, 3);
        if (parts.Count < 3 || parts[0] != "proc")
            return false;
        int pid = 0;
        ProcTree tree = ProcTree.Net;
        int at = parts switch
        {
            [_, "net", ..] => 2,
            [_, "self" or "thread-self", "net", ..] => 3,
            [_, var process, "net", ..] when IsNumber(process, out pid) => 3,
            [_, "self", "task", var thread, "net", ..] when IsNumber(thread, out pid) => 5,
            [_, var process, "task", var thread, "net", ..] when IsNumber(process, out _) && IsNumber(thread, out pid) => 5,
            _ => 0,
        };
        if (parts is [_, "sys", "net", ..])
            (tree, at) = (ProcTree.SysNet, 3);
        if (at == 0 || parts.Count <= at)
            return false;
        bool folder = path.EndsWith('/') || path.EndsWith("/.", StringComparison.Ordinal);
        result = new ProcPath(tree, string.Join('/', parts.Skip(at)), pid, folder);
        return true;
    }

    private static bool IsNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}
