using System.Net.Sockets;
using System.Text;
using Linnet.Cli.Commands;

namespace Linnet.Cli.Watch;

/// <summary>Speaks to a running <c>linnet run</c> or <c>linnet up</c> about its links.</summary>
/// <param name="folder">Where they have their sockets.</param>
internal sealed class LinkClient(LinkFolder folder)
{
    /// <summary>Says words, and hears the answer.</summary>
    /// <param name="pid">Whom to speak to; null for the one that runs.</param>
    /// <param name="words">What to say.</param>
    /// <exception cref="FailureException">There is none.</exception>
    /// <exception cref="UsageException">There are several, and none was named.</exception>
    public async Task<LinkAnswer> SayAsync(int? pid, IReadOnlyList<string> words)
    {
        int chosen = pid ?? Choose();
        try
        {
            await using NetworkStream stream = new(folder.Connect(chosen), ownsSocket: true);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(string.Join(' ', words).ReplaceLineEndings(" ") + "\n"));
            using StreamReader reader = new(stream);
            string answer = await reader.ReadToEndAsync();
            int end = answer.IndexOf('\n', StringComparison.Ordinal);
            return end > 0 && int.TryParse(answer.AsSpan(0, end), out int status)
                ? new LinkAnswer(status, answer[(end + 1)..])
                : throw new FailureException($"process {chosen} did not answer");
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            throw new FailureException($"process {chosen} is no running linnet run or linnet up of yours");
        }
    }

    private int Choose() => folder.Running() switch
    {
        [] => throw new FailureException("no linnet run or linnet up of yours is running"),
        [int one] => one,
        var several => throw new UsageException($"several are running, choose one by --pid: {string.Join(", ", several.Select(Describe))}"),
    };

    private static string Describe(int pid)
    {
        const int Longest = 60;
        try
        {
            string command = File.ReadAllText($"/proc/{pid}/cmdline").Replace('\0', ' ').Trim();
            return $"{pid} ({(command.Length > Longest ? command[..Longest] + "…" : command)})";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"{pid}";
        }
    }
}
