using System.Net;
using System.Net.Sockets;
using Linnet.Kernel;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Bridge;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Vlan;
using Linnet.Kernel.Uapi;

namespace Linnet;

/// <summary>
/// A computer in a <see cref="Network"/>: its own interfaces, addresses, routes, ports and programs.
/// </summary>
public sealed class Host
{
    /// <summary>Descriptors that a program may have; Linux's own limit for programs that ask for more.</summary>
    private const ulong MostDescriptors = 1024 * 1024;

    private readonly Lock gate = new();
    private readonly List<HostInterface> interfaces = [];
    private readonly HashSet<TaskStruct> tasks = [];

    // The parent of all tasks of the host: it holds the namespaces, and opens nothing.
    private readonly TaskStruct init;

    internal Host(Network network, string name)
    {
        Network = network;
        Name = name;
        using KernelEntry entry = network.Machine.Enter();
        Check(
            Fork.CopyProcess(network.Machine.InitTask, CLONE_NEWNET | CLONE_NEWUTS, out TaskStruct? task),
            $"make namespaces for {name}");
        init = task!;
        init.Nsproxy.UtsNs.NodeName = name;
        new HostInterface(this, Namespace.LoopbackDev).Up();
        Syscalls = NewTask(name);
    }

    /// <summary>The network.</summary>
    public Network Network { get; }

    /// <summary>The host's name.</summary>
    public string Name { get; }

    /// <summary>The network namespace that the host is.</summary>
    public NetNamespace Namespace => init.Nsproxy.NetNs;

    /// <summary>The interfaces, loopback first.</summary>
    public IReadOnlyList<HostInterface> Interfaces
    {
        get
        {
            lock (gate)
                return [.. interfaces];
        }
    }

    /// <summary>The first address that is not of loopback; that of loopback when there is no other.</summary>
    public IPAddress Address =>
        Interfaces.Skip(1).SelectMany(i => i.Addresses).Select(a => a.Address).FirstOrDefault() ?? IPAddress.Loopback;

    /// <summary>The system calls of the task that the host's <see cref="LinnetSocket"/>s belong to; it runs as root.</summary>
    public Syscalls Syscalls { get; }

    /// <summary>Makes a task: who makes system calls, with its own descriptors; 0, 1 and 2 are <c>/dev/null</c>.</summary>
    /// <param name="comm">The program's name, at most 15 bytes.</param>
    /// <param name="cred">Credentials; root's when not given.</param>
    /// <returns>The task's system calls.</returns>
    public Syscalls NewTask(string comm, Cred? cred = null)
    {
        using KernelEntry entry = Network.Machine.Enter();
        Check(Fork.CopyProcess(init, 0, out TaskStruct? child), $"make a task on {Name}");
        TaskStruct task = child!;
        task.Comm = comm.Length > 15 ? comm[..15] : comm;
        Rlimit limit = new() { RlimCur = MostDescriptors, RlimMax = MostDescriptors };
        Check(task.Rlimits.DoPrlimit(task, RLIMIT_NOFILE, limit, out _), "raise the limit of descriptors");
        using (task.Enter())
            StandardDescriptors.Open(task);
        task.Cred = cred ?? task.Cred;
        lock (gate)
            tasks.Add(task);
        return new Syscalls(this, task);
    }

    /// <summary>
    /// Starts a program on a thread of its own, where it makes blocking calls. Its descriptors are closed when it ends.
    /// </summary>
    /// <param name="comm">The program's name, at most 15 bytes.</param>
    /// <param name="program">The program.</param>
    /// <param name="cred">Credentials; root's when not given.</param>
    /// <returns>Ends with the program, and fails as it does.</returns>
    public Task Start(string comm, Action<Syscalls> program, Cred? cred = null)
    {
        Syscalls syscalls = NewTask(comm, cred);
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Network.Machine.Scheduler.Start($"{Name}:{comm}", () => RunProgram(syscalls, program, ended));
        return ended.Task;
    }

    /// <summary>
    /// Starts a program of async code. Its descriptors are closed when it ends. In virtual time it runs inside of the simulation,
    /// in real time on the thread pool.
    /// </summary>
    /// <param name="comm">The program's name, at most 15 bytes.</param>
    /// <param name="program">The program.</param>
    /// <param name="cred">Credentials; root's when not given.</param>
    /// <returns>Ends with the program, and fails as it does.</returns>
    public Task Start(string comm, Func<Syscalls, Task> program, Cred? cred = null)
    {
        Syscalls syscalls = NewTask(comm, cred);
        async Task Run()
        {
            try
            {
                await program(syscalls);
            }
            finally
            {
                End(syscalls.Task);
            }
        }

        return Network.Simulation is { } simulation ? simulation.Start($"{Name}:{comm}", Run) : Task.Run(Run);
    }

