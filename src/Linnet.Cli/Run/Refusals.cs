using System.Collections.Concurrent;
using Linnet.Kernel.Security;

namespace Linnet.Cli.Run;

/// <summary>Holds programs to a policy, and says what it refused them: each refusal once, and at the end how often.</summary>
internal sealed class Refusals : IDisposable
{
    private readonly Terminal terminal;
    private readonly bool showHost;
    private readonly ConcurrentDictionary<string, long> counts = [];

    private Refusals(Network network, Policy policy, Terminal terminal, bool showHost)
    {
        this.terminal = terminal;
        this.showHost = showHost;
        AsksAboutData = policy.CanRefuse(PolicyOperation.Send | PolicyOperation.Receive);
        PolicyModule module = new(policy);
        module.Refusing += Add;
        Lsm.SecurityAddHooks(network.Machine, module);

        // By these the network itself is served: names, ports that are published, the way out.
        foreach (Host host in network.Hosts)
            host.Syscalls.Task.IsKthread = true;
    }

    /// <summary>Whether the policy has something to say about data.</summary>
    public bool AsksAboutData { get; }

    /// <summary>Begins to hold the programs to a policy.</summary>
    /// <param name="network">Theirs; its hosts are there.</param>
    /// <param name="path">The policy's file; null for none.</param>
    /// <param name="terminal">Where refusals are told.</param>
    /// <param name="showHost">Whether each says where it was.</param>
    /// <exception cref="UsageException">There is no such file, or it is no policy.</exception>
    public static Refusals? Enforce(Network network, string? path, Terminal terminal, bool showHost) =>
        path == null ? null : new Refusals(network, PolicyFile.Read(path), terminal, showHost);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((string text, long count) in counts.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            if (count > 1)
                terminal.Error.WriteLine($"linnet: {text} ({count} times)");
        }
    }

    private void Add(PolicyRefusal refusal)
    {
        string text = showHost ? $"{refusal.Request.Host}: {refusal}" : refusal.ToString();
        if (counts.AddOrUpdate(text, 1, static (_, count) => count + 1) == 1)
            terminal.Error.WriteLine($"linnet: {text}");
    }
}
