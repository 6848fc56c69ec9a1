using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netfilter;

namespace Linnet.Linux;

/// <summary>Carries TCP connections out.</summary>
internal sealed class TcpEgress(Gateway gateway) : IDisposable
{
    private const int DnsPort = 53;

    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(75);

    private readonly ConcurrentDictionary<Flow, Outer> flows = [];
    private readonly ConcurrentDictionary<(uint Address, ushort Port), Listener> listeners = [];

    /// <summary>Whether no connection is carried, and none is to be.</summary>
    public bool IsIdle => flows.IsEmpty && listeners.Values.All(listener => listener.Connections == 0);

    /// <summary>Decides about a segment.</summary>
    public int Take(SkBuff skb, in Iphdr iph)
    {
        if (!skb.PskbMayPull(iph.HeaderLength + Tcphdr.Size))
            return NfCore.NF_ACCEPT;
        Iphdr header = skb.IpHdr;
        Tcphdr th = new(skb.Data[header.HeaderLength..]);
        if (!th.Syn || th.Ack)
            return NfCore.NF_ACCEPT;
        if (th.Dest != DnsPort && !gateway.AllowsOutside)
            return NfCore.NF_ACCEPT;
        Flow flow = new(header.Saddr, th.Source, header.Daddr, th.Dest);
        Outer outer = new();
        if (!flows.TryAdd(flow, outer))
            return flows.TryGetValue(flow, out Outer? known) && known.IsReady ? NfCore.NF_ACCEPT : NfCore.NF_DROP;
        _ = Task.Run(() => ConnectAsync(flow, outer, skb));
        return NfCore.NF_STOLEN;
    }

    /// <summary>Closes what has not been used for a while.</summary>
    public void Sweep()
    {
        foreach ((Flow flow, Outer outer) in flows)
        {
            if (outer.IsReady && outer.Use.IsIdle && flows.TryRemove(new(flow, outer)))
                outer.Socket?.Dispose();
        }

        foreach (((uint, ushort) key, Listener listener) in listeners)
        {
            if (listener.IsIdle && listeners.TryRemove(new(key, listener)))
                Close(key.Item1, listener);
        }
    }

    public void Dispose()
    {
        foreach (((uint address, ushort _), Listener listener) in listeners)
            Close(address, listener);
        listeners.Clear();
        foreach (Outer outer in flows.Values)
            outer.Socket?.Dispose();
    }

    private void Close(uint address, Listener listener)
    {
        listener.Socket.Dispose();
        gateway.Disown(address);
    }

    private async Task ConnectAsync(Flow flow, Outer outer, SkBuff skb)
    {
        SocketError error = flow.DestinationPort == DnsPort ? SocketError.Success : await ConnectOutsideAsync(flow, outer);
        if (error == SocketError.Success)
        {
            Listen(flow);
            outer.SetReady();
            gateway.Release(skb);
            return;
        }

        // What is told inside is what was told outside.
        switch (error)
        {
            case SocketError.ConnectionRefused or SocketError.ConnectionReset:
                outer.SetReady();
                gateway.Own(flow.Destination);
                gateway.Release(skb);
                gateway.Disown(flow.Destination);
                break;
            case SocketError.HostUnreachable or SocketError.NetworkUnreachable:
                outer.SetReady();
                gateway.ReleaseUnreachable(skb, flow.Destination);
                break;
            default:
                gateway.Discard(skb);
                break;
        }

        flows.TryRemove(new(flow, outer));
    }

    private async Task<SocketError> ConnectOutsideAsync(Flow flow, Outer outer)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(gateway.Stopping);
        timeout.CancelAfter(ConnectTimeout);
        try
        {
            await socket.ConnectAsync(gateway.Outside(flow.Destination, flow.DestinationPort), timeout.Token);
            outer.Socket = socket;
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            return e.SocketErrorCode;
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            return SocketError.TimedOut;
        }
    }

    private void Listen(Flow flow)
    {
        (uint, ushort) key = (flow.Destination, flow.DestinationPort);
        lock (listeners)
        {
            if (listeners.TryGetValue(key, out Listener? known))
            {
                known.Use.Touch();
                return;
            }

            gateway.Own(flow.Destination);
            Listener listener = new(gateway.Host.Listen(flow.DestinationPort, SocketAddresses.FromHostOrder(flow.Destination)));
            listeners[key] = listener;
            _ = AcceptAsync(flow, listener);
        }
    }

    private async Task AcceptAsync(Flow to, Listener listener)
    {
        while (true)
        {
            LinnetSocket inner;
            try
            {
                inner = await listener.Socket.AcceptAsync(gateway.Stopping);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                if (listener.Socket.IsClosed || gateway.Stopping.IsCancellationRequested)
                    return;
                continue;
            }

            _ = ServeAsync(to, listener, inner);
        }
    }

    private async Task ServeAsync(Flow to, Listener listener, LinnetSocket inner)
    {
        using LinnetSocket connection = inner;
        listener.Begin();
        try
        {
            if (to.DestinationPort == DnsPort)
            {
                await gateway.Names.ServeAsync(connection.GetStream(ownsSocket: false), gateway.AllowsOutside, gateway.Stopping);
                return;
            }

            IPEndPoint? from = connection.RemoteEndPoint;
            Flow flow = to with { Source = SocketAddresses.ToHostOrder(from?.Address ?? IPAddress.None), SourcePort = (ushort)(from?.Port ?? 0) };
            if (flows.TryRemove(flow, out Outer? outer) && outer.Socket is { } socket)
            {
                using (socket)
                    await StreamRelay.RunAsync(socket, connection, gateway.Stopping);
            }
            else
            {
                connection.LingerState = new LingerOption(true, 0);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The connection broke.
        }
        finally
        {
            listener.End();
        }
    }

    private readonly record struct Flow(uint Source, ushort SourcePort, uint Destination, ushort DestinationPort);

    private sealed class Outer
    {
        private volatile bool isReady;

        public Socket? Socket { get; set; }

        public LastUse Use { get; } = new();

        public bool IsReady => isReady;

        public void SetReady()
        {
            Use.Touch();
            isReady = true;
        }
    }

    private sealed class Listener(LinnetSocket socket)
    {
        private int connections;

        public LinnetSocket Socket => socket;

        public LastUse Use { get; } = new();

        public int Connections => Volatile.Read(ref connections);

        public bool IsIdle => Connections == 0 && Use.IsIdle;

        public void Begin() => Interlocked.Increment(ref connections);

        public void End()
        {
            Use.Touch();
            Interlocked.Decrement(ref connections);
        }
    }
}
