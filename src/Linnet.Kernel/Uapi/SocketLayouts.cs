using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>Value of SO_LINGER; the time is in seconds.</summary>
[LinuxStruct("linger"), StructLayout(LayoutKind.Sequential)]
public struct Linger
{
    public int LOnoff;
    public int LLinger;
}

/// <summary>
/// Seconds and microseconds, 64 bits each (__kernel_old_timeval and __kernel_sock_timeval are alike here).
/// </summary>
[LinuxStruct("timeval"), StructLayout(LayoutKind.Sequential)]
public struct Timeval
{
    public long TvSec;
    public long TvUsec;
}

/// <summary>Seconds and nanoseconds, 64 bits each.</summary>
[LinuxStruct("timespec"), StructLayout(LayoutKind.Sequential)]
public struct Timespec
{
    public long TvSec;
    public long TvNsec;
}

/// <summary>Value and period of an interval timer (timerfd_settime).</summary>
[LinuxStruct("itimerspec"), StructLayout(LayoutKind.Sequential)]
public struct Itimerspec
{
    public Timespec ItInterval;
    public Timespec ItValue;
}

/// <summary>One descriptor of poll; a negative one is passed over.</summary>
[LinuxStruct("pollfd"), StructLayout(LayoutKind.Sequential)]
public struct Pollfd
{
    public int Fd;
    public short Events;
    public short Revents;
}

/// <summary>An event of epoll. On x86-64 it is packed, so that 32-bit programs see the same 12 bytes.</summary>
[LinuxStruct("epoll_event"), StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct EpollEvent
{
    public uint Events;
    public ulong Data;
}

/// <summary>Soft and hard limit of a resource.</summary>
[LinuxStruct("rlimit"), StructLayout(LayoutKind.Sequential)]
public struct Rlimit
{
    public ulong RlimCur;
    public ulong RlimMax;
}

/// <summary>Who gets SIGIO and SIGURG (F_SETOWN_EX).</summary>
[LinuxStruct("f_owner_ex"), StructLayout(LayoutKind.Sequential)]
public struct FOwnerEx
{
    public int Type;
    public int Pid;
}

/// <summary>One instruction of classic BPF.</summary>
[LinuxStruct("sock_filter"), StructLayout(LayoutKind.Sequential)]
public struct SockFilter
{
    public ushort Code;
    public byte Jt;
    public byte Jf;
    public uint K;
}

/// <summary>A program of classic BPF; <see cref="Filter"/> is an address in the caller's memory.</summary>
[LinuxStruct("sock_fprog"), StructLayout(LayoutKind.Sequential)]
public struct SockFprog
{
    public ushort Len;
    private readonly ushort _pad0;
    private readonly uint _pad1;
    public ulong Filter;
}
