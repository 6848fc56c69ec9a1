using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Uapi;

namespace Linnet;

/// <summary>Between .NET's end points and Linux's sockaddrs.</summary>
internal static class SocketAddresses
{
    /// <summary>Writes an end point as the sockaddr of its family.</summary>
    /// <param name="endPoint">An <see cref="IPEndPoint"/>.</param>
    /// <param name="destination">Room for 28 bytes.</param>
    /// <returns>The sockaddr's length in bytes.</returns>
    /// <exception cref="NotSupportedException">The end point is of another kind.</exception>
    public static int Write(EndPoint endPoint, Span<byte> destination)
    {
        if (endPoint is not IPEndPoint ip)
            throw new NotSupportedException($"{endPoint.GetType().Name} has no address that a Linnet socket knows");
        if (ip.AddressFamily == AddressFamily.InterNetwork)
            return SockaddrIn.Write(destination, ToHostOrder(ip.Address), (ushort)ip.Port);
        destination[..SockaddrIn6.Size].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(destination, AF_INET6);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)ip.Port);
        ip.Address.TryWriteBytes(destination[8..], out _);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[24..], (uint)ip.Address.ScopeId);
        return SockaddrIn6.Size;
    }

    /// <summary>Reads a sockaddr.</summary>
    /// <returns>The end point, or null when the family is none of IP's.</returns>
    public static IPEndPoint? Read(ReadOnlySpan<byte> sockaddr)
    {
        if (sockaddr.Length < 8)
            return null;
        switch (BinaryPrimitives.ReadUInt16LittleEndian(sockaddr))
        {
            case AF_INET:
                SockaddrIn.Read(sockaddr, out uint addr, out ushort port);
                return new IPEndPoint(FromHostOrder(addr), port);
            case AF_INET6 when sockaddr.Length >= SockaddrIn6.Size:
                uint scope = BinaryPrimitives.ReadUInt32LittleEndian(sockaddr[24..]);
                return new IPEndPoint(
                    new IPAddress(sockaddr.Slice(8, 16), scope), BinaryPrimitives.ReadUInt16BigEndian(sockaddr[2..]));
            default:
                return null;
        }
    }

    /// <summary>An IPv4 address as the number that it is in the kernel (192.0.2.1 is 0xC0000201).</summary>
    public static uint ToHostOrder(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[4];
        if (address.AddressFamily != AddressFamily.InterNetwork || !address.TryWriteBytes(bytes, out _))
            throw new ArgumentException($"{address} is not an IPv4 address", nameof(address));
        return BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    /// <summary>The address that a number of the kernel means.</summary>
    public static IPAddress FromHostOrder(uint address)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, address);
        return new IPAddress(bytes);
    }
}
