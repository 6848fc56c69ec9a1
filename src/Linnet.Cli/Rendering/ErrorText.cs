using Linnet.Kernel.Uapi;

namespace Linnet.Cli.Rendering;

/// <summary>Errors of system calls, as a program sees them.</summary>
internal static class ErrorText
{
    /// <summary><c>-1 ECONNREFUSED (Connection refused)</c>.</summary>
    /// <param name="errno">Positive.</param>
    public static string Of(int errno) => $"-1 {Errno.Name(errno)} ({Errno.Describe(errno)})";
}
