using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Linux;

namespace Linnet.Cli.Watch;

/// <summary>Looks at a network.</summary>
/// <param name="network">The network.</param>
/// <param name="cables">Its cables.</param>
internal sealed class Sampler(Network network, Cables cables)
{
    /// <summary>Who knows which program has a socket; null while there are no programs.</summary>
    public Supervisor? Supervisor { get; set; }

    /// <summary>The hosts that are looked at: those with cables, so not the way out.</summary>
    public IReadOnlyList<Host> Hosts => [.. cables.All.Select(cable => cable.Link.One.Host).Distinct()];

    /// <summary>All whose packets are packets of their own: not the boxes of switches.</summary>
    public IReadOnlyList<Host> Senders =>
        [.. network.Hosts.Where(host => !host.Namespace.Devices.All.Any(device => device.Master != null))];

    /// <summary>The program that has a socket, as <c>nginx[123]</c>; empty when not known.</summary>
    public string ProgramOf(ISocket? socket) =>
        socket != null && Supervisor?.FindByInode((ulong)socket.Ino)?.LastSeen.Process is { } process
            ? $"{process.Task.Comm}[{process.Pid}]"
            : "";

    /// <summary>How the network is now.</summary>
    public NetworkView Take()
    {
        using KernelEntry entry = network.Machine.Enter();
        IReadOnlyList<Host> hosts = Hosts;
        return new NetworkView(
            TimeSpan.FromTicks(network.Machine.Clock.Now / TimeSpan.NanosecondsPerTick),
            [.. hosts.SelectMany(host => host.Interfaces).Select(See)],
            [.. Sockets(hosts.ToDictionary(host => host.Namespace, host => host.Name))]);
    }

    private DeviceView See(HostInterface end)
    {
        Cable? cable = cables.All.FirstOrDefault(cable => cable.Link.One == end);
        ref NetDeviceStats stats = ref end.Device.Stats;
        QdiscStats queue = end.QueueStatistics, other = cable?.Link.Other.QueueStatistics ?? default;
        return new DeviceView
        {
            Host = end.Host.Name,
            Name = end.Name,
            IsUp = end.Device.IsRunning,
            PacketsIn = stats.RxPackets,
            PacketsOut = stats.TxPackets,
            BytesIn = stats.RxBytes,
            BytesOut = stats.TxBytes,
            Drops = stats.RxDropped + stats.TxDropped + queue.Drops + other.Drops,
            Backlog = queue.Qlen + other.Qlen,
            Words = cable?.Words ?? Cable.WordsOf(end),
        };
    }

    private IEnumerable<SocketView> Sockets(Dictionary<NetNamespace, string> hosts)
    {
        foreach (InetHashinfo table in hosts.Keys.Select(net => net.Ipv4.TcpDeathRow.Hashinfo).Distinct())
        {
            foreach (SockCommon sk in table.Lhash2.Snapshot().Concat(table.Ehash.Snapshot()))
            {
                if (sk.SkcFamily == AF_INET && hosts.TryGetValue(sk.SkcNet, out string? host))
                    yield return See(sk, host);
            }
        }

        UdpTable udp = UdpTable.Of(network.Machine);
        for (int slot = 0; slot < UdpTable.Size; slot++)
        {
            foreach (UdpSock sk in udp.Hash(slot).Socks)
            {
                if (sk.SkcFamily == AF_INET && hosts.TryGetValue(sk.SkcNet, out string? host))
                    yield return Datagrams(sk, host, "udp");
            }
        }

        // Those of ping and raw are found by the programs that have them.
        foreach (ShadowSocket shadow in Supervisor?.Shadows ?? [])
        {
            if (shadow.Socket.Sk is InetSock { SkProtocol: not (IPPROTO_TCP or IPPROTO_UDP), SkcFamily: AF_INET } sk
                && hosts.TryGetValue(sk.SkcNet, out string? host))
                yield return Datagrams(sk, host, sk is RawSock ? "raw" : "icmp");
        }
    }

    private SocketView See(SockCommon sk, string host) => sk switch
    {
        TcpSock tp => Tcp(tp, host),
        InetTimewaitSock tw => Bare(tw, host, tw.TwSubstate),
        _ => Bare(sk, host, TCP_SYN_RECV),
    };

    private static SocketView Bare(SockCommon sk, string host, int state) => new()
    {
        Identity = sk,
        Host = host,
        Protocol = "tcp",
        State = state,
        Local = new Place(sk.SkcRcvSaddr, sk.SkcNum),
        Peer = new Place(sk.SkcDaddr, sk.SkcDport),
    };

    // The spin lock holds off packets and timers; who owns the socket may change it, as for who reads /proc/net/tcp.
    private SocketView Tcp(TcpSock tp, string host)
    {
        SocketView view = Bare(tp, host, tp.SkState) with { Program = ProgramOf(tp.SkSocket) };
        if (tp.SkState == TCP_LISTEN)
            return view with { ReceiveQueue = Volatile.Read(ref tp.SkAckBacklog), SendQueue = tp.SkMaxAckBacklog };
        tp.BhLockSock();
        view = view with
        {
            ReceiveQueue = Math.Max(0, (int)(tp.RcvNxt - tp.CopiedSeq)),
            SendQueue = (int)(tp.WriteSeq - tp.SndUna),
            Tcp = Read(tp),
        };
        tp.BhUnlockSock();
        return view;
    }

    /// <summary>What TCP knows of a connection, or knew at its end.</summary>
    public static TcpView Read(TcpSock tp) => new(
        tp.SndCwnd,
        tp.TcpInInitialSlowstart ? null : tp.SndSsthresh,
        tp.SrttUs == 0 ? null : TimeSpan.FromMicroseconds(tp.SrttUs >> 3),
        tp.TotalRetrans,
        (long)(tp.BytesSent - tp.BytesRetrans),
        // The end of the stream counts as a byte there.
        (long)tp.BytesReceived - ((tp.SkFlags & SockFlags.Done) != 0 ? 1 : 0));

    private SocketView Datagrams(InetSock sk, string host, string protocol) => new()
    {
        Identity = sk,
        Host = host,
        Program = ProgramOf(sk.SkSocket),
        Protocol = protocol,
        State = sk.SkState,
        Local = new Place(sk.SkcRcvSaddr, sk.SkcNum),
        Peer = new Place(sk.SkcDaddr, sk.SkcDport),
        ReceiveQueue = Volatile.Read(ref sk.SkRmemAlloc),
        SendQueue = sk.SkWmemAllocGet,
    };
}
