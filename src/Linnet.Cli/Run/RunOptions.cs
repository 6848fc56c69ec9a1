namespace Linnet.Cli.Run;

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

    /// <summary>What <c>linnet up</c> has too.</summary>
    public required CommonOptions Common { get; init; }
}
