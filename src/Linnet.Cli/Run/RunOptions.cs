using Linnet.Cli.Commands;

namespace Linnet.Cli.Run;

/// <summary>How much <c>--trace</c> shows.</summary>
internal enum TraceDetail
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A line a call.</summary>
    Calls,

    /// <summary>Each call's functions, and the packets.</summary>
    Tree,
}

/// <summary>What <c>linnet run</c> was asked for.</summary>
internal sealed class RunOptions
{
    /// <summary>The program and its arguments.</summary>
    public required string[] Program { get; init; }

    /// <summary>Whether the network has a way out.</summary>
    public bool Egress { get; init; } = true;

    /// <summary>Ports of the computer's that are carried to the program's.</summary>
    public PublishedAddress[] Publish { get; init; } = [];

    /// <summary>What happens to packets, in netem's words.</summary>
    public string? Link { get; init; }

    /// <summary>Where the packets are written.</summary>
    public FileInfo? Pcap { get; init; }

    /// <summary>How much is shown of calls.</summary>
    public TraceDetail Trace { get; init; }

    /// <summary>A security policy's file.</summary>
    public string? Policy { get; init; }

    /// <summary>Whether to say at the end what was asked for in vain.</summary>
    public bool Report { get; init; }

    /// <summary>What random numbers begin with.</summary>
    public ulong? Seed { get; init; }
}
