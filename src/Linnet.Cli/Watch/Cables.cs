using Linnet.Cli.Lab;
using Linnet.Cli.Run;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Cli.Watch;

/// <summary>A host's cable to a network.</summary>
/// <param name="Host">The host.</param>
/// <param name="Network">The network.</param>
/// <param name="Link">The cable; its first end is the host's.</param>
internal sealed record Cable(string Host, string Network, Link Link)
{
    /// <summary>Whether it is cut.</summary>
    public bool IsCut => !Link.Other.Device.IsUp;

    /// <summary>What happens to packets on it, in netem's words; nothing when it is a good cable.</summary>
    public string Words
    {
        get
        {
            string outward = WordsOf(Link.One), inward = WordsOf(Link.Other);
            return outward == inward ? outward : $"out: {Said(outward)}; in: {Said(inward)}";
        }
    }

    /// <summary>Treats packets of both directions as netem's words say; without words, as a good cable does.</summary>
    /// <exception cref="UsageException">They are none.</exception>
    public static void Impair(Link link, string words, string where)
    {
        RunSupport.Impair(link.One, words, where);
        RunSupport.Impair(link.Other, words, where);
    }

    /// <summary>What happens to packets that an interface sends, in netem's words, without what its random numbers began with.</summary>
    public static string WordsOf(HostInterface end) =>
        end.Queue is NetemOptions netem ? NetemWords.Format(netem with { Seed = null }) : "";

    private static string Said(string words) => words.Length == 0 ? "-" : words;
}

/// <summary>The cables of a network that can be changed while it runs. Callable from any thread.</summary>
internal sealed class Cables
{
    private readonly Lock gate = new();
    private readonly List<Cable> all = [];

    /// <summary>Told of everything that happens.</summary>
    public event Action<LabEvent>? Happened;

    /// <summary>The cables, in the order of the hosts.</summary>
    public IReadOnlyList<Cable> All
    {
        get
        {
            lock (gate)
                return [.. all];
        }
    }

    /// <summary>Adds one.</summary>
    public void Add(string host, string network, Link link)
    {
        lock (gate)
            all.Add(new Cable(host, network, link));
    }

    /// <summary>The cables of a host or of a network; all for null.</summary>
    public IReadOnlyList<Cable> Of(string? target) =>
        [.. All.Where(cable => target == null || cable.Host == target || cable.Network == target)];

    /// <summary>Has something happen.</summary>
    /// <exception cref="UsageException">The words are not netem's; nothing has changed.</exception>
    public void Apply(LabEvent happening)
    {
        lock (gate)
        {
            foreach (Cable cable in all)
            {
                if (cable.Host != happening.Target && cable.Network != happening.Target)
                    continue;
                if (happening.Action == LabAction.Link)
                    Cable.Impair(cable.Link, happening.Link!, "link");
                else if (happening.Action == LabAction.Cut)
                    cable.Link.Other.Down();
                else
                    cable.Link.Other.Up();
            }
        }

        Happened?.Invoke(happening);
    }
}
