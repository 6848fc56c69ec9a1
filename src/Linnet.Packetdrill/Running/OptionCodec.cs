using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>A TCP option as it stands in a header.</summary>
/// <param name="Kind">Its number.</param>
/// <param name="Data">What follows kind and length.</param>
internal readonly record struct RawOption(byte Kind, ImmutableArray<byte> Data)
{
    public const byte Eol = 0;
    public const byte Nop = 1;
    public const byte Mss = 2;
    public const byte WindowScale = 3;
    public const byte SackPermitted = 4;
    public const byte Sack = 5;
    public const byte Timestamp = 8;
    public const byte Md5 = 19;
    public const byte FastOpen = 34;
    public const byte AccEcn0 = 172;
    public const byte AccEcn1 = 174;
    public const byte Experimental = 254;

    /// <summary>The magic number by which Fast Open's experimental option is known (RFC 7413 appendix A).</summary>
    public const ushort FastOpenMagic = 0xF989;

    /// <summary>Bytes on the wire.</summary>
    public int Length => Kind is Eol or Nop ? 1 : 2 + Data.Length;
}

/// <summary>TCP options: from scripts to bytes, from bytes to scripts' words.</summary>
internal static class OptionCodec
{
    /// <summary>Writes the options of a script's packet.</summary>
    public static byte[] Encode(ImmutableArray<TcpOption> options)
    {
        byte[] bytes = new byte[options.Sum(o => o.Length)];
        Span<byte> rest = bytes;
        foreach (TcpOption option in options)
        {
            RawOption raw = ToRaw(option);
            rest[0] = raw.Kind;
            if (raw.Length > 1)
            {
                rest[1] = (byte)raw.Length;
                raw.Data.CopyTo(rest[2..]);
            }

            rest = rest[raw.Length..];
        }

        return bytes;
    }

    /// <summary>Reads the options of a header.</summary>
    /// <returns>Null when they are malformed.</returns>
    public static List<RawOption>? Decode(ReadOnlySpan<byte> bytes)
    {
        List<RawOption> options = [];
        while (!bytes.IsEmpty)
        {
            byte kind = bytes[0];
            if (kind is RawOption.Eol or RawOption.Nop)
            {
                options.Add(new RawOption(kind, []));
                bytes = bytes[1..];
                continue;
            }

            if (bytes.Length < 2 || bytes[1] < 2 || bytes[1] > bytes.Length)
                return null;
            options.Add(new RawOption(kind, [.. bytes[2..bytes[1]]]));
            bytes = bytes[bytes[1]..];
        }

        return options;
    }

    /// <summary>The options as a script has them.</summary>
    public static string Text(IEnumerable<RawOption> options) => string.Join(',', options.Select(Text));

    /// <summary>An option as a script has it.</summary>
    public static string Text(RawOption option)
    {
        ReadOnlySpan<byte> data = option.Data.AsSpan();
        return option.Kind switch
        {
            RawOption.Eol => "eol",
            RawOption.Nop => "nop",
            RawOption.Mss when data.Length == 2 => Invariant($"mss {BinaryPrimitives.ReadUInt16BigEndian(data)}"),
            RawOption.WindowScale when data.Length == 1 => Invariant($"wscale {data[0]}"),
            RawOption.SackPermitted when data.IsEmpty => "sackOK",
            RawOption.Sack when data.Length % 8 == 0 => SackText(data),
            RawOption.Timestamp when data.Length == 8 => Invariant(
                $"TS val {BinaryPrimitives.ReadUInt32BigEndian(data)} ecr {BinaryPrimitives.ReadUInt32BigEndian(data[4..])}"),
            RawOption.Md5 => WithHex("md5", data),
            RawOption.FastOpen => WithHex("FO", data),
            RawOption.AccEcn0 or RawOption.AccEcn1 when data.Length % 3 == 0 => AccEcnText(option.Kind, data),
            RawOption.Experimental when IsFastOpen(data) => WithHex("FOEXP", data[2..]),
            _ => Invariant($"[kind {option.Kind} length {option.Length}]"),
        };
    }

    private static RawOption ToRaw(TcpOption option) => option switch
    {
        NopOption => new RawOption(RawOption.Nop, []),
        EolOption => new RawOption(RawOption.Eol, []),
        MssOption mss => new RawOption(RawOption.Mss, [.. BigEndian16(mss.Mss)]),
        WindowScaleOption scale => new RawOption(RawOption.WindowScale, [scale.Shift]),
        SackPermittedOption => new RawOption(RawOption.SackPermitted, []),
        SackOption sack => new RawOption(RawOption.Sack, [.. sack.Blocks.SelectMany(b => BigEndian32(b.Left).Concat(BigEndian32(b.Right)))]),
        TimestampOption ts => new RawOption(RawOption.Timestamp, [.. BigEndian32(ts.Value), .. BigEndian32(ts.Echo)]),
        FastOpenOption { Experimental: true } fo => new RawOption(
            RawOption.Experimental, [.. BigEndian16(RawOption.FastOpenMagic), .. fo.Cookie]),
        FastOpenOption fo => new RawOption(RawOption.FastOpen, fo.Cookie),
        Md5Option md5 => new RawOption(RawOption.Md5, md5.Digest),
        AccEcnOption ecn => new RawOption(
            ecn.E1First ? RawOption.AccEcn1 : RawOption.AccEcn0, [.. ecn.Counters.SelectMany(c => BigEndian32(c).Skip(1))]),
        _ => throw new InvalidOperationException($"no encoding for {option.GetType().Name}"),
    };

    private static byte[] BigEndian16(ushort value) => [(byte)(value >> 8), (byte)value];

    private static byte[] BigEndian32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static bool IsFastOpen(ReadOnlySpan<byte> data) =>
        data.Length >= 2 && BinaryPrimitives.ReadUInt16BigEndian(data) == RawOption.FastOpenMagic;

    private static string SackText(ReadOnlySpan<byte> data)
    {
        StringBuilder text = new("sack");
        for (; !data.IsEmpty; data = data[8..])
        {
            text.Append(CultureInfo.InvariantCulture,
                $" {BinaryPrimitives.ReadUInt32BigEndian(data)}:{BinaryPrimitives.ReadUInt32BigEndian(data[4..])}");
        }

        return text.ToString();
    }

    private static string AccEcnText(byte kind, ReadOnlySpan<byte> data)
    {
        string[] names = kind == RawOption.AccEcn0 ? ["e0b", "ceb", "e1b"] : ["e1b", "ceb", "e0b"];
        StringBuilder text = new("ECN");
        for (int i = 0; i < data.Length / 3 && i < names.Length; i++)
            text.Append(CultureInfo.InvariantCulture, $" {names[i]} {data[3 * i] << 16 | data[3 * i + 1] << 8 | data[3 * i + 2]}");
        return text.ToString();
    }

    private static string WithHex(string name, ReadOnlySpan<byte> data) =>
        data.IsEmpty ? name : $"{name} {Convert.ToHexStringLower(data)}";

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
