using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>Netlink sockets (<c>netlink(7)</c>): messages between programs and the kernel, and from program to program.</summary>
[LinuxFile("net/netlink/af_netlink.c")]
public static partial class AfNetlink
{
    private const int SockaddrNlSize = 12;

    // Addresses that are handed out lie below this one once the task's own number is taken; as negative numbers.
    private const int LastRover = -4096;

    /// <summary>Makes the family known, and the protocol that is for users among themselves.</summary>
    [Linux("netlink_proto_init")]
    internal static int NetlinkProtoInit(Machine machine)
    {
        NetlinkLayer layer = NetlinkLayer.Make(machine);
        ProtoList.ProtoRegister(machine, layer.Proto);
        NetlinkAddUsersockEntry(layer);
        int err = Socket.SockRegister(machine, new NetlinkFamily(layer));
        Bug.On(err < 0);
        ProcNet.Of(machine).Register("netlink", NetlinkSeqShow);
        return 0;
    }

    [Linux("netlink_create")]
    private static int NetlinkCreate(NetlinkLayer layer, NetNamespace net, Socket sock, int protocol, bool kern)
    {
        sock.State = SS_UNCONNECTED;
        if (sock.Type is not (SOCK_RAW or SOCK_DGRAM))
            return -ESOCKTNOSUPPORT;
        if (protocol is < 0 or >= MAX_LINKS)
            return -EPROTONOSUPPORT;
        NetlinkTable table = layer.Tables[protocol];
        if (table.Registered == 0)
            net.Machine.Modules.RequestModule($"net-pf-{PF_NETLINK}-proto-{protocol}");
        return table.Registered == 0 ? -EPROTONOSUPPORT : NetlinkCreateCore(layer, net, sock, protocol, kern);
    }

    [Linux("__netlink_create")]
    private static int NetlinkCreateCore(NetlinkLayer layer, NetNamespace net, Socket sock, int protocol, bool kern)
    {
        sock.Ops = layer.Ops;
        if (Sock.SkAlloc(net, PF_NETLINK, layer.Proto, kern) is not NetlinkSock sk)
            return -ENOMEM;
        Sock.SockInitData(sock, sk);
        sk.Table = layer.Tables[protocol];
        sk.SkDestruct = NetlinkSockDestruct;
        sk.SkProtocol = (ushort)protocol;
        sk.Table.List(sk);
        return 0;
    }

    /// <summary>The last file is gone.</summary>
    [Linux("netlink_release")]
    internal static int NetlinkRelease(Socket sock)
    {
        if (sock.Sk is not NetlinkSock sk)
            return 0;
        sk.Table.Remove(sk);
        Sock.SockOrphan(sk);
        sock.Sk = null;
        WakeSenders(sk);
        EndDump(sk);
        sk.SkReceiveQueue.Guard.Lock();
        SkBuffHead queue = sk.SkReceiveQueue;
        sk.SkReceiveQueue.First = sk.SkReceiveQueue.Last = null;
        sk.SkReceiveQueue.Qlen = 0;
        sk.SkReceiveQueue.Guard.Unlock();
        queue.Purge();
        sk.SockPut();
        return 0;
    }

    /// <summary>Gives the socket an address, 0 for one of the kernel's choice, and has it listen to the first 32 groups.</summary>
    [Linux("netlink_bind")]
    internal static int NetlinkBind(Socket sock, ReadOnlySpan<byte> addr)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if (addr.Length < SockaddrNlSize)
            return -EINVAL;
        SockaddrNl nladdr = MemoryMarshal.Read<SockaddrNl>(addr);
        if (nladdr.NlFamily != AF_NETLINK)
            return -EINVAL;
        uint groups = nladdr.NlGroups;
        if (groups != 0)
        {
            if (!NetlinkAllowed(sk, sk.Table.NonrootRecv))
                return -EPERM;
            int err = sk.Table.ReallocGroups(sk);
            if (err != 0)
                return err;
        }

        if (sk.Bound && nladdr.NlPid != sk.Portid)
            return -EINVAL;
        int refused = AskAbout(sk, groups);
        if (refused != 0)
            return refused;
        if (!sk.Bound)
        {
            int err = nladdr.NlPid != 0 ? NetlinkInsert(sk, nladdr.NlPid) : NetlinkAutobind(sk);
            if (err != 0)
                return err;
        }

