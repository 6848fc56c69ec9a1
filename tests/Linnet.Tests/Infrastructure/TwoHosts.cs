using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;

namespace Linnet.Testing;

/// <summary>Two hosts on a cable in virtual time, for one test. Disposing checks that no packet leaked.</summary>
public sealed class TwoHosts : IDisposable
{
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(20);

    /// <summary>Boots the network.</summary>
    public TwoHosts(ulong seed = 1, Stream? capture = null)
    {
        Network = new Network(new NetworkOptions { VirtualTime = true, Seed = seed, Capture = capture });
        One = Network.AddHost("one");
        Other = Network.AddHost("other");
        Link = Network.Connect(One, "10.0.0.1/24", Other, "10.0.0.2/24");
    }

    /// <summary>The network.</summary>
    public Network Network { get; }

    /// <summary>10.0.0.1.</summary>
    public Host One { get; }

    /// <summary>10.0.0.2.</summary>
    public Host Other { get; }

    /// <summary>The cable.</summary>
    public Link Link { get; }

    /// <summary>The scheduler.</summary>
    public VirtualTimeScheduler Simulation => Network.Simulation!;

    /// <summary>Whether disposing looks for leaks; a test that breaks off in the middle turns it off.</summary>
    public bool CheckLeaks { get; set; } = true;

    /// <summary>A port of <see cref="One"/>.</summary>
    public IPEndPoint At(int port) => new(One.Address, port);

    /// <summary>Runs async code to its end.</summary>
    public void Run(Func<Task> main) => Network.Run(main, TimeSpan.FromHours(1));

    /// <summary>A connection between the hosts; the server listens on port 80 meanwhile.</summary>
    /// <returns>The end at <see cref="Other"/>, which connected, and the one at <see cref="One"/>.</returns>
    public async Task<(LinnetStream Client, LinnetStream Server)> ConnectAsync()
    {
        using LinnetSocket listener = One.Listen(80);
        Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
        LinnetStream client = await Other.ConnectAsync(At(80));
        return (client, (await accept).GetStream());
    }

    /// <summary>Ends the network.</summary>
    public void Dispose()
    {
        Machine machine = Network.Machine;
        if (CheckLeaks)
        {
            One.End();
            Other.End();
            Simulation.RunFor(Aftermath);
        }

        Network.Dispose();
        IReadOnlyList<Exception> failures = Simulation.TakeFailures();
        if (failures.Count > 0)
            throw new AggregateException("exceptions in programs", failures);
        if (CheckLeaks)
        {
            SkbPool pool = NetCore.Of(machine).SkbPool;
            Assert.Equal(0, pool.Outstanding);
            Assert.Equal(0, pool.Pages.Outstanding);
        }
    }
}
