using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netfilter;

namespace Linnet.Linux;

/// <summary>Carries datagrams out, and their answers in; answers DNS.</summary>
internal sealed class UdpEgress(Gateway gateway) : IDisposable
{
    private const int DnsPort = 53;
    private const int LargestDatagram = 65536;

    private readonly ConcurrentDictionary<(uint Address, ushort Port), Service> services = [];

    /// <summary>Whether no datagram waits to be carried.</summary>
    public bool IsIdle => services.Values.All(service => service.Socket is { Available: 0 });

    /// <summary>Decides about a datagram.</summary>
    public int Take(SkBuff skb, in Iphdr iph)
    {
        if (!skb.PskbMayPull(iph.HeaderLength + Udphdr.Size))
            return NfCore.NF_ACCEPT;
        Iphdr header = skb.IpHdr;
        Udphdr uh = new(skb.Data[header.HeaderLength..]);
        (uint Address, ushort Port) key = (header.Daddr, uh.Dest);
        if (key.Port != DnsPort && !gateway.AllowsOutside)
            return NfCore.NF_ACCEPT;

        // Who has a socket here already: a service, or a port that is published.
        if (Udp.Udp4LibLookup(gateway.Host.Namespace, header.Saddr, uh.Source, key.Address, key.Port, skb.Dev!.Ifindex) != null)
            return NfCore.NF_ACCEPT;
        while (true)
        {
            if (services.TryGetValue(key, out Service? known))
                return known.Hold(skb) ? NfCore.NF_STOLEN : NfCore.NF_ACCEPT;
            Service service = new();
            if (!services.TryAdd(key, service))
                continue;

            // Making the socket takes the kernel, which this thread is in the middle of.
            bool held = service.Hold(skb);
            _ = Task.Run(() => Open(key, service));
            return held ? NfCore.NF_STOLEN : NfCore.NF_ACCEPT;
        }
    }

    /// <summary>Closes what has not been used for a while.</summary>
    public void Sweep()
    {
        foreach (((uint, ushort) key, Service service) in services)
        {
            foreach ((IPEndPoint client, Flow flow) in service.Flows)
            {
                if (flow.Use.IsIdle && service.Flows.TryRemove(new(client, flow)))
                    flow.Socket.Dispose();
            }

            if (service.Socket != null && service.Flows.IsEmpty && service.Use.IsIdle
                && services.TryRemove(new(key, service)))
                Close(key.Item1, service);
        }
    }

    public void Dispose()
    {
        foreach (((uint address, ushort _), Service service) in services)
            Close(address, service);
        services.Clear();
    }

    private void Close(uint address, Service service)
    {
        foreach (Flow flow in service.Flows.Values)
            flow.Socket.Dispose();
        if (service.Socket == null)
            return;
        service.Socket.Dispose();
        gateway.Disown(address);
    }

    private void Open((uint Address, ushort Port) key, Service service)
    {
        gateway.Own(key.Address);
        LinnetSocket socket = gateway.Host.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        try
        {
            socket.Bind(new IPEndPoint(SocketAddresses.FromHostOrder(key.Address), key.Port));
        }
        catch (SocketException)
        {
            socket.Dispose();
            gateway.Disown(key.Address);
            services.TryRemove(new(key, service));
            foreach (SkBuff skb in service.TakeHeld())
                gateway.Discard(skb);
            return;
        }

        service.Socket = socket;
        _ = key.Port == DnsPort ? AnswerNamesAsync(service) : CarryOutAsync(key, service);
        foreach (SkBuff skb in service.TakeHeld())
            gateway.Release(skb);
    }

    private async Task AnswerNamesAsync(Service service)
    {
        byte[] buffer = new byte[LargestDatagram];
        await ReceiveAsync(service, buffer, (length, client) =>
        {
            byte[] query = buffer[..length];
            _ = AnswerAsync(service, query, client);
            return ValueTask.CompletedTask;
        });
    }

