using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>Values of socket options and of control messages: what they say, where that is known, or their bytes.</summary>
internal static class OptionText
{
    private const int MicrosecondDigits = 6;
    private const int NanosecondDigits = 9;

    /// <summary>The value of an option.</summary>
    /// <param name="level"><c>SOL_*</c>; null where it is not known.</param>
    /// <param name="name">The option.</param>
    /// <param name="value">Its value, or the first bytes of it.</param>
    /// <param name="length">How long it is.</param>
    public static string OfOption(long? level, long? name, ReadOnlySpan<byte> value, int length)
    {
        if (level == SOL_SOCKET && name is SO_LINGER && value.Length == Marshal.SizeOf<Linger>())
        {
            Linger linger = MemoryMarshal.Read<Linger>(value);
            return $"{{ .onoff: {Names.Number(linger.LOnoff)}, .linger: {Names.Number(linger.LLinger)} }}";
        }

        if (level == SOL_SOCKET && name is SO_RCVTIMEO_OLD or SO_SNDTIMEO_OLD or SO_RCVTIMEO_NEW or SO_SNDTIMEO_NEW && IsTime(value))
            return Time(value, MicrosecondDigits);
        if (level == SOL_SOCKET && name is SO_BINDTODEVICE || (level == SOL_TCP && name is TCP_CONGESTION))
            return Beautifier.Quote(value.TrimEnd((byte)0), value.TrimEnd((byte)0).Length);
        return OfUnknown(value, length);
    }

    /// <summary>The data of a control message.</summary>
    public static string OfControl(int level, int type, ReadOnlySpan<byte> data)
    {
        switch (level, type)
        {
            case (SOL_IP, IP_PKTINFO) when data.Length >= Marshal.SizeOf<InPktinfo>():
                return $"{{ .ifindex: {Names.Number(BinaryPrimitives.ReadInt32LittleEndian(data))}"
                    + $", .spec_dst: {Names.Ipv4(BinaryPrimitives.ReadUInt32BigEndian(data[4..]))}"
                    + $", .addr: {Names.Ipv4(BinaryPrimitives.ReadUInt32BigEndian(data[8..]))} }}";
            case (SOL_IP, IP_RECVERR) when data.Length >= Marshal.SizeOf<SockExtendedErr>():
                SockExtendedErr error = MemoryMarshal.Read<SockExtendedErr>(data);
                return $"{{ .errno: {Names.ErrnoName(error.EeErrno)}, .origin: {Names.ErrorOrigin(error.EeOrigin)}"
                    + $", .type: {Names.Number(error.EeType)}, .code: {Names.Number(error.EeCode)}, .info: {Names.Number(error.EeInfo)} }}";
            case (SOL_SOCKET, SO_TIMESTAMP_OLD or SO_TIMESTAMP_NEW) when IsTime(data):
                return Time(data, MicrosecondDigits);
            case (SOL_SOCKET, SO_TIMESTAMPNS_OLD or SO_TIMESTAMPNS_NEW) when IsTime(data):
                return Time(data, NanosecondDigits);
            default:
                return OfUnknown(data, data.Length);
        }
    }

    private static string OfUnknown(ReadOnlySpan<byte> value, int length) => length switch
    {
        sizeof(int) when value.Length == length => $"[{Names.Number(BinaryPrimitives.ReadInt32LittleEndian(value))}]",
        1 when value.Length == length => $"[{Names.Number(value[0])}]",
        _ => Beautifier.Quote(value, length),
    };

    private static bool IsTime(ReadOnlySpan<byte> value) => value.Length == Marshal.SizeOf<Timeval>();

    private static string Time(ReadOnlySpan<byte> value, int digits)
    {
        Timeval time = MemoryMarshal.Read<Timeval>(value);
        return $"{{ {Names.Number(time.TvSec)}.{time.TvUsec.ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0')} s }}";
    }
}
