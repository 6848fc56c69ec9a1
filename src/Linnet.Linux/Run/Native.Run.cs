using System.Runtime.InteropServices;

namespace Linnet.Linux;

/// <summary>The calls of the host that running programs needs.</summary>
internal static unsafe partial class Native
{
    public const int PR_SET_NO_NEW_PRIVS = 38;
    public const int PR_SET_CHILD_SUBREAPER = 36;

    public const uint MfdCloexec = 1;
    public const uint MfdAllowSealing = 2;

    public const int EpollCtlAdd = 1;
    public const int EpollCtlDel = 2;
    public const int EpollCtlMod = 3;

    /// <summary>Attributes and file actions of <c>posix_spawn</c> are opaque; glibc's and musl's fit.</summary>
    public const int SpawnAttributesSize = 512;

    public const short PosixSpawnSetsigdef = 4;
    public const short PosixSpawnSetsigmask = 8;
    public const int SigsetSize = 128;

    public const int NrSeccomp = 317;
    private const int NrPidfdOpen = 434;
    private const int NrPidfdGetfd = 438;
    private const int NrPidfdSendSignal = 424;
    private const int NrTgkill = 234;

    public static int PidfdOpen(int pid) => (int)Syscall(NrPidfdOpen, pid, 0, 0, 0, 0, 0);

    public static int PidfdGetfd(int pidfd, int fd) => (int)Syscall(NrPidfdGetfd, pidfd, fd, 0, 0, 0, 0);

    public static int PidfdSendSignal(int pidfd, int signal) => (int)Syscall(NrPidfdSendSignal, pidfd, signal, 0, 0, 0, 0);

    public static int Tgkill(int tgid, int tid, int signal) => (int)Syscall(NrTgkill, tgid, tid, signal, 0, 0, 0);

    [LibraryImport("libc", EntryPoint = "ptrace", SetLastError = true)]
    public static partial nint Ptrace(nint request, int pid, nint address, nint data);

    [LibraryImport("libc", EntryPoint = "process_vm_readv")]
    public static partial nint ProcessVmReadv(int pid, HostIovec* local, nuint localCount, HostIovec* remote, nuint remoteCount, nuint flags);

    [LibraryImport("libc", EntryPoint = "process_vm_writev")]
    public static partial nint ProcessVmWritev(int pid, HostIovec* local, nuint localCount, HostIovec* remote, nuint remoteCount, nuint flags);

    /// <summary>Reads a file of <c>/proc</c>, which never waits; the collector waits for it instead.</summary>
    [LibraryImport("libc", EntryPoint = "pread")]
    [SuppressGCTransition]
    public static partial nint PreadOfProc(int fd, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    public static partial int Socketpair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(int fd, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "listen", SetLastError = true)]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    public static partial int Connect(int fd, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    public static partial int Accept4(int fd, void* address, uint* length, int flags);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "dup3", SetLastError = true)]
    public static partial int Dup3(int fd, int target, int flags);

    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    public static partial int Getsockopt(int fd, int level, int name, void* value, uint* length);

    [LibraryImport("libc", EntryPoint = "shutdown", SetLastError = true)]
    public static partial int Shutdown(int fd, int how);

    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int Setsockopt(int fd, int level, int name, void* value, uint length);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    public static partial nint Send(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    public static partial nint Recv(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MemfdCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint Readlink(string path, byte* target, nuint size);

    [LibraryImport("libc", EntryPoint = "readlink", SetLastError = true)]
    public static partial nint Readlink(byte* path, byte* target, nuint size);

    [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
    public static partial int Fstat(int fd, HostStat* stat);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int EpollCreate1(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int EpollCtl(int epoll, int operation, int fd, HostEpollEvent* change);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int EpollWait(int epoll, HostEpollEvent* events, int count, int timeout);

    [LibraryImport("libc", EntryPoint = "waitpid", SetLastError = true)]
    public static partial int Waitpid(int pid, int* status, int options);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_init")]
    public static partial int PosixSpawnattrInit(void* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setflags")]
    public static partial int PosixSpawnattrSetflags(void* attributes, short flags);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigdefault")]
    public static partial int PosixSpawnattrSetsigdefault(void* attributes, void* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_setsigmask")]
    public static partial int PosixSpawnattrSetsigmask(void* attributes, void* signals);

    [LibraryImport("libc", EntryPoint = "posix_spawnattr_destroy")]
    public static partial int PosixSpawnattrDestroy(void* attributes);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_init")]
    public static partial int PosixSpawnFileActionsInit(void* actions);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_adddup2")]
    public static partial int PosixSpawnFileActionsAdddup2(void* actions, int fd, int target);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int PosixSpawnFileActionsAddchdir(void* actions, string directory);

    [LibraryImport("libc", EntryPoint = "posix_spawn_file_actions_destroy")]
    public static partial int PosixSpawnFileActionsDestroy(void* actions);

    [LibraryImport("libc", EntryPoint = "sigaddset")]
    public static partial int Sigaddset(void* set, int signal);

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    public static partial int Sigfillset(void* set);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    public static partial int PthreadSigmask(int how, void* set, void* before);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Syscall(nint number, nint a0, nint a1, nint a2, nint a3, nint a4, nint a5);
}

/// <summary>A piece of memory (<c>struct iovec</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HostIovec
{
    public void* Base;
    public nuint Length;
}

/// <summary><c>struct epoll_event</c>, packed as x86-64 has it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct HostEpollEvent
{
    public uint Events;
    public int Fd;
    public uint Generation;
}

/// <summary>What is needed of x86-64's <c>struct stat</c>.</summary>
[StructLayout(LayoutKind.Explicit, Size = 144)]
internal struct HostStat
{
    [FieldOffset(0)]
    public ulong Device;

    [FieldOffset(8)]
    public ulong Inode;

    [FieldOffset(24)]
    public uint Mode;

    [FieldOffset(28)]
    public uint User;
}
