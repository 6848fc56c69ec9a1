using System.Text;
using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <summary>How a bad network is described, in the words that stand behind <c>tc qdisc add dev DEV root netem</c>.</summary>
public static class NetemWords
{
    /// <summary>Reads words as <c>delay 50ms 5ms loss 1%</c>. What is not said does not happen.</summary>
    /// <param name="words">The words; without any, packets are sent as they come.</param>
    /// <exception cref="FormatException">They make no sense; the message is <c>tc</c>'s.</exception>
    public static NetemOptions Parse(string words)
    {
        try
        {
            TcWords reader = new(words.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            NetemOptions options = (NetemOptions)TcQdisc.Parse("netem", reader)(new NetemOptions());
            return options.Validate() is { } problem ? throw new FormatException(problem) : options;
        }
        catch (TcWordException e)
        {
            throw new FormatException(e.Message);
        }
    }

    /// <summary>The words for options, as <c>tc qdisc show</c> prints them; the limit only when it is not netem's own.</summary>
    public static string Format(NetemOptions options)
    {
        StringBuilder text = new();
        TcQdisc.PrintOptions(text, options);
        string limit = $"limit {new NetemOptions().Limit}";
        string all = text.ToString();
        if (all == limit || all.StartsWith(limit + " ", StringComparison.Ordinal))
            all = all[limit.Length..];
        return string.Join(' ', all.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }
}
