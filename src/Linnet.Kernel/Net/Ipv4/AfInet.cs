using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The internet family: what <c>socket(AF_INET, ...)</c> makes, and the operations on it.</summary>
[LinuxFile("net/ipv4/af_inet.c")]
public static partial class AfInet
{
    /// <summary>Everything of IPv4 that a machine needs before its first socket.</summary>
    /// <returns>0.</returns>
    [Linux("inet_init")]
    public static int InetInit(Machine machine)
    {
        // Sockets can be asked for as soon as the family is registered, so the table comes first.
        InetswTable.Install(machine);
        foreach (InetProtosw q in InetswArray)
            InetRegisterProtosw(machine, q);
        foreach (Proto prot in (Proto[])[TcpProt.Instance, UdpProt.Instance, RawProt.Instance, PingProt.Instance])
            ProtoList.ProtoRegister(machine, prot);
        Socket.SockRegister(machine, InetFamilyOps.Instance);
        AddProtocols(machine);
        NetnsIpv4.Register(machine);
        Arp.ArpInit(machine);
        IpOutput.IpInit(machine);
        InetOffload offload = new();
        Bug.On(offload.InetAddOffload(IPPROTO_UDP, UdpOffload.Instance) < 0);
        Bug.On(offload.InetAddOffload(IPPROTO_TCP, TcpOffload.Instance) < 0);
        NetCore core = NetCore.Of(machine);
        core.DevAddOffload(offload);
        Tcp.TcpInit(machine);
        Udp.UdpInit(machine);
        Raw.RawInit(machine);
        Ping.PingInit(machine);
        core.RegisterPernetSubsys(new InetSysctl());
        DatagramProc.Udp4ProcInit(machine);
        core.DevAddPack(new IpPacketType());
        ProcNet.Of(machine).Register("tcp", TcpIpv4.Tcp4SeqShow);
        Proc.IpMiscProcInit(machine);
        Igmp.IgmpMcInit(machine);
        return 0;
    }

    /// <summary>
    /// Adds an entry to <c>inetsw</c>: behind the last permanent entry of its type, so that it overrides what is not
    /// permanent until it is removed again, but never takes a wild card away from a permanent one.
    /// </summary>
    [Linux("inet_register_protosw")]
    public static void InetRegisterProtosw(Machine machine, InetProtosw p)
    {
        InetswTable table = InetswTable.Of(machine);
        lock (table)
        {
            if (p.Type is < 0 or >= SOCK_MAX)
            {
                machine.Log.Write(LogLevel.Error, $"Ignoring attempt to register invalid socket type {p.Type}");
                return;
            }

            InetProtosw[] list = table[p.Type];
            int lastPerm = 0;
            while (lastPerm < list.Length && (list[lastPerm].Flags & InetProtoswFlags.Permanent) != 0)
            {
                if (list[lastPerm++].Protocol != p.Protocol)
                    continue;
                machine.Log.Write(LogLevel.Error, $"Attempt to override permanent protocol {p.Protocol}");
                return;
            }

            table[p.Type] = [.. list[..lastPerm], p, .. list[lastPerm..]];
        }
    }

    /// <summary>Takes an entry out of <c>inetsw</c> again; a permanent one stays.</summary>
    [Linux("inet_unregister_protosw")]
    public static void InetUnregisterProtosw(Machine machine, InetProtosw p)
    {
        if ((p.Flags & InetProtoswFlags.Permanent) != 0)
        {
            machine.Log.Write(LogLevel.Error, $"Attempt to unregister permanent protocol {p.Protocol}");
            return;
        }

        InetswTable table = InetswTable.Of(machine);
        lock (table)
            table[p.Type] = [.. table[p.Type].Where(other => !ReferenceEquals(other, p))];
    }

    /// <summary>Makes an internet socket (<c>net_proto_family.create</c>).</summary>
    /// <returns>0, -EINVAL, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM, or what the protocol answers.</returns>
    [Linux("inet_create")]
    public static int InetCreate(NetNamespace net, Socket sock, int protocol, bool kern)
    {
        if (protocol is < 0 or >= IPPROTO_MAX)
            return -EINVAL;
        sock.State = SS_UNCONNECTED;

        InetProtosw? answer;
        int tryLoadingModule = 0;
        int err;
        while ((err = LookupProtosw(net.Machine, sock.Type, ref protocol, out answer)) != 0)
        {
            // Be more specific first, e.g. net-pf-2-proto-132-type-1, then more generic, e.g. net-pf-2-proto-132.
            if (++tryLoadingModule > 2)
                return err;
            net.Machine.Modules.RequestModule(tryLoadingModule == 1
                ? $"net-pf-{PF_INET}-proto-{protocol}-type-{sock.Type}"
                : $"net-pf-{PF_INET}-proto-{protocol}");
        }

        if (sock.Type == SOCK_RAW && !kern && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_RAW))
            return -EPERM;

