using System.Text;

namespace Linnet.Cli.Serve;

/// <summary>What a request target names.</summary>
internal enum SiteEntryKind
{
    /// <summary>Nothing that there is.</summary>
    Missing,

    /// <summary>Something outside of the directory, or unreadable.</summary>
    Forbidden,

    /// <summary>A file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,
}

/// <summary>What a request target names.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Path">Where it is, for a file or a directory.</param>
internal readonly record struct SiteEntry(SiteEntryKind Kind, string Path = "");

/// <summary>The files under a directory, by the paths of URLs. Nothing outside of the directory can be reached.</summary>
internal sealed class SiteFiles
{
    private readonly string root;

    /// <summary>Serves a directory.</summary>
    /// <exception cref="DirectoryNotFoundException">There is none.</exception>
    public SiteFiles(string directory)
    {
        DirectoryInfo info = new(directory);
        if (!info.Exists)
            throw new DirectoryNotFoundException($"no such directory: {directory}");
        root = Real(info).FullName.TrimEnd(Path.DirectorySeparatorChar);
    }

    /// <summary>Finds what a path names.</summary>
    /// <param name="path">The path of a URL, decoded, beginning with a slash.</param>
    public SiteEntry Find(string path)
    {
        List<string> names = [];
        foreach (string name in path.Split('/'))
        {
            if (name is "" or ".")
                continue;
            if (name == "..")
            {
                if (names.Count == 0)
                    return new SiteEntry(SiteEntryKind.Forbidden);
                names.RemoveAt(names.Count - 1);
                continue;
            }

            names.Add(name);
        }

        return Walk(names, path.EndsWith('/'));
    }

    // Step by step, so that a symbolic link on the way cannot lead out either.
    private SiteEntry Walk(List<string> names, bool wantsDirectory)
    {
        string current = root;
        for (int i = 0; i < names.Count; i++)
        {
            string next = Path.Combine(current, names[i]);
            FileSystemInfo info = Directory.Exists(next) ? new DirectoryInfo(next) : new FileInfo(next);
            if (!info.Exists)
                return new SiteEntry(SiteEntryKind.Missing);
            FileSystemInfo real = Real(info);
            if (!IsInside(real.FullName))
                return new SiteEntry(SiteEntryKind.Forbidden);
            if (real is FileInfo)
            {
                bool last = i == names.Count - 1 && !wantsDirectory;
                return last ? new SiteEntry(SiteEntryKind.File, real.FullName) : new SiteEntry(SiteEntryKind.Missing);
            }

            current = real.FullName;
        }

        return new SiteEntry(SiteEntryKind.Directory, current);
    }

    private bool IsInside(string path) =>
        path == root || path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static FileSystemInfo Real(FileSystemInfo info) => info.ResolveLinkTarget(returnFinalTarget: true) ?? info;

    /// <summary>Takes the path out of a request target.</summary>
    /// <param name="target">As in the request line.</param>
    /// <param name="path">The decoded path, beginning with a slash.</param>
    /// <returns>False when the target is malformed.</returns>
    public static bool TryGetPath(string target, out string path)
    {
        path = "";
        int scheme = target.IndexOf("://", StringComparison.Ordinal);
        if (scheme > 0 && target[0] != '/')
        {
            int slash = target.IndexOf('/', scheme + 3);
            target = slash < 0 ? "/" : target[slash..];
        }

        if (target[0] != '/')
            return false;
        int end = target.AsSpan().IndexOfAny('?', '#');
        return TryDecode(end < 0 ? target : target[..end], out path);
    }

    private static bool TryDecode(string text, out string decoded)
    {
        decoded = "";
        byte[] bytes = new byte[text.Length];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            int value = text[i];
            if (value == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                    return false;
                value = Convert.ToInt32(text.Substring(i + 1, 2), 16);
                i += 2;
            }

            if (value is 0 or > 255)
                return false;
            bytes[length++] = (byte)value;
        }

        try
        {
            decoded = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, 0, length);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }
}
