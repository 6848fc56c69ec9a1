using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>Socket addresses as perf prints them: <c>{ .family: AF_INET, .port: 80, .addr: 10.0.0.1 }</c>.</summary>
public static class SockaddrText
{
    /// <summary>The text of the address whose bytes are given; they may be cut short anywhere.</summary>
    public static string Format(ReadOnlySpan<byte> address)
    {
        if (address.Length == 0)
            return "NULL";
        if (address.Length < 2)
            return Beautifier.Quote(address, address.Length);
        int family = BinaryPrimitives.ReadUInt16LittleEndian(address);
        string? rest = family switch
        {
            AF_INET when address.Length >= 8 => string.Create(CultureInfo.InvariantCulture,
                $", .port: {BinaryPrimitives.ReadUInt16BigEndian(address[2..])}, .addr: {Names.Ipv4(BinaryPrimitives.ReadUInt32BigEndian(address[4..]))}"),
            AF_INET6 when address.Length >= 24 => string.Create(CultureInfo.InvariantCulture,
                $", .port: {BinaryPrimitives.ReadUInt16BigEndian(address[2..])}, .addr: {new IPAddress(address[8..24])}"),
            AF_UNIX => $", .path: {Path(address[2..])}",
            AF_PACKET when address.Length >= 12 => string.Create(CultureInfo.InvariantCulture,
                $", .protocol: {Names.EtherType(BinaryPrimitives.ReadUInt16BigEndian(address[2..]))}, .ifindex: {BinaryPrimitives.ReadInt32LittleEndian(address[4..])}"),
            AF_NETLINK when address.Length >= 12 => string.Create(CultureInfo.InvariantCulture,
                $", .pid: {BinaryPrimitives.ReadUInt32LittleEndian(address[4..])}, .groups: {Names.Hex(BinaryPrimitives.ReadUInt32LittleEndian(address[8..]))}"),
            _ => null,
        };
        return $"{{ .family: {Names.Family(family)}{rest} }}";
    }

    private static string Path(ReadOnlySpan<byte> path)
    {
        bool isAbstract = path.Length > 0 && path[0] == 0;
        if (isAbstract)
            return "@" + Encoding.UTF8.GetString(path[1..].TrimEnd((byte)0));
        int end = path.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? path : path[..end]);
    }
}
