using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <summary>Packet sockets (<c>packet(7)</c>): making, binding and ending them.</summary>
[LinuxFile("net/packet/af_packet.c")]
internal static partial class AfPacket
{
    private const int SockaddrLlSize = 20;
    private const int SllAddrOffset = 12;
    private const int SockaddrSize = 16;
    private const int NameSize = 14;

    /// <summary>Makes a packet socket; the protocol is in network order, which is weird but documented.</summary>
    /// <returns>0, -EPERM without CAP_NET_RAW, -ESOCKTNOSUPPORT, -ENOBUFS.</returns>
    [Linux("packet_create")]
    public static int PacketCreate(PacketModule module, NetNamespace net, Socket sock, int protocol, bool kern)
    {
        if (!kern && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_RAW))
            return -EPERM;
        if (sock.Type is not (SOCK_DGRAM or SOCK_RAW or SOCK_PACKET))
            return -ESOCKTNOSUPPORT;
        sock.State = SS_UNCONNECTED;
        if (Sock.SkAlloc(net, PF_PACKET, module.Proto, kern) is not PacketSock sk)
            return -ENOBUFS;
        sock.Ops = sock.Type == SOCK_PACKET ? module.OpsSpkt : module.Ops;
        Sock.SockInitData(sock, sk);
        sk.SkDestruct = PacketSockDestruct;
        sk.Num = BinaryPrimitives.ReverseEndianness((ushort)protocol);
        module.Table.Add(sk);
        if (sk.Num != 0)
            RegisterProtHook(sk);
        return 0;
    }

    /// <summary>The last file is gone.</summary>
    [Linux("packet_release")]
    public static int PacketRelease(PacketModule module, Socket sock)
    {
        if (sock.Sk is not PacketSock sk)
            return 0;
        module.Table.Remove(sk);
        sk.LockSock();
        UnregisterProtHook(sk);
        PacketFlushMclist(sk);
        sk.ReleaseSock();
        Sock.SockOrphan(sk);
        sock.Sk = null;
        sk.SkReceiveQueue.Guard.Lock();
        sk.SkReceiveQueue.Purge();
        sk.SkReceiveQueue.Guard.Unlock();
        sk.SockPut();
        return 0;
    }

    /// <summary>Binds to a device and a protocol, 0 for what was there before.</summary>
    [Linux("packet_bind")]
    public static int PacketBind(Socket sock, ReadOnlySpan<byte> addr)
    {
        if (addr.Length < SockaddrLlSize)
            return -EINVAL;
        SockaddrLl sll = MemoryMarshal.Read<SockaddrLl>(addr);
        if (sll.SllFamily != AF_PACKET)
            return -EINVAL;
        return PacketDoBind(
            (PacketSock)sock.Sk!, null, sll.SllIfindex, BinaryPrimitives.ReverseEndianness(sll.SllProtocol));
    }

    /// <summary>Binds a <c>SOCK_PACKET</c> socket to a device by name.</summary>
    [Linux("packet_bind_spkt")]
    public static int PacketBindSpkt(Socket sock, ReadOnlySpan<byte> addr) => addr.Length != SockaddrSize
        ? -EINVAL
        : PacketDoBind((PacketSock)sock.Sk!, ReadName(addr[2..]), 0, 0);

    /// <summary>Writes what the socket is bound to.</summary>
    [Linux("packet_getname")]
    public static int PacketGetname(Socket sock, Span<byte> addr, int peer)
    {
        if (peer != 0)
            return -EOPNOTSUPP;
        var sk = (PacketSock)sock.Sk!;
        NetDevice? dev = sk.Ifindex > 0 ? sk.SkNet.Devices.DevGetByIndex(sk.Ifindex) : null;
        var sll = new SockaddrLl
        {
            SllFamily = AF_PACKET,
            SllProtocol = BinaryPrimitives.ReverseEndianness(sk.Num),
            SllIfindex = sk.Ifindex,
            SllHatype = dev?.Type ?? 0,
            SllHalen = (byte)(dev?.DevAddr.Length ?? 0),
        };
        dev?.DevAddr.CopyTo((Span<byte>)sll.SllAddr);
        MemoryMarshal.Write(addr, in sll);
        return SllAddrOffset + sll.SllHalen;
    }

    /// <summary>Writes the name of the device that a <c>SOCK_PACKET</c> socket is bound to.</summary>
    [Linux("packet_getname_spkt")]
    public static int PacketGetnameSpkt(Socket sock, Span<byte> addr, int peer)
    {
        if (peer != 0)
            return -EOPNOTSUPP;
        var sk = (PacketSock)sock.Sk!;
        addr[..SockaddrSize].Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(addr, AF_PACKET);
        if (sk.Ifindex > 0 && sk.SkNet.Devices.DevGetByIndex(sk.Ifindex) is { } dev)
            WriteName(dev.Name, addr.Slice(2, NameSize));
        return SockaddrSize;
    }

    /// <summary><c>SIOCOUTQ</c> and <c>SIOCINQ</c>.</summary>
    [Linux("packet_ioctl")]
    public static int PacketIoctl(Socket sock, uint cmd, Sockptr arg)
    {
        Sock sk = sock.Sk!;
        switch (cmd)
        {
            case SIOCOUTQ:
                return arg.Put(sk.SkWmemAllocGet);
            case SIOCINQ:
                sk.SkReceiveQueue.Guard.Lock();
                int amount = sk.SkReceiveQueue.First?.Len ?? 0;
                sk.SkReceiveQueue.Guard.Unlock();
                return arg.Put(amount);
            default:
                return -ENOIOCTLCMD;
        }
    }

    /// <summary>Follows what happens to the device that the socket is bound to.</summary>
    internal static void DeviceEvent(PacketSock sk, NetdevEvent what, NetDevice dev)
    {
        bool mine = dev == sk.Dev;
        switch (what)
        {
            case NetdevEvent.Register when sk.Running && sk.Dev == null && sk.Ifindex == 0:
                Core.Dev.AddTap(dev, sk.Hook);
                break;
            case NetdevEvent.Up when mine && sk.Num != 0:
                sk.LockSock();
                RegisterProtHook(sk);
                sk.ReleaseSock();
                break;
            case NetdevEvent.Down when mine:
            case NetdevEvent.Unregister when mine:
                sk.LockSock();
                if (sk.Running)
                {
                    UnregisterProtHook(sk);
                    sk.SkErr = ENETDOWN;
                    if (!sk.SockFlag(SockFlags.Dead))
                        sk.SkErrorReport(sk);
                }

                if (what == NetdevEvent.Unregister)
                {
                    sk.Dev = null;
                    sk.Ifindex = -1;
                }

                sk.ReleaseSock();
                break;
        }

        if (what == NetdevEvent.Unregister)
            ForgetMemberships(sk, dev);
    }

    [Linux("packet_do_bind")]
    private static int PacketDoBind(PacketSock sk, string? name, int ifindex, ushort proto)
    {
        sk.LockSock();
        int err = 0;
        NetDevice? dev = null;
        if (name != null)
            dev = sk.SkNet.Devices.DevGetByName(name);
        else if (ifindex != 0)
            dev = sk.SkNet.Devices.DevGetByIndex(ifindex);
        if (dev == null && (name != null || ifindex != 0))
            err = -ENODEV;
        else
            Rehook(sk, dev, proto != 0 ? proto : sk.Num);
        sk.ReleaseSock();
        return err;
    }

    private static void Rehook(PacketSock sk, NetDevice? dev, ushort proto)
    {
        if (sk.Num == proto && sk.Dev == dev && sk.Ifindex >= 0)
            return;
        UnregisterProtHook(sk);
        sk.Num = proto;
        sk.Dev = dev;
        sk.Ifindex = dev?.Ifindex ?? 0;
        if (proto == 0)
            return;
        if (dev == null || dev.IsUp)
        {
            RegisterProtHook(sk);
            return;
        }

        sk.SkErr = ENETDOWN;
        if (!sk.SockFlag(SockFlags.Dead))
            sk.SkErrorReport(sk);
    }

    [Linux("register_prot_hook")]
    private static void RegisterProtHook(PacketSock sk)
    {
        if (sk.Running)
            return;
        sk.SockHold();
        sk.Running = true;
        foreach (NetDevice dev in sk.Dev != null ? [sk.Dev] : sk.SkNet.Devices.All)
            Core.Dev.AddTap(dev, sk.Hook);
    }

    [Linux("unregister_prot_hook")]
    private static void UnregisterProtHook(PacketSock sk)
    {
        if (!sk.Running)
            return;
        sk.Running = false;
        foreach (NetDevice dev in sk.Dev != null ? [sk.Dev] : sk.SkNet.Devices.All)
            Core.Dev.RemoveTap(dev, sk.Hook);
        sk.SockPut();
    }

    [Linux("packet_sock_destruct")]
    private static void PacketSockDestruct(Sock sk)
    {
        sk.SkErrorQueue.Purge();
        sk.SkReceiveQueue.Purge();
        Bug.On(sk.SkRmemAlloc != 0);
        Bug.On(sk.SkWmemAlloc != 0);
    }

    private static string ReadName(ReadOnlySpan<byte> bytes)
    {
        bytes = bytes[..NameSize];
        int end = bytes.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private static void WriteName(string name, Span<byte> to)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(name);
        bytes.AsSpan(0, Math.Min(bytes.Length, to.Length - 1)).CopyTo(to);
    }
}
