using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>An address of any family: the family in host order, then 14 bytes that the family defines.</summary>
[LinuxStruct("sockaddr"), StructLayout(LayoutKind.Sequential)]
public struct Sockaddr
{
    public ushort SaFamily;
    public Bytes14 SaData;
}

/// <summary>An IPv4 address and port. <see cref="SinPort"/> and <see cref="SinAddr"/> are in network order.</summary>
[LinuxStruct("sockaddr_in"), StructLayout(LayoutKind.Sequential)]
public struct SockaddrIn
{
    /// <summary>Bytes of a <c>sockaddr_in</c>.</summary>
    public const int Size = 16;

    public ushort SinFamily;
    public ushort SinPort;
    public uint SinAddr;
    public Bytes8 SinZero;

    /// <summary>Takes family, address and port out of the bytes of a <c>sockaddr_in</c>.</summary>
    /// <param name="source">At least 8 bytes; the padding may be missing.</param>
    /// <param name="family">AF_INET, or whatever the caller wrote there.</param>
    /// <param name="addr">Address in host order.</param>
    /// <param name="port">Port in host order.</param>
    public static void Read(ReadOnlySpan<byte> source, out ushort family, out uint addr, out ushort port)
    {
        addr = BinaryPrimitives.ReadUInt32BigEndian(source[4..]);
        port = BinaryPrimitives.ReadUInt16BigEndian(source[2..]);
        family = BinaryPrimitives.ReadUInt16LittleEndian(source);
    }

    /// <summary>Takes address and port out of the bytes of a <c>sockaddr_in</c>, whatever its family says.</summary>
    public static void Read(ReadOnlySpan<byte> source, out uint addr, out ushort port) =>
        Read(source, out _, out addr, out port);

    /// <summary>Writes a <c>sockaddr_in</c> with zeroed padding.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <param name="addr">Address in host order.</param>
    /// <param name="port">Port in host order.</param>
    /// <returns><see cref="Size"/>.</returns>
    public static int Write(Span<byte> destination, uint addr, ushort port)
    {
        destination[8..Size].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], addr);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], port);
        BinaryPrimitives.WriteUInt16LittleEndian(destination, AF_INET);
        return Size;
    }
}

/// <summary>
/// An IPv6 address and port. <see cref="Sin6Port"/> and <see cref="Sin6Flowinfo"/> are in network order,
/// <see cref="Sin6ScopeId"/> is an interface index in host order.
/// </summary>
[LinuxStruct("sockaddr_in6"), StructLayout(LayoutKind.Sequential)]
public struct SockaddrIn6
{
    /// <summary>Bytes of a <c>sockaddr_in6</c>.</summary>
    public const int Size = 28;

    /// <summary>Bytes up to the scope id, the least that bind and connect accept (RFC 2133).</summary>
    public const int SizeRfc2133 = 24;

    public ushort Sin6Family;
    public ushort Sin6Port;
    public uint Sin6Flowinfo;
    public Bytes16 Sin6Addr;
    public uint Sin6ScopeId;
}

/// <summary>A link layer address. <see cref="SllProtocol"/> is in network order.</summary>
[LinuxStruct("sockaddr_ll"), StructLayout(LayoutKind.Sequential)]
public struct SockaddrLl
{
    public ushort SllFamily;
    public ushort SllProtocol;
    public int SllIfindex;
    public ushort SllHatype;
    public byte SllPkttype;
    public byte SllHalen;
    public Bytes8 SllAddr;
}

/// <summary>An address of a netlink socket, all in host order.</summary>
[LinuxStruct("sockaddr_nl"), StructLayout(LayoutKind.Sequential)]
public struct SockaddrNl
{
    public ushort NlFamily;
    public ushort NlPad;
    public uint NlPid;
    public uint NlGroups;
}

/// <summary>A path, or a name in the abstract space when the first byte is zero.</summary>
[LinuxStruct("sockaddr_un"), StructLayout(LayoutKind.Sequential)]
public struct SockaddrUn
{
    /// <summary>Bytes of the longest path, its terminating zero included.</summary>
    public const int UNIX_PATH_MAX = 108;

    public ushort SunFamily;
    public Bytes108 SunPath;
}

/// <summary>Room for an address of any family; the kernel copies addresses through it.</summary>
[LinuxStruct("sockaddr_storage"), StructLayout(LayoutKind.Explicit, Size = Size)]
public struct SockaddrStorage
{
    /// <summary>Bytes of a <c>sockaddr_storage</c>, the longest address that a call accepts.</summary>
    public const int Size = 128;

    [FieldOffset(0)] public ushort SsFamily;
    [FieldOffset(0)] public Bytes128 Bytes;
    [FieldOffset(0)] private ulong _align;
}