    /// <summary>Makes a socket (<c>socket</c>).</summary>
    /// <param name="addressFamily">The family.</param>
    /// <param name="socketType">The type.</param>
    /// <param name="protocolType">The protocol; 0 for the type's default.</param>
    /// <exception cref="LinnetSocketException">The family, type or protocol is not known, or not allowed.</exception>
    public LinnetSocket CreateSocket(AddressFamily addressFamily, SocketType socketType, ProtocolType protocolType = 0) =>
        Syscalls.CreateSocket(addressFamily, socketType, protocolType);

    /// <summary>Makes a TCP socket that listens.</summary>
    /// <param name="port">Port, 0 for a free one.</param>
    /// <param name="address">Local address; all when not given.</param>
    public LinnetSocket Listen(int port, IPAddress? address = null)
    {
        LinnetSocket socket = CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
        try
        {
            socket.ReuseAddress = true;
            socket.Bind(new IPEndPoint(address ?? IPAddress.Any, port));
            socket.Listen();
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Connects by TCP.</summary>
    /// <param name="remoteEndPoint">The peer.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <returns>The connection; disposing of it closes it.</returns>
    public async ValueTask<LinnetStream> ConnectAsync(EndPoint remoteEndPoint, CancellationToken cancellation = default)
    {
        LinnetSocket socket = CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
        try
        {
            await socket.ConnectAsync(remoteEndPoint, cancellation);
            return socket.GetStream();
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether the host passes on packets that are not for itself, as a router (<c>net.ipv4.ip_forward</c>).</summary>
    public bool IsForwarding
    {
        get => GetSysctl("net.ipv4.ip_forward") != "0";
        set => SetSysctl("net.ipv4.ip_forward", value ? "1" : "0");
    }

    /// <summary>Reads a kernel setting (<c>sysctl</c>).</summary>
    /// <param name="path">Its name, as <c>net.ipv4.tcp_rmem</c>.</param>
    /// <exception cref="InvalidOperationException">There is none of that name.</exception>
    public string GetSysctl(string path)
    {
        Check(Namespace.Sysctl.Read(path, out string value), $"read {path}");
        return value.TrimEnd('\n');
    }

    /// <summary>Changes a kernel setting (<c>sysctl -w</c>).</summary>
    /// <param name="path">Its name, as <c>net.ipv4.tcp_rmem</c>.</param>
    /// <param name="value">The value, as in <c>/proc/sys</c>.</param>
    /// <exception cref="InvalidOperationException">There is none of that name, it cannot be changed, or the value does not fit.</exception>
    public void SetSysctl(string path, string value)
    {
        using KernelEntry entry = Network.Machine.Enter();
        Check(Namespace.Sysctl.Write(path, value), $"set {path} to {value}");
    }

    /// <summary>Performs a <c>tc</c> command about the host's interfaces, as <c>qdisc add dev eth0 root netem delay 10ms</c>.</summary>
    /// <param name="commandLine">The words; a leading <c>tc</c> is skipped.</param>
    /// <returns>What the command prints.</returns>
    /// <exception cref="InvalidOperationException">It was refused; the message is the command's.</exception>
    public string TrafficControl(string commandLine)
    {
        TcResult result = Tc.Run(Namespace, commandLine);
        return result.ExitStatus == 0 ? result.Output : throw new InvalidOperationException(result.Error.TrimEnd('\n'));
    }

    /// <summary>Adds a route (<c>ip route add</c>).</summary>
    /// <param name="destination">The network that it leads to; <c>0.0.0.0/0</c> is the default route.</param>
    /// <param name="gateway">The next router, on a link of this host.</param>
    public void AddRoute(IPNetworkAddress destination, IPAddress gateway)
    {
        using KernelEntry entry = Network.Machine.Enter();
        FibConfig route = new()
        {
            Dst = SocketAddresses.ToHostOrder(destination.Address),
            DstLen = destination.PrefixLength,
            Gw = SocketAddresses.ToHostOrder(gateway),
        };
        Check(FibFrontend.InetRtmNewroute(Namespace, route), $"add the route to {destination} by {gateway}");
    }

    /// <summary>The routes.</summary>
    public HostRoutes Routes => new(this);

    /// <summary>The policy rules, which say in what tables routes are looked for.</summary>
    public HostRules Rules => new(this);

    /// <summary>The neighbours.</summary>
    public HostNeighbours Neighbours => new(this);

    /// <summary>Carries out a command of iproute2 on the host, as <c>route add 10.0.0.0/8 via 192.0.2.1</c>.</summary>
    /// <param name="command">The words behind <c>ip</c>; see <see cref="IpCommand"/>.</param>
    /// <returns>What it prints.</returns>
    /// <exception cref="InvalidOperationException">The words make no sense, or the kernel refuses.</exception>
    public string Ip(string command)
    {
        IpResult result = IpCommand.Run(Namespace, command);
        return result.Succeeded ? result.Output : throw new InvalidOperationException($"ip {command}: {result.Error}");
    }

    /// <summary>Adds a device whose other end is a program: a TAP or TUN device.</summary>
    /// <param name="tap">Whether it carries Ethernet frames rather than IP packets.</param>
    /// <param name="address">Its address; null for none, as a port of a bridge has none.</param>
    /// <param name="mtu">Largest packet in bytes.</param>
    /// <returns>The driver, which packets are given to and taken from.</returns>
    public Kernel.Drivers.Tun AddTun(bool tap, IPNetworkAddress? address, int mtu = 1500)
    {
        using KernelEntry entry = Network.Machine.Enter();
        Check(Kernel.Drivers.Tun.TunSetIff(Namespace, tap ? "tap%d" : "tun%d", tap, out Kernel.Drivers.Tun tun), "make a device");
        HostInterface end = new(this, tun.Dev);
        end.SetMtu(mtu);
        end.Up();
        if (address is { } given)
            end.AddAddress(given);
        Network.Capture(end);
        return tun;
    }

    /// <summary>Adds a VLAN over an interface (<c>ip link add link DEV type vlan id ID</c>): an interface whose frames are tagged.</summary>
    /// <param name="below">The interface that carries the frames; another VLAN for two tags (QinQ).</param>
    /// <param name="id">The VLAN, 0 to 4094.</param>
    /// <param name="address">Its address; null for none.</param>
    /// <param name="serviceTag">Whether tags are those of providers (IEEE 802.1ad) rather than of customers (IEEE 802.1Q).</param>
    /// <returns>The interface, which is up, named as the one below with <c>.ID</c> behind it.</returns>
    /// <exception cref="InvalidOperationException">The VLAN is there already, or the interface cannot carry VLANs.</exception>
    public HostInterface AddVlan(HostInterface below, int id, IPNetworkAddress? address = null, bool serviceTag = false)
    {
        using KernelEntry entry = Network.Machine.Enter();
        ushort protocol = (ushort)(serviceTag ? IfEtherH.ETH_P_8021AD : IfEtherH.ETH_P_8021Q);
        Check(Vlan8021Q.VlanNewlink(below.Device, null, protocol, id, out NetDevice? dev), $"add VLAN {id} to {below.Name}");
        HostInterface vlan = new(this, dev!);
        vlan.Up();
        if (address is { } given)
            vlan.AddAddress(given);
        return vlan;
    }

    /// <summary>Adds a bridge, which is up (<c>ip link add NAME type bridge</c>).</summary>
    /// <param name="name">Its name, at most 15 bytes; a <c>%d</c> becomes the lowest free number.</param>
    /// <param name="ports">Interfaces that become its ports.</param>
    /// <exception cref="InvalidOperationException">The name is taken, or an interface cannot be a port.</exception>
    public HostBridge AddBridge(string name = "br%d", params ReadOnlySpan<HostInterface> ports)
    {
        using KernelEntry entry = Network.Machine.Enter();
        Check(BrIf.BrAddBridge(Namespace, name, out NetBridge? made), $"add the bridge {name}");
        HostBridge bridge = new(this, made!);
        foreach (HostInterface port in ports)
            bridge.AddPort(port);
        return bridge;
    }

    internal static void Check(int result, string what)
    {
        if (result < 0)
            throw new InvalidOperationException($"cannot {what}: {Errno.Describe(-result)}");
    }

    internal void Add(HostInterface added)
    {
        lock (gate)
            interfaces.Add(added);
    }

    /// <summary>Ends a task: its descriptors are closed.</summary>
    internal void End(TaskStruct task)
    {
        lock (gate)
        {
            if (!tasks.Remove(task))
                return;
        }

        using KernelEntry entry = task.Enter();
        Fork.DoExit(task);
    }

    internal void End()
    {
        TaskStruct[] left;
        lock (gate)
            left = [.. tasks];
        foreach (TaskStruct task in left)
            End(task);
    }

    // In virtual time the simulation reports what a program throws, even if nobody looks at its task.
    private void RunProgram(Syscalls syscalls, Action<Syscalls> program, TaskCompletionSource ended)
    {
        try
        {
            program(syscalls);
            End(syscalls.Task);
            ended.SetResult();
        }
        catch (Exception e) when (e is not SimulationEndedException)
        {
            End(syscalls.Task);
            ended.SetException(e);
            if (Network.Simulation == null)
                return;
            _ = ended.Task.Exception;
            throw;
        }
    }
}
