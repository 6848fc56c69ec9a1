namespace Linnet.Kernel.Uapi;

/// <summary>
/// File types and modes (linux/stat.h).
/// </summary>
public static class StatH
{
    public const int S_IFMT = 0xf000;
    public const int S_IFDIR = 0x4000;
    public const int S_IFCHR = 0x2000;
    public const int S_IFBLK = 0x6000;
    public const int S_IFREG = 0x8000;
    public const int S_IFIFO = 0x1000;
    public const int S_IFLNK = 0xa000;
    public const int S_IFSOCK = 0xc000;
    public const int S_ISUID = 0x800;
    public const int S_ISGID = 0x400;
    public const int S_ISVTX = 0x200;
    public const int S_IRUSR = 0x100;
    public const int S_IWUSR = 0x80;
    public const int S_IXUSR = 0x40;
    public const int S_IRWXU = 0x1c0;
    public const int S_IRGRP = 0x20;
    public const int S_IWGRP = 0x10;
    public const int S_IXGRP = 8;
    public const int S_IRWXG = 0x38;
    public const int S_IROTH = 4;
    public const int S_IWOTH = 2;
    public const int S_IXOTH = 1;
    public const int S_IRWXO = 7;
}
