namespace Linnet.Cli;

/// <summary>Files that the user names for output.</summary>
internal static class OutputFile
{
    /// <summary>Creates the file, or empties it.</summary>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public static FileStream Create(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new FailureException($"cannot write {path}: {e.Message.TrimEnd('.')}");
        }
    }
}
