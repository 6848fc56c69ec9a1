using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>A folder of the host's that only this user may look into.</summary>
internal static unsafe class HostFolder
{
    private const int Directory = 0x10000;
    private const int NoFollow = 0x20000;
    private const uint Permissions = 0x1FF;
    private const uint OwnerOnly = 0x1C0;

    /// <summary>This user's number.</summary>
    public static uint User => Geteuid();

    /// <summary>Makes a folder that is closed to all others, unless something is there.</summary>
    public static void Create(string path) => _ = Mkdir(path, OwnerOnly);

    /// <summary>Whether there is a folder there, no link to one, that is this user's and closed to all others.</summary>
    public static bool IsPrivate(string path)
    {
        int fd = Open(path, Directory | NoFollow | O_CLOEXEC);
        if (fd < 0)
            return false;
        HostStat stat;
        int result = Fstat(fd, &stat);
        _ = Close(fd);
        return result == 0 && stat.User == User && (stat.Mode & Permissions) == OwnerOnly;
    }
}
