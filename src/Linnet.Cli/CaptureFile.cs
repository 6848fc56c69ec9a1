namespace Linnet.Cli;

/// <summary>The file that <c>--pcap</c> names.</summary>
internal static class CaptureFile
{
    /// <summary>Opens the file for writing.</summary>
    /// <returns>The stream, or null when none was named.</returns>
    /// <exception cref="FailureException">It cannot be written.</exception>
    public static FileStream? Open(FileInfo? file)
    {
        if (file == null)
            return null;
        try
        {
            return new FileStream(file.FullName, FileMode.Create, FileAccess.Write, FileShare.Read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FailureException($"cannot write {file}: {e.Message.TrimEnd('.')}");
        }
    }
}
