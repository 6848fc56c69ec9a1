namespace Linnet.Linux.Tests.Run;

/// <summary>Tests that count what this process has open or runs, next to which no others run.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountedTests
{
    public const string Name = "counted";
}
