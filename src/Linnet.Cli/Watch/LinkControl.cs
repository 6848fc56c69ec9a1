using Linnet.Cli.Commands;
using Linnet.Cli.Lab;

namespace Linnet.Cli.Watch;

/// <summary>What became of a wish.</summary>
/// <param name="Status">The exit status: 0, or 2 when the words make no sense.</param>
/// <param name="Text">What to print: lines, or what is wrong in one.</param>
internal readonly record struct LinkAnswer(int Status, string Text);

/// <summary>Changes cables as somebody says: <c>[HOST|NETWORK] WORDS</c>, <c>HOST cut</c>, <c>HOST heal</c>; no words show them.</summary>
/// <param name="cables">The cables.</param>
internal sealed class LinkControl(Cables cables)
{
    private const int WrongWords = 2;

    // Nothing that netem has a word for, as no words are what shows.
    private const string Clear = "clear";

    /// <summary>Does what is said.</summary>
    public LinkAnswer Do(IReadOnlyList<string> words)
    {
        string? target = words.Count > 0 && cables.Of(words[0]).Count > 0 ? words[0] : null;
        IReadOnlyList<string> rest = target == null ? words : [.. words.Skip(1)];
        if (rest.Count == 0)
            return new LinkAnswer(0, Show(target));
        try
        {
            Change(target, rest);
            return new LinkAnswer(0, Show(target));
        }
        catch (UsageException e)
        {
            return new LinkAnswer(WrongWords, e.Message);
        }
    }

    /// <summary>Whether all cables of a host or network are cut.</summary>
    public bool IsCut(string target) => cables.Of(target).All(cable => cable.IsCut);

    /// <summary>The names of the hosts that have cables.</summary>
    public IReadOnlyList<string> Hosts => [.. cables.All.Select(cable => cable.Host).Distinct()];

    private void Change(string? target, IReadOnlyList<string> words)
    {
        LabAction action = words[0] switch
        {
            "cut" => LabAction.Cut,
            "heal" => LabAction.Heal,
            _ => LabAction.Link,
        };
        if (action != LabAction.Link && words.Count > 1)
            throw new UsageException($"link: '{words[1]}' behind {words[0]} makes no sense");
        string? netem = action != LabAction.Link ? null : words is [Clear] ? "" : string.Join(' ', words);
        if (netem != null)
            Check(target, words[0], netem);
        foreach (string name in target != null ? [target] : Hosts)
            cables.Apply(new LabEvent(TimeSpan.Zero, action, name, netem));
    }

    // Before anything is changed; and a name that is not known is no word of netem's.
    private void Check(string? target, string first, string netem)
    {
        try
        {
            NetemWords.Parse(netem);
        }
        catch (FormatException e) when (target == null && e.Message == $"What is \"{first}\"?")
        {
            string known = string.Join(", ", cables.All.SelectMany(cable => new[] { cable.Host, cable.Network }).Distinct());
            throw new UsageException($"link: '{first}' is no host or network, nor a word of netem's; there are {known}");
        }
        catch (FormatException e)
        {
            throw new UsageException($"link: {e.Message.Split('\n')[0]}");
        }
    }

    private string Show(string? target)
    {
        IReadOnlyList<Cable> shown = cables.Of(target);
        int hosts = shown.Max(cable => cable.Host.Length), networks = shown.Max(cable => cable.Network.Length);
        return string.Concat(shown.Select(cable =>
            $"{cable.Host.PadRight(hosts)}  {cable.Network.PadRight(networks)}  {(cable.IsCut ? "cut " : "")}{cable.Words}".TrimEnd() + "\n"));
    }
}
