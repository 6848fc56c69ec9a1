using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>Group and interface address of IP_ADD_MEMBERSHIP, in network order.</summary>
[LinuxStruct("ip_mreq"), StructLayout(LayoutKind.Sequential)]
public struct IpMreq
{
    public uint ImrMultiaddr;
    public uint ImrInterface;
}

/// <summary>Group and interface, by address or index. Addresses are in network order.</summary>
[LinuxStruct("ip_mreqn"), StructLayout(LayoutKind.Sequential)]
public struct IpMreqn
{
    public uint ImrMultiaddr;
    public uint ImrAddress;
    public int ImrIfindex;
}

/// <summary>Group, interface address and source address, in network order.</summary>
[LinuxStruct("ip_mreq_source"), StructLayout(LayoutKind.Sequential)]
public struct IpMreqSource
{
    public uint ImrMultiaddr;
    public uint ImrInterface;
    public uint ImrSourceaddr;
}

/// <summary>Head of the value of IP_MSFILTER; the sources follow. Addresses are in network order.</summary>
[LinuxStruct("ip_msfilter"), StructLayout(LayoutKind.Sequential)]
public struct IpMsfilter
{
    public uint ImsfMultiaddr;
    public uint ImsfInterface;
    public uint ImsfFmode;
    public uint ImsfNumsrc;
}

/// <summary>Value of MCAST_JOIN_GROUP.</summary>
[LinuxStruct("group_req"), StructLayout(LayoutKind.Sequential)]
public struct GroupReq
{
    public uint GrInterface;
    private readonly uint _pad;
    public SockaddrStorage GrGroup;
}

/// <summary>Value of MCAST_JOIN_SOURCE_GROUP.</summary>
[LinuxStruct("group_source_req"), StructLayout(LayoutKind.Sequential)]
public struct GroupSourceReq
{
    public uint GsrInterface;
    private readonly uint _pad;
    public SockaddrStorage GsrGroup;
    public SockaddrStorage GsrSource;
}

/// <summary>
/// Interface and addresses that a datagram came by, or shall leave by. Addresses are in network order.
/// </summary>
[LinuxStruct("in_pktinfo"), StructLayout(LayoutKind.Sequential)]
public struct InPktinfo
{
    public int IpiIfindex;
    public uint IpiSpecDst;
    public uint IpiAddr;
}

/// <summary>Address and interface that an IPv6 datagram came by, or shall leave by.</summary>
[LinuxStruct("in6_pktinfo"), StructLayout(LayoutKind.Sequential)]
public struct In6Pktinfo
{
    public Bytes16 Ipi6Addr;
    public int Ipi6Ifindex;
}

/// <summary>Group and interface of IPV6_ADD_MEMBERSHIP.</summary>
[LinuxStruct("ipv6_mreq"), StructLayout(LayoutKind.Sequential)]
public struct Ipv6Mreq
{
    public Bytes16 Ipv6mrMultiaddr;
    public int Ipv6mrIfindex;
}

/// <summary>Set of ICMP types that a raw socket does not want: bit n stands for type n.</summary>
[LinuxStruct("icmp_filter"), StructLayout(LayoutKind.Sequential)]
public struct IcmpFilter
{
    public uint Data;
}
