namespace Linnet.Kernel.Uapi;

/// <summary>
/// Limits of vectored input and output (linux/uio.h).
/// </summary>
public static class UioH
{
    public const int UIO_FASTIOV = 8;
    public const int UIO_MAXIOV = 1024;
}
