using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>Hardware resources of an interface (SIOCGIFMAP).</summary>
[LinuxStruct("ifmap"), StructLayout(LayoutKind.Sequential, Size = 24)]
public struct Ifmap
{
    public ulong MemStart;
    public ulong MemEnd;
    public ushort BaseAddr;
    public byte Irq;
    public byte Dma;
    public byte Port;
}

/// <summary>
/// Argument of the interface ioctls: a name padded with zeros and a union that the command chooses from.
/// <see cref="IfrData"/> is an address in the caller's memory; addresses inside sockaddrs are in network order.
/// </summary>
[LinuxStruct("ifreq"), StructLayout(LayoutKind.Explicit, Size = Size)]
public struct Ifreq
{
    /// <summary>Bytes of an <c>ifreq</c>.</summary>
    public const int Size = 40;

    [FieldOffset(0)] public Bytes16 IfrName;
    [FieldOffset(16)] public Sockaddr IfrAddr;
    [FieldOffset(16)] public SockaddrIn IfrAddrIn;
    [FieldOffset(16)] public Sockaddr IfrHwaddr;
    [FieldOffset(16)] public short IfrFlags;
    [FieldOffset(16)] public int IfrIvalue;
    [FieldOffset(16)] public int IfrIfindex;
    [FieldOffset(16)] public int IfrMetric;
    [FieldOffset(16)] public int IfrMtu;
    [FieldOffset(16)] public int IfrQlen;
    [FieldOffset(16)] public Ifmap IfrMap;
    [FieldOffset(16)] public Bytes16 IfrNewname;
    [FieldOffset(16)] public ulong IfrData;
}

/// <summary>Argument of SIOCGIFCONF; <see cref="IfcBuf"/> is an address in the caller's memory.</summary>
[LinuxStruct("ifconf"), StructLayout(LayoutKind.Sequential)]
public struct Ifconf
{
    public int IfcLen;
    private readonly int _pad;
    public ulong IfcBuf;
}

/// <summary>Argument of the ARP ioctls.</summary>
[LinuxStruct("arpreq"), StructLayout(LayoutKind.Sequential)]
public struct Arpreq
{
    public Sockaddr ArpPa;
    public Sockaddr ArpHa;
    public int ArpFlags;
    public Sockaddr ArpNetmask;
    public Bytes16 ArpDev;
}

/// <summary>Value of PACKET_ADD_MEMBERSHIP.</summary>
[LinuxStruct("packet_mreq"), StructLayout(LayoutKind.Sequential)]
public struct PacketMreq
{
    public int MrIfindex;
    public ushort MrType;
    public ushort MrAlen;
    public Bytes8 MrAddress;
}

/// <summary>Value of PACKET_STATISTICS.</summary>
[LinuxStruct("tpacket_stats"), StructLayout(LayoutKind.Sequential)]
public struct TpacketStats
{
    public uint TpPackets;
    public uint TpDrops;
}
