namespace Linnet.Cli.Run;

/// <summary>What <c>linnet run</c> and <c>linnet up</c> do alike.</summary>
internal static class RunSupport
{
    /// <summary>Treats what an interface sends as netem's words say; without words, as a good cable does.</summary>
    /// <exception cref="UsageException">They are none.</exception>
    public static void Impair(HostInterface end, string words, string where)
    {
        try
        {
            end.Emulate(NetemWords.Parse(words));
        }
        catch (FormatException e)
        {
            throw new UsageException($"{where}: {e.Message.Split('\n')[0]}");
        }
    }
}
