using System.Collections.Concurrent;
using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netfilter;

namespace Linnet.Linux;

/// <summary>
/// The way out of a network: a host of it that carries what is for the outside through the computer's own sockets, without
/// any privilege (user-mode NAT). It answers DNS, whatever server is asked. Its own address stands for the computer itself:
/// what is sent there arrives at the computer's loopback.
/// </summary>
/// <remarks>
/// A connection is first made outside; only then its SYN goes on to a socket of the gateway, so that a refusal outside is a
/// refusal inside.
/// </remarks>
public sealed class Gateway : NfHookOps, IAsyncDisposable
{
    /// <summary>The name by which programs find the computer's own loopback.</summary>
    public const string HostName = "host.linnet";

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(15);

    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<uint, int> localAddresses = [];
    private readonly Lock routeGate = new();

    // The host's own addresses with their networks' masks: every packet is compared with them.
    private readonly (uint Address, uint Mask)[] addresses;
    private readonly TcpEgress tcp;
    private readonly UdpEgress udp;
    private readonly PingEgress ping;
    private readonly Task sweeping;

    /// <summary>Makes a gateway of a host that is connected already.</summary>
    /// <param name="host">The host, with the addresses that it is to have.</param>
    /// <param name="names">What names mean.</param>
    /// <param name="allowOutside">Whether there is a way out; otherwise only names are answered, and the rest is prohibited.</param>
    public Gateway(Host host, NameTable names, bool allowOutside)
    {
        Host = host;
        Names = names;
        AllowsOutside = allowOutside;
        addresses =
        [
            .. host.Interfaces.SelectMany(end => end.Addresses).Select(own =>
                (SocketAddresses.ToHostOrder(own.Address), own.PrefixLength == 0 ? 0 : uint.MaxValue << (32 - own.PrefixLength))),
        ];
        tcp = new TcpEgress(this);
        udp = new UdpEgress(this);
        ping = new PingEgress(this);
        Icmp = new IcmpAnswers(this);
        host.IsForwarding = true;
        if (!allowOutside)
            host.Ip("route add prohibit default");
        names.Add(HostName, host.Address);
        NfCore.NfRegisterNetHook(host.Namespace, this);
        sweeping = SweepAsync();
    }

    /// <summary>The host that it is.</summary>
    public Host Host { get; }

    /// <summary>What names mean.</summary>
    public NameTable Names { get; }

    /// <summary>Whether there is a way out.</summary>
    public bool AllowsOutside { get; }

    /// <summary>Whether nothing is on its way out at the moment.</summary>
    public bool IsIdle => tcp.IsIdle && udp.IsIdle;

    internal CancellationToken Stopping => stop.Token;

    internal IcmpAnswers Icmp { get; }

    /// <inheritdoc/>
    public override int Hook(SkBuff skb, NetDevice dev)
    {
        if (dev == Host.Namespace.LoopbackDev || skb.PktType != PACKET_HOST)
            return NfCore.NF_ACCEPT;
        Iphdr iph = skb.IpHdr;
        if (iph.FragOff is not 0 && (iph.FragOff & IP_OFFSET) != 0)
            return NfCore.NF_ACCEPT;
        bool own = IsOwn(iph.Daddr);
        if (!own && IsInside(iph.Daddr))
            return NfCore.NF_ACCEPT;
        return iph.Protocol switch
        {
            IPPROTO_TCP => tcp.Take(skb, iph),
            IPPROTO_UDP => udp.Take(skb, iph),
            IPPROTO_ICMP when !own => ping.Take(skb, iph),
            _ => NfCore.NF_ACCEPT,
        };
    }

    /// <summary>Closes the way out and all that goes through it.</summary>
    public async ValueTask DisposeAsync()
    {
        NfCore.NfUnregisterNetHook(Host.Namespace, this);
        await stop.CancelAsync();
        await sweeping;
        tcp.Dispose();
        udp.Dispose();
        Icmp.Dispose();
        stop.Dispose();
    }

    /// <summary>Where something is outside: the gateway's own address is the computer's loopback.</summary>
    internal IPEndPoint Outside(uint address, ushort port) =>
        new(IsOwn(address) ? IPAddress.Loopback : SocketAddresses.FromHostOrder(address), port);

    /// <summary>Lets a packet that was held go on. Callable from any thread that is not in the kernel.</summary>
    internal void Release(SkBuff skb)
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        IpInput.IpRcvFinish(Host.Namespace, skb, skb.Dev!);
    }

    /// <summary>Frees a packet that was held.</summary>
    internal void Discard(SkBuff skb)
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        skb.Free();
    }

    /// <summary>Lets a packet that was held go on to where it is told that its destination cannot be reached.</summary>
    internal void ReleaseUnreachable(SkBuff skb, uint address)
    {
        lock (routeGate)
        {
            if (localAddresses.ContainsKey(address) || IsOwn(address))
            {
                Release(skb);
                return;
            }

            string route = $"unreachable {SocketAddresses.FromHostOrder(address)}/32";
            Host.Ip($"route replace {route}");
            Release(skb);
            Host.Ip($"route del {route}");
        }
    }

    /// <summary>Has the gateway answer for an address outside. Each call is taken back by one of <see cref="Disown"/>.</summary>
    internal void Own(uint address)
    {
        if (IsOwn(address))
            return;
        lock (routeGate)
        {
            if (localAddresses.AddOrUpdate(address, 1, static (_, uses) => uses + 1) == 1)
                Host.Ip($"route add local {SocketAddresses.FromHostOrder(address)}/32 dev lo table local");
        }
    }

    /// <summary>Ends <see cref="Own"/>.</summary>
    internal void Disown(uint address)
    {
        if (IsOwn(address))
            return;
        lock (routeGate)
        {
            if (localAddresses.AddOrUpdate(address, 0, static (_, uses) => uses - 1) > 0)
                return;
            localAddresses.TryRemove(address, out _);
            Host.Ip($"route del local {SocketAddresses.FromHostOrder(address)}/32 dev lo table local");
        }
    }

    private bool IsOwn(uint address)
    {
        foreach ((uint own, uint _) in addresses)
        {
            if (own == address)
                return true;
        }

        return false;
    }

    private bool IsInside(uint address)
    {
        foreach ((uint own, uint mask) in addresses)
        {
            if (((own ^ address) & mask) == 0)
                return true;
        }

        return false;
    }

    private async Task SweepAsync()
    {
        using PeriodicTimer timer = new(SweepInterval);
        try
        {
            while (await timer.WaitForNextTickAsync(stop.Token))
            {
                tcp.Sweep();
                udp.Sweep();
            }
        }
        catch (OperationCanceledException)
        {
            // The gateway ends.
        }
    }
}
