using Linnet.Kernel.Security;

namespace Linnet.Cli;

/// <summary>The file that <c>--policy</c> names.</summary>
internal static class PolicyFile
{
    /// <summary>Reads a policy.</summary>
    /// <exception cref="UsageException">There is no such file, or it is no policy.</exception>
    public static Policy Read(string path)
    {
        try
        {
            return Policy.Parse(File.ReadAllText(path), path);
        }
        catch (PolicySyntaxException e)
        {
            throw new UsageException(string.Join("\nlinnet: ", e.Errors));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cannot read the policy {path}: {e.Message.TrimEnd('.')}");
        }
    }
}
