namespace Linnet.Kernel.Uapi;

/// <summary>
/// Flags of eventfd (linux/eventfd.h).
/// </summary>
public static class EventFdH
{
    public const int EFD_SEMAPHORE = 1;
    public const int EFD_CLOEXEC = 0x80000;
    public const int EFD_NONBLOCK = 0x800;
}
