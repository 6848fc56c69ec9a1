using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>One piece of a vectored transfer. <see cref="IovBase"/> is an address in the caller's memory.</summary>
[LinuxStruct("iovec"), StructLayout(LayoutKind.Sequential)]
public struct Iovec
{
    public ulong IovBase;
    public ulong IovLen;
}

/// <summary>The argument of sendmsg and recvmsg (user_msghdr). Pointers are addresses in the caller's memory.</summary>
[LinuxStruct("user_msghdr"), StructLayout(LayoutKind.Sequential)]
public struct UserMsghdr
{
    public ulong MsgName;
    public int MsgNamelen;
    private readonly int _pad0;
    public ulong MsgIov;
    public ulong MsgIovlen;
    public ulong MsgControl;
    public ulong MsgControllen;
    public uint MsgFlags;
    private readonly int _pad1;
}

/// <summary>One message of sendmmsg and recvmmsg with the number of bytes transferred.</summary>
[LinuxStruct("mmsghdr"), StructLayout(LayoutKind.Sequential)]
public struct Mmsghdr
{
    public UserMsghdr MsgHdr;
    public uint MsgLen;
}

/// <summary>
/// Head of one ancillary message; <see cref="CmsgLen"/> counts the head and the data, without padding.
/// </summary>
[LinuxStruct("cmsghdr"), StructLayout(LayoutKind.Sequential)]
public struct Cmsghdr
{
    public ulong CmsgLen;
    public int CmsgLevel;
    public int CmsgType;
}

/// <summary>Credentials of a peer or a sender (SO_PEERCRED, SCM_CREDENTIALS).</summary>
[LinuxStruct("ucred"), StructLayout(LayoutKind.Sequential)]
public struct Ucred
{
    public int Pid;
    public uint Uid;
    public uint Gid;
}

/// <summary>
/// What an ICMP error or a transmit completion says (IP_RECVERR). Followed by the offender's address.
/// </summary>
[LinuxStruct("sock_extended_err"), StructLayout(LayoutKind.Sequential)]
public struct SockExtendedErr
{
    public uint EeErrno;
    public byte EeOrigin;
    public byte EeType;
    public byte EeCode;
    public byte EePad;
    public uint EeInfo;
    public uint EeData;
}

/// <summary>The three stamps of SCM_TIMESTAMPING: software, (legacy, zero), hardware.</summary>
[LinuxStruct("scm_timestamping"), StructLayout(LayoutKind.Sequential)]
public struct ScmTimestamping
{
    public Timespec Ts0;
    public Timespec Ts1;
    public Timespec Ts2;
}
