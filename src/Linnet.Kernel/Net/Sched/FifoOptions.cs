using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>Options of <see cref="Pfifo"/>.</summary>
public sealed record PfifoOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "pfifo";

    /// <summary>Most packets that it holds.</summary>
    public int Limit { get; init; } = 1000;

    /// <inheritdoc/>
    public override string? Validate() => Limit < 0 ? "the limit cannot be negative" : null;
}

/// <summary>Options of <see cref="PfifoHeadDrop"/>.</summary>
public sealed record PfifoHeadDropOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "pfifo_head_drop";

    /// <summary>Most packets that it holds.</summary>
    public int Limit { get; init; } = 1000;

    /// <inheritdoc/>
    public override string? Validate() => Limit < 0 ? "the limit cannot be negative" : null;
}

/// <summary>Options of <see cref="Bfifo"/>.</summary>
public sealed record BfifoOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "bfifo";

    /// <summary>Most bytes that it holds.</summary>
    public long Limit { get; init; } = 1514 * 1000;

    /// <inheritdoc/>
    public override string? Validate() => Limit is < 0 or > uint.MaxValue ? "the limit must be from 0 to 4294967295 bytes" : null;
}

/// <summary><see cref="PfifoFast"/> has no options: its bands are fixed, and the device's transmit queue is its limit.</summary>
public sealed record PfifoFastOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "pfifo_fast";

    /// <inheritdoc/>
    public override string? Validate() => null;
}
