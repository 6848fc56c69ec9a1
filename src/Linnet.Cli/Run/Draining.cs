using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>
/// Lets arrive what programs sent before they ended: a kernel goes on sending for them, but Linnet ends with the command.
/// </summary>
internal sealed class Draining(Network network, Supervisor supervisor, Gateway gateway, IReadOnlyList<IPublishedPort> ports)
{
    // What is handed from one place to the next is in neither for a moment.
    private const int QuietLooks = 3;

    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(5);

    private bool IsQuiet =>
        supervisor.IsIdle && gateway.IsIdle && ports.All(port => port.IsIdle)
        && network.Hosts.All(host => host.Interfaces.All(end => end.Device.Qdisc is not { Qlen: > 0 }));

    // Grows whenever a packet is sent.
    private long Sent => network.Hosts.Sum(host => host.Interfaces.Sum(end => end.Device.Stats.TxPackets));

    /// <summary>Waits until nothing is on its way, or nothing has moved for a while.</summary>
    /// <param name="patience">How long that is.</param>
    /// <param name="hurry">Ends the wait.</param>
    public async Task RunAsync(TimeSpan patience, CancellationToken hurry)
    {
        long sent = Sent, movedAt = Environment.TickCount64;
        for (int quiet = 0; quiet < QuietLooks && !hurry.IsCancellationRequested && Environment.TickCount64 - movedAt < patience.TotalMilliseconds;)
        {
            await Task.Delay(LookInterval);
            quiet = IsQuiet ? quiet + 1 : 0;
            if (Sent == sent)
                continue;
            (sent, movedAt) = (Sent, Environment.TickCount64);
        }
    }
}