        sock.Ops = answer!.Ops;
        if (Sock.SkAlloc(net, PF_INET, answer.Prot, kern) is not InetSock sk)
            return -ENOMEM;
        InitSk(sk, sock, answer, protocol);
        err = HashAndInit(sk);
        if (err != 0)
        {
            Sock.SkCommonRelease(sk);
            sock.Sk = null;
        }

        return err;
    }

    /// <summary>Makes a socket for the kernel's own use that no packet finds (<c>inet_ctl_sock_create</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("inet_ctl_sock_create")]
    public static int InetCtlSockCreate(out Sock? sk, int family, int type, int protocol, NetNamespace net)
    {
        sk = null;
        int rc = Socket.SockCreateKern(net, family, type, protocol, out Socket? sock);
        if (rc != 0)
            return rc;
        sk = sock!.Sk!;
        sk.SkProt.Unhash(sk);
        return 0;
    }

    /// <summary>Last work on an internet socket: nothing may be left of it (<c>sk_destruct</c>).</summary>
    [Linux("inet_sock_destruct")]
    public static void InetSockDestruct(Sock sk)
    {
        sk.SkReceiveQueue.Purge();
        sk.SkErrorQueue.Purge();
        if (sk.SkType == SOCK_STREAM && sk.SkState != TCP_CLOSE)
            throw new BugException($"freeing a TCP socket in state {sk.SkState}");
        if (!sk.SockFlag(SockFlags.Dead))
            throw new BugException($"freeing a live inet socket {sk}");
        Bug.On(sk.SkRmemAlloc != 0);
        Bug.On(sk.SkWmemAlloc != 0);
        Bug.On(sk.SkWmemQueued != 0);
        ((InetSock)sk).InetOpt = null;
        sk.SkDstCache = null;
        sk.SkRxDst = null;
    }

    // Finds the entry for (type, protocol); protocol 0 takes the type's first entry that is not a wild card itself.
    private static int LookupProtosw(Machine machine, int type, ref int protocol, out InetProtosw? answer)
    {
        int err = -ESOCKTNOSUPPORT;
        foreach (InetProtosw entry in InetswTable.Of(machine)[type])
        {
            answer = entry;
            if (protocol == entry.Protocol)
            {
                if (protocol != IPPROTO_IP)
                    return 0;
            }
            else
            {
                if (protocol == IPPROTO_IP)
                {
                    protocol = entry.Protocol;
                    return 0;
                }

                if (entry.Protocol == IPPROTO_IP)
                    return 0;
            }

            err = -EPROTONOSUPPORT;
        }

        answer = null;
        return err;
    }

    private static void InitSk(InetSock sk, Socket sock, InetProtosw answer, int protocol)
    {
        if ((answer.Flags & InetProtoswFlags.Reuse) != 0)
            sk.SkcReuse = true;
        sk.Assign(InetFlags.IsIcsk, (answer.Flags & InetProtoswFlags.Icsk) != 0);
        sk.Assign(InetFlags.Nodefrag, false);
        if (sock.Type == SOCK_RAW)
        {
            sk.SkcNum = (ushort)protocol;
            if (protocol == IPPROTO_RAW)
                sk.Assign(InetFlags.Hdrincl, true);
        }

        sk.Pmtudisc = (byte)(sk.SkNet.Ipv4.SysctlIpNoPmtuDisc != 0 ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT);
        sk.InetId = 0;
        Sock.SockInitData(sock, sk);
        sk.SkDestruct = InetSockDestruct;
        sk.SkProtocol = (ushort)protocol;
        sk.SkTxrehash = sk.SkNet.NetnsCore.SysctlTxrehash;
        sk.UcTtl = -1;
        sk.Assign(InetFlags.McLoop, true);
        sk.McTtl = 1;
        sk.Assign(InetFlags.McAll, true);
        sk.McIndex = 0;
        sk.McList = [];
        sk.RcvTos = 0;
    }

    // A raw socket has its "port" already, so packets may find it from here on.
    private static int HashAndInit(InetSock sk)
    {
        if (sk.SkcNum != 0)
        {
            sk.InetSport = sk.SkcNum;
            int err = sk.SkProt.Hash(sk);
            if (err != 0)
                return err;
        }

        return sk.SkProt.Init(sk);
    }

    private sealed class InetFamilyOps : NetProtoFamily
    {
        public static readonly InetFamilyOps Instance = new();

        public override int Family => PF_INET;

        public override int Create(NetNamespace net, Socket sock, int protocol, bool kern) =>
            InetCreate(net, sock, protocol, kern);
    }
}
