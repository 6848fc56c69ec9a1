using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <summary>A TCP option as a script gives it.</summary>
public abstract record TcpOption
{
    /// <summary>The option's length in bytes, with its kind and its length.</summary>
    public abstract int Length { get; }
}

/// <summary><c>nop</c></summary>
public sealed record NopOption : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 1;
}

/// <summary><c>eol</c></summary>
public sealed record EolOption : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 1;
}

/// <summary><c>mss 1460</c></summary>
public sealed record MssOption(ushort Mss) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 4;
}

/// <summary><c>wscale 8</c></summary>
public sealed record WindowScaleOption(byte Shift) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 3;
}

/// <summary><c>sackOK</c></summary>
public sealed record SackPermittedOption : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 2;
}

/// <summary><c>sack 1:1001 2001:3001</c>, in numbers relative to the initial one.</summary>
public sealed record SackOption(ImmutableArray<SackRange> Blocks) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 2 + 8 * Blocks.Length;
}

/// <summary>A block of a SACK option.</summary>
public readonly record struct SackRange(uint Left, uint Right);

/// <summary><c>TS val 100 ecr 0</c></summary>
public sealed record TimestampOption(uint Value, uint Echo) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 10;
}

/// <summary><c>FO 0123456789abcdef</c> (kind 34), or <c>FOEXP</c> (kind 254 with the magic number F989); RFC 7413.</summary>
public sealed record FastOpenOption(ImmutableArray<byte> Cookie, bool Experimental) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => (Experimental ? 4 : 2) + Cookie.Length;
}

/// <summary><c>md5 0123...</c> (kind 19).</summary>
public sealed record Md5Option(ImmutableArray<byte> Digest) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 2 + Digest.Length;
}

/// <summary>
/// <c>ECN e0b 1 ceb 0 e1b 1</c> (kind 172) or <c>ECN e1b 1 ceb 0 e0b 1</c> (kind 174): AccECN's counters, RFC 9768.
/// </summary>
/// <param name="E1First">Whether it is kind 174.</param>
/// <param name="Counters">One to three counters of 24 bits, in the order of the wire.</param>
public sealed record AccEcnOption(bool E1First, ImmutableArray<uint> Counters) : TcpOption
{
    /// <inheritdoc/>
    public override int Length => 2 + 3 * Counters.Length;
}
