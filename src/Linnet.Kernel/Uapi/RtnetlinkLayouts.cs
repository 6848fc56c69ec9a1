using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>Head of messages about links.</summary>
[LinuxStruct("ifinfomsg"), StructLayout(LayoutKind.Sequential)]
public struct Ifinfomsg
{
    public byte IfiFamily;
    private readonly byte _pad;
    public ushort IfiType;
    public int IfiIndex;
    public uint IfiFlags;
    public uint IfiChange;
}

/// <summary>Head of messages about addresses.</summary>
[LinuxStruct("ifaddrmsg"), StructLayout(LayoutKind.Sequential)]
public struct Ifaddrmsg
{
    public byte IfaFamily;
    public byte IfaPrefixlen;
    public byte IfaFlags;
    public byte IfaScope;
    public uint IfaIndex;
}

/// <summary>How long an address is good for; all ones for ever, times in hundredths of seconds.</summary>
[LinuxStruct("ifa_cacheinfo"), StructLayout(LayoutKind.Sequential)]
public struct IfaCacheinfo
{
    public uint IfaPrefered;
    public uint IfaValid;
    public uint Cstamp;
    public uint Tstamp;
}

/// <summary>Head of messages about routes.</summary>
[LinuxStruct("rtmsg"), StructLayout(LayoutKind.Sequential)]
public struct Rtmsg
{
    public byte RtmFamily;
    public byte RtmDstLen;
    public byte RtmSrcLen;
    public byte RtmTos;
    public byte RtmTable;
    public byte RtmProtocol;
    public byte RtmScope;
    public byte RtmType;
    public uint RtmFlags;
}

/// <summary>One of several next hops; attributes follow.</summary>
[LinuxStruct("rtnexthop"), StructLayout(LayoutKind.Sequential)]
public struct Rtnexthop
{
    public ushort RtnhLen;
    public byte RtnhFlags;
    public byte RtnhHops;
    public int RtnhIfindex;
}

/// <summary>What is known of the use of a route.</summary>
[LinuxStruct("rta_cacheinfo"), StructLayout(LayoutKind.Sequential)]
public struct RtaCacheinfo
{
    public uint RtaClntref;
    public uint RtaLastuse;
    public int RtaExpires;
    public uint RtaError;
    public uint RtaUsed;
    public uint RtaId;
    public uint RtaTs;
    public uint RtaTsage;
}

/// <summary>Head of messages about neighbours.</summary>
[LinuxStruct("ndmsg"), StructLayout(LayoutKind.Sequential)]
public struct Ndmsg
{
    public byte NdmFamily;
    private readonly byte _pad1;
    private readonly ushort _pad2;
    public int NdmIfindex;
    public ushort NdmState;
    public byte NdmFlags;
    public byte NdmType;
}

/// <summary>When a neighbour was used, confirmed and changed, in hundredths of seconds ago.</summary>
[LinuxStruct("nda_cacheinfo"), StructLayout(LayoutKind.Sequential)]
public struct NdaCacheinfo
{
    public uint NdmConfirmed;
    public uint NdmUsed;
    public uint NdmUpdated;
    public uint NdmRefcnt;
}

/// <summary>Head of messages about rules.</summary>
[LinuxStruct("fib_rule_hdr"), StructLayout(LayoutKind.Sequential)]
public struct FibRuleHdr
{
    public byte Family;
    public byte DstLen;
    public byte SrcLen;
    public byte Tos;
    public byte Table;
    private readonly byte _res1;
    private readonly byte _res2;
    public byte Action;
    public uint Flags;
}

/// <summary>Head of messages about queueing disciplines.</summary>
[LinuxStruct("tcmsg"), StructLayout(LayoutKind.Sequential)]
public struct Tcmsg
{
    public byte TcmFamily;
    private readonly byte _pad1;
    private readonly ushort _pad2;
    public int TcmIfindex;
    public uint TcmHandle;
    public uint TcmParent;
    public uint TcmInfo;
}
