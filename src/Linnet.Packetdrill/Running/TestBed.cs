using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// What a script runs on: a machine in virtual time with one device, <c>tun0</c>, whose other end is the script; and a program that
/// makes the script's calls.
/// </summary>
internal sealed class TestBed : IDisposable
{
    /// <summary>Scripts begin this far into a jiffy, so that events at whole milliseconds fall into its middle.</summary>
    private static readonly TimeSpan BeforeStart = TimeSpan.FromMicroseconds(1_000_250);

    /// <summary>Longer than TIME_WAIT and the longest retransmission.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(30);

    private readonly Network network;
    private readonly Queue<(long AtNs, byte[] Bytes)> sniffed = new();
    private readonly Tun tun;
    private readonly long start;

    /// <summary>Boots the machine and brings up the device.</summary>
    public TestBed(PacketdrillOptions options)
    {
        network = Network.Simulate();
        Host host = network.AddHost("linnet");
        Net = host.Namespace;
        Caller = host.Syscalls.Task;
        Caller.Mm = Memory;
        Caller.IgnoredSignals |= 1UL << (SIGPIPE - 1);
        using (Caller.Enter())
        {
            Check(Fork.CopyProcess(Caller, CLONE_FILES | CLONE_VM, out TaskStruct? second), "make a second thread");
            Blocker = second!;
            Check(Tun.TunSetIff(Net, "tun0", tap: false, out tun), "make tun0");
            SetUp(options);
        }

        network.Simulation!.RunFor(BeforeStart);
        sniffed.Clear();
        start = network.Machine.Clock.Now;
        StartedAtReal = network.Machine.Clock.RealNow;
    }

    /// <summary>The namespace under test.</summary>
    public NetNamespace Net { get; }

    /// <summary>The machine.</summary>
    public Machine Machine => network.Machine;

    /// <summary>What runs it.</summary>
    public VirtualTimeScheduler Simulation => network.Simulation!;

    /// <summary>Who makes calls that do not block.</summary>
    public TaskStruct Caller { get; }

    /// <summary>Who makes calls that block: another thread of the same program.</summary>
    public TaskStruct Blocker { get; }

    /// <summary>The program's memory.</summary>
    public ScriptMemory Memory { get; } = new();

    /// <summary>Microseconds since the script's start.</summary>
    public long NowUsecs => UsecsAt(Machine.Clock.Now);

    /// <summary>The wall clock at the script's start: ns since 1970.</summary>
    public long StartedAtReal { get; }

    /// <summary>Whether the stack sent something that nobody looked at yet.</summary>
    public bool HasSniffed => sniffed.Count > 0;

    /// <summary>Called with a packet's number when the stack sends it, while it is doing so.</summary>
    public Action<int>? Sending { get; set; }

    /// <summary>The number of the last packet that was looked at, counted from 0; -1 before the first.</summary>
    public int LastTaken { get; private set; } = -1;

    /// <summary>The next packet that the stack sent; null for one that is none of IPv4.</summary>
    public WirePacket? TakeSniffed()
    {
        (long at, byte[] bytes) = sniffed.Dequeue();
        LastTaken++;
        return WirePacket.Parse(bytes, UsecsAt(at));
    }

    /// <summary>Gives the stack a packet, and runs what can run then.</summary>
    public void Inject(byte[] packet, ushort gsoSize)
    {
        tun.Receive(packet, gsoSize);
        Simulation.RunReady();
    }

    /// <summary>Lets time pass up to a moment of the script; what the stack has to do at that very moment comes after it.</summary>
    public void WaitUntil(long usecs)
    {
        long left = start + usecs * 1000 - Machine.Clock.Now;
        if (left > 0)
            Simulation.RunUpTo(TimeSpan.FromTicks(left / 100));
        Simulation.RunReady();
    }

    /// <summary>Lets time pass until something holds.</summary>
    /// <returns>False when it does not within the limit, or never will.</returns>
    public bool WaitFor(Func<bool> condition, TimeSpan limit)
    {
        try
        {
            Simulation.RunUntil(condition, limit);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
        catch (SimulationDeadlockException)
        {
            return false;
        }
    }

    /// <summary>Lets the sockets that are left run out, and counts the packets that nobody freed.</summary>
    public long PacketsLeft()
    {
        Simulation.RunFor(Aftermath);
        return NetCore.Of(Machine).SkbPool.Outstanding;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        network.Dispose();
        network.Simulation!.TakeFailures();
    }

    internal static uint ToHostOrder(IPAddress address) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address.GetAddressBytes());

    private static void Check(int result, string what)
    {
        if (result < 0)
            throw new InvalidOperationException($"cannot {what}: {Errno.Describe(-result)}");
    }

    private long UsecsAt(long ns) => (ns - start) / 1000;

    private void SetUp(PacketdrillOptions options)
    {
        Check(tun.SetOffload(TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN), "set the offloads of tun0");
        Check(Dev.DevSetMtu(tun.Dev, options.Mtu), $"set the MTU to {options.Mtu}");
        tun.Transmit = frame =>
        {
            sniffed.Enqueue((Machine.Clock.Now, frame.ToArray()));
            Sending?.Invoke(LastTaken + sniffed.Count);
        };
        Check(Dev.DevOpen(tun.Dev), "bring up tun0");
        uint local = ToHostOrder(options.LocalIp);
        if (!options.IsAnyIp)
            Check(Devinet.InetAddrAdd(tun.Dev, local, options.LocalPrefixLength), $"give tun0 the address {options.LocalIp}");
        int length = options.RemotePrefixLength;
        uint mask = length == 0 ? 0 : uint.MaxValue << (32 - length);
        FibConfig route = new()
        {
            Dst = ToHostOrder(options.RemoteIp) & mask,
            DstLen = length,
            Gw = options.IsAnyIp ? 0 : ToHostOrder(options.GatewayIp),
            Oif = tun.Dev.Ifindex,
        };
        Check(FibFrontend.InetRtmNewroute(Net, route), $"route {options.RemoteIp}/{length} to tun0");
    }
}
