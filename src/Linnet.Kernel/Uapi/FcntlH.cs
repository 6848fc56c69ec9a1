namespace Linnet.Kernel.Uapi;

/// <summary>
/// File flags, fcntl commands, seek origins and splice flags (linux/fcntl.h, linux/fs.h, linux/splice.h).
/// </summary>
public static class FcntlH
{
    public const int O_ACCMODE = 3;
    public const int O_RDONLY = 0;
    public const int O_WRONLY = 1;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_NOCTTY = 0x100;
    public const int O_TRUNC = 0x200;
    public const int O_APPEND = 0x400;
    public const int O_NONBLOCK = 0x800;
    public const int O_DSYNC = 0x1000;
    public const int O_DIRECT = 0x4000;
    public const int O_LARGEFILE = 0x8000;
    public const int O_DIRECTORY = 0x10000;
    public const int O_NOFOLLOW = 0x20000;
    public const int O_NOATIME = 0x40000;
    public const int O_CLOEXEC = 0x80000;
    public const int O_SYNC = 0x101000;
    public const int O_PATH = 0x200000;
    public const int O_TMPFILE = 0x410000;
    public const int O_NDELAY = O_NONBLOCK;

    public const int F_DUPFD = 0;
    public const int F_GETFD = 1;
    public const int F_SETFD = 2;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int F_GETLK = 5;
    public const int F_SETLK = 6;
    public const int F_SETLKW = 7;
    public const int F_SETOWN = 8;
    public const int F_GETOWN = 9;
    public const int F_SETSIG = 10;
    public const int F_GETSIG = 11;
    public const int F_SETOWN_EX = 15;
    public const int F_GETOWN_EX = 16;
    public const int F_GETOWNER_UIDS = 17;
    public const int F_OFD_GETLK = 36;
    public const int F_OFD_SETLK = 37;
    public const int F_OFD_SETLKW = 38;
    public const int F_OWNER_TID = 0;
    public const int F_OWNER_PID = 1;
    public const int F_OWNER_PGRP = 2;
    public const int F_RDLCK = 0;
    public const int F_WRLCK = 1;
    public const int F_UNLCK = 2;
    public const int F_EXLCK = 4;
    public const int F_SHLCK = 8;
    public const int F_LINUX_SPECIFIC_BASE = 1024;
    public const int F_SETLEASE = 1024;
    public const int F_GETLEASE = 1025;
    public const int F_CANCELLK = 1029;
    public const int F_DUPFD_CLOEXEC = 1030;
    public const int F_NOTIFY = 1026;
    public const int F_SETPIPE_SZ = 1031;
    public const int F_GETPIPE_SZ = 1032;
    public const int F_ADD_SEALS = 1033;
    public const int F_GET_SEALS = 1034;
    public const int F_SEAL_SEAL = 1;
    public const int F_SEAL_SHRINK = 2;
    public const int F_SEAL_GROW = 4;
    public const int F_SEAL_WRITE = 8;
    public const int F_SEAL_FUTURE_WRITE = 0x10;
    public const int F_GET_RW_HINT = 1035;
    public const int F_SET_RW_HINT = 1036;
    public const int F_GET_FILE_RW_HINT = 1037;
    public const int F_SET_FILE_RW_HINT = 1038;
    public const int F_DUPFD_QUERY = 1027;
    public const int F_CREATED_QUERY = 1028;

    public const int FD_CLOEXEC = 1;

    public const int LOCK_SH = 1;
    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;
    public const int LOCK_UN = 8;
    public const int LOCK_MAND = 32;
    public const int LOCK_READ = 64;
    public const int LOCK_WRITE = 128;
    public const int LOCK_RW = 192;

    public const int RESOLVE_NO_XDEV = 1;
    public const int RESOLVE_NO_MAGICLINKS = 2;
    public const int RESOLVE_NO_SYMLINKS = 4;
    public const int RESOLVE_BENEATH = 8;
    public const int RESOLVE_IN_ROOT = 0x10;
    public const int RESOLVE_CACHED = 0x20;

    public const int RWF_WRITE_LIFE_NOT_SET = 0;
    public const int RWF_HIPRI = 1;
    public const int RWF_DSYNC = 2;
    public const int RWF_SYNC = 4;
    public const int RWF_NOWAIT = 8;
    public const int RWF_APPEND = 0x10;
    public const int RWF_NOAPPEND = 0x20;
    public const int RWF_ATOMIC = 0x40;
    public const int RWF_DONTCACHE = 0x80;
    public const int RWF_NOSIGNAL = 0x100;

    public const int DN_ACCESS = 1;
    public const int DN_MODIFY = 2;
    public const int DN_CREATE = 4;
    public const int DN_DELETE = 8;
    public const int DN_RENAME = 0x10;
    public const int DN_ATTRIB = 0x20;
    public const uint DN_MULTISHOT = 0x80000000;

    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;
    public const int AT_EACCESS = 0x200;
    public const int AT_REMOVEDIR = 0x200;
    public const int AT_SYMLINK_FOLLOW = 0x400;
    public const int AT_NO_AUTOMOUNT = 0x800;
    public const int AT_EMPTY_PATH = 0x1000;
    public const int AT_STATX_SYNC_TYPE = 0x6000;
    public const int AT_STATX_SYNC_AS_STAT = 0;
    public const int AT_STATX_FORCE_SYNC = 0x2000;
    public const int AT_STATX_DONT_SYNC = 0x4000;
    public const int AT_RECURSIVE = 0x8000;

    public const int SEEK_SET = 0;
    public const int SEEK_CUR = 1;
    public const int SEEK_END = 2;
    public const int SEEK_DATA = 3;
    public const int SEEK_HOLE = 4;
    public const int SEEK_MAX = SEEK_HOLE;

    public const int RENAME_NOREPLACE = 1;
    public const int RENAME_EXCHANGE = 2;
    public const int RENAME_WHITEOUT = 4;

    public const int SPLICE_F_MOVE = 1;
    public const int SPLICE_F_NONBLOCK = 2;
    public const int SPLICE_F_MORE = 4;
    public const int SPLICE_F_GIFT = 8;
    public const int SPLICE_F_ALL = 0xf;
}
