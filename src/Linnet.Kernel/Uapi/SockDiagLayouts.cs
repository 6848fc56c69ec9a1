using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>What every request of sock_diag begins with.</summary>
[LinuxStruct("sock_diag_req"), StructLayout(LayoutKind.Sequential)]
public struct SockDiagReq
{
    public byte SdiagFamily;
    public byte SdiagProtocol;
}

/// <summary>Which internet socket: ports and addresses in network order, the cookie in two halves.</summary>
[LinuxStruct("inet_diag_sockid"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagSockid
{
    public ushort IdiagSport;
    public ushort IdiagDport;

    /// <summary>An IPv4 address is in the first four bytes.</summary>
    public Bytes16 IdiagSrc;

    public Bytes16 IdiagDst;
    public uint IdiagIf;
    public uint IdiagCookieLow;
    public uint IdiagCookieHigh;
}

/// <summary>Asks about internet sockets, as it was before there were protocols to choose from.</summary>
[LinuxStruct("inet_diag_req"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagReq
{
    public byte IdiagFamily;
    public byte IdiagSrcLen;
    public byte IdiagDstLen;
    public byte IdiagExt;
    public InetDiagSockid Id;
    public uint IdiagStates;
    public uint IdiagDbs;
}

/// <summary>Asks about internet sockets.</summary>
[LinuxStruct("inet_diag_req_v2"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagReqV2
{
    public byte SdiagFamily;
    public byte SdiagProtocol;

    /// <summary>What else is asked for: bit n - 1 for attribute n.</summary>
    public byte IdiagExt;

    /// <summary>Of raw sockets, their protocol (<c>sdiag_raw_protocol</c>).</summary>
    public byte Pad;

    /// <summary>States that are asked for: bit n for state n.</summary>
    public uint IdiagStates;

    public InetDiagSockid Id;
}

/// <summary>Tells of an internet socket; times are in ms.</summary>
[LinuxStruct("inet_diag_msg"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagMsg
{
    public byte IdiagFamily;
    public byte IdiagState;
    public byte IdiagTimer;
    public byte IdiagRetrans;
    public InetDiagSockid Id;
    public uint IdiagExpires;
    public uint IdiagRqueue;
    public uint IdiagWqueue;
    public uint IdiagUid;
    public uint IdiagInode;
}

/// <summary>Value of INET_DIAG_MEMINFO, in bytes.</summary>
[LinuxStruct("inet_diag_meminfo"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagMeminfo
{
    public uint IdiagRmem;
    public uint IdiagWmem;
    public uint IdiagFmem;
    public uint IdiagTmem;
}

/// <summary>An instruction of a filter. A larger operand follows it.</summary>
[LinuxStruct("inet_diag_bc_op"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagBcOp
{
    public byte Code;

    /// <summary>Bytes to go on by where the condition holds.</summary>
    public byte Yes;

    /// <summary>Bytes to go on by where it does not.</summary>
    public ushort No;
}

/// <summary>Operand of a condition on an address; the address follows.</summary>
[LinuxStruct("inet_diag_hostcond"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagHostcond
{
    public byte Family;
    public byte PrefixLen;

    /// <summary>Port in host order; -1 for any.</summary>
    public int Port;
}

/// <summary>Operand of a condition on the mark.</summary>
[LinuxStruct("inet_diag_markcond"), StructLayout(LayoutKind.Sequential)]
public struct InetDiagMarkcond
{
    public uint Mark;
    public uint Mask;
}

/// <summary>Asks about packet sockets.</summary>
[LinuxStruct("packet_diag_req"), StructLayout(LayoutKind.Sequential)]
public struct PacketDiagReq
{
    public byte SdiagFamily;
    public byte SdiagProtocol;
    public ushort Pad;
    public uint PdiagIno;
    public uint PdiagShow;
    public uint PdiagCookieLow;
    public uint PdiagCookieHigh;
}

/// <summary>Tells of a packet socket.</summary>
[LinuxStruct("packet_diag_msg"), StructLayout(LayoutKind.Sequential)]
public struct PacketDiagMsg
{
    public byte PdiagFamily;
    public byte PdiagType;
    public ushort PdiagNum;
    public uint PdiagIno;
    public uint PdiagCookieLow;
    public uint PdiagCookieHigh;
}

/// <summary>Value of PACKET_DIAG_INFO.</summary>
[LinuxStruct("packet_diag_info"), StructLayout(LayoutKind.Sequential)]
public struct PacketDiagInfo
{
    public uint PdiIndex;
    public uint PdiVersion;
    public uint PdiReserve;
    public uint PdiCopyThresh;
    public uint PdiTstamp;
    public uint PdiFlags;
}

/// <summary>An entry of PACKET_DIAG_MCLIST.</summary>
[LinuxStruct("packet_diag_mclist"), StructLayout(LayoutKind.Sequential)]
public struct PacketDiagMclist
{
    public uint PdmcIndex;
    public uint PdmcCount;
    public ushort PdmcType;
    public ushort PdmcAlen;

    /// <summary>32 bytes of address.</summary>
    public Bytes16 PdmcAddr;

    public Bytes16 PdmcAddrRest;
}