        if (sk.Ngroups > 0)
            sk.Table.SetGroups(sk, words => { words[0] = groups; return words; });
        return 0;
    }

    /// <summary>Says where messages without an address go.</summary>
    [Linux("netlink_connect")]
    internal static int NetlinkConnect(Socket sock, ReadOnlySpan<byte> addr)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if (addr.Length < sizeof(ushort))
            return -EINVAL;
        ushort family = MemoryMarshal.Read<ushort>(addr);
        if (family == AF_UNSPEC)
        {
            sk.SkcState = NETLINK_UNCONNECTED;
            sk.DstPortid = 0;
            sk.DstGroup = 0;
            return 0;
        }

        if (family != AF_NETLINK || addr.Length < SockaddrNlSize)
            return -EINVAL;
        SockaddrNl nladdr = MemoryMarshal.Read<SockaddrNl>(addr);
        if ((nladdr.NlGroups != 0 || nladdr.NlPid != 0) && !NetlinkAllowed(sk, sk.Table.NonrootSend))
            return -EPERM;
        int err = sk.Bound ? 0 : NetlinkAutobind(sk);
        if (err != 0)
            return err;
        sk.SkcState = NETLINK_CONNECTED;
        sk.DstPortid = nladdr.NlPid;
        sk.DstGroup = FirstGroup(nladdr.NlGroups);
        return 0;
    }

    /// <summary>Writes the socket's address and groups, or where its messages go.</summary>
    [Linux("netlink_getname")]
    internal static int NetlinkGetname(Socket sock, Span<byte> addr, int peer)
    {
        var sk = (NetlinkSock)sock.Sk!;
        uint[] groups = sk.Groups;
        var nladdr = new SockaddrNl
        {
            NlFamily = AF_NETLINK,
            NlPid = peer != 0 ? sk.DstPortid : sk.Portid,
            NlGroups = peer != 0 ? NetlinkGroupMask(sk.DstGroup) : groups.Length > 0 ? groups[0] : 0,
        };
        MemoryMarshal.Write(addr, in nladdr);
        return SockaddrNlSize;
    }

    /// <summary>Picks an address: the task's number, or else a large one.</summary>
    [Linux("netlink_autobind")]
    private static int NetlinkAutobind(NetlinkSock sk)
    {
        int portid = TaskStruct.Current.Pid;
        int rover = LastRover;
        while (true)
        {
            while (sk.Table.Contains(sk.SkNet, (uint)portid))
            {
                if (rover == LastRover)
                    rover = int.MinValue + (int)(sk.Machine.Random.NextU32() % (uint)(LastRover - int.MinValue));
                else if (rover >= LastRover)
                    rover = LastRover - 1;
                portid = rover--;
            }

            int err = NetlinkInsert(sk, (uint)portid);
            if (err == -EADDRINUSE)
                continue;
            // Another thread was faster: the socket is bound, which is what was wanted.
            return err == -EBUSY ? 0 : err;
        }
    }

    [Linux("netlink_insert")]
    private static int NetlinkInsert(NetlinkSock sk, uint portid)
    {
        sk.LockSock();
        int err = 0;
        if (sk.Portid != 0)
            err = sk.Portid == portid ? 0 : -EBUSY;
        else if (!sk.Table.TryInsert(sk, portid))
            err = -EADDRINUSE;
        else
            sk.Portid = portid;
        if (err == 0 && portid != 0)
            sk.SetBound();
        sk.ReleaseSock();
        return err;
    }

    // Whether the user may do what the protocol does not let everybody do.
    [Linux("netlink_allowed")]
    private static bool NetlinkAllowed(NetlinkSock sk, bool everybody) =>
        everybody || sk.SkNet.Capable(TaskStruct.Current, CAP_NET_ADMIN);

    private static int AskAbout(NetlinkSock sk, uint groups)
    {
        if (sk.Table.Bind is not { } bind)
            return 0;
        for (; groups != 0; groups &= groups - 1)
        {
            int err = bind(sk.SkNet, FirstGroup(groups));
            if (err != 0)
                return err;
        }

        return 0;
    }

    private static int FirstGroup(uint mask) => mask == 0 ? 0 : BitOperations.TrailingZeroCount(mask) + 1;

    private static uint NetlinkGroupMask(int group) => group != 0 ? 1u << (group - 1) : 0;

    [Linux("netlink_add_usersock_entry")]
    private static void NetlinkAddUsersockEntry(NetlinkLayer layer)
    {
        NetlinkTable table = layer.Tables[NETLINK_USERSOCK];
        table.Groups = 32;
        table.Registered = 1;
        table.NonrootSend = true;
    }

    [Linux("netlink_sock_destruct")]
    private static void NetlinkSockDestruct(Sock sk)
    {
        sk.SkReceiveQueue.Purge();
        Bug.On(sk.SkRmemAlloc != 0);
    }

    [Linux("netlink_seq_show")]
    private static void NetlinkSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
        foreach (NetlinkTable table in NetlinkLayer.Of(net.Machine).Tables)
        {
            foreach (NetlinkSock sk in table.All)
            {
                if (sk.SkcNet != net)
                    continue;
                uint groups = sk.Groups is [var first, ..] ? first : 0;
                seq.Append(
                    CultureInfo.InvariantCulture,
                    $"{0:x16} {sk.SkProtocol,-3} {sk.Portid,-10} {groups:x8} {Volatile.Read(ref sk.SkRmemAlloc),-8} "
                    + $"{sk.SkWmemAllocGet,-8} {(sk.CbRunning ? 1 : 0),-5} {sk.SkcRefcnt,-8} {Volatile.Read(ref sk.SkDrops),-8} "
                    + $"{sk.SkSocket?.Ino ?? 0,-8}\n");
            }
        }
    }

    private sealed class NetlinkFamily(NetlinkLayer layer) : NetProtoFamily
    {
        public override int Family => PF_NETLINK;

        public override int Create(NetNamespace net, Socket sock, int protocol, bool kern) =>
            NetlinkCreate(layer, net, sock, protocol, kern);
    }
}