    private async Task AnswerAsync(Service service, byte[] query, IPEndPoint client)
    {
        try
        {
            byte[]? answer = await gateway.Names.AnswerAsync(query, gateway.AllowsOutside, streamed: false, gateway.Stopping);
            if (answer != null)
                await service.Socket!.SendToAsync(answer, client, gateway.Stopping);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Who asked asks again.
        }
    }

    private Task CarryOutAsync((uint Address, ushort Port) key, Service service)
    {
        byte[] buffer = new byte[LargestDatagram];
        return ReceiveAsync(service, buffer, async (length, client) =>
        {
            try
            {
                Flow flow = service.Flows.GetOrAdd(client, c => Begin(key, service, c));
                flow.Use.Touch();
                await flow.Socket.SendAsync(buffer.AsMemory(0, length), SocketFlags.None, gateway.Stopping);
            }
            catch (SocketException e)
            {
                Refuse(key, client, e.SocketErrorCode);
            }
            catch (ObjectDisposedException)
            {
                // The flow ended while this was on its way: lost, as datagrams may be.
            }
        });
    }

    private async Task ReceiveAsync(Service service, byte[] buffer, Func<int, IPEndPoint, ValueTask> handle)
    {
        while (!service.Socket!.IsClosed)
        {
            try
            {
                (int length, IPEndPoint? client) = await service.Socket.ReceiveFromAsync(buffer, gateway.Stopping);
                service.Use.Touch();
                if (client != null)
                    await handle(length, client);
            }
            catch (Exception e) when (e is SocketException)
            {
                // An error of one peer's: others go on.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private Flow Begin((uint Address, ushort Port) key, Service service, IPEndPoint client)
    {
        Socket outer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            outer.Connect(gateway.Outside(key.Address, key.Port));
        }
        catch (SocketException)
        {
            outer.Dispose();
            throw;
        }

        Flow flow = new(outer);
        _ = CarryInAsync(key, service, flow, client);
        return flow;
    }

    // What is told outside is told inside.
    private void Refuse((uint Address, ushort Port) key, IPEndPoint client, SocketError error)
    {
        if (IcmpAnswers.CodeFor(error) is not { } code)
            return;
        Span<byte> quoted = stackalloc byte[Udphdr.Size];
        quoted.Clear();
        _ = new Udphdr(quoted) { Source = (ushort)client.Port, Dest = key.Port, Len = Udphdr.Size };
        gateway.Icmp.SendUnreachable(code, IPPROTO_UDP, SocketAddresses.ToHostOrder(client.Address), key.Address, quoted);
    }

    private async Task CarryInAsync((uint Address, ushort Port) key, Service service, Flow flow, IPEndPoint client)
    {
        byte[] buffer = new byte[LargestDatagram];
        while (true)
        {
            try
            {
                int length = await flow.Socket.ReceiveAsync(buffer, SocketFlags.None, gateway.Stopping);
                flow.Use.Touch();
                await service.Socket!.SendToAsync(buffer.AsMemory(0, length), client, gateway.Stopping);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e)
            {
                // The next datagram tries anew.
                if (service.Flows.TryRemove(new(client, flow)))
                    flow.Socket.Dispose();
                Refuse(key, client, e.SocketErrorCode);
                return;
            }
        }
    }

    private sealed class Service
    {
        private const int MostHeld = 64;

        private List<SkBuff>? held = [];

        public LinnetSocket? Socket { get; set; }

        public ConcurrentDictionary<IPEndPoint, Flow> Flows { get; } = [];

        public LastUse Use { get; } = new();

        // Datagrams that come before the socket is there wait for it.
        public bool Hold(SkBuff skb)
        {
            lock (Flows)
            {
                if (held == null || held.Count == MostHeld)
                    return false;
                held.Add(skb);
                return true;
            }
        }

        public List<SkBuff> TakeHeld()
        {
            lock (Flows)
            {
                List<SkBuff> taken = held ?? [];
                held = null;
                return taken;
            }
        }
    }

    private sealed class Flow(Socket socket)
    {
        public Socket Socket => socket;

        public LastUse Use { get; } = new();
    }
}
