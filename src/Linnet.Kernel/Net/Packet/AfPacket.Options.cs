using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <content>Options of level <c>SOL_PACKET</c>. There are no rings, no fanout and no virtio headers.</content>
internal static partial class AfPacket
{
    private const int MaxAddressLength = 32;

    [Linux("packet_setsockopt")]
    public static int PacketSetsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen)
    {
        if (level != SOL_PACKET)
            return -ENOPROTOOPT;
        var sk = (PacketSock)sock.Sk!;
        int val;
        switch (optname)
        {
            case PACKET_ADD_MEMBERSHIP or PACKET_DROP_MEMBERSHIP:
                return SetMembership(sk, optname == PACKET_ADD_MEMBERSHIP, optval, optlen);
            case PACKET_AUXDATA or PACKET_ORIGDEV:
                if (optlen < sizeof(int))
                    return -EINVAL;
                if (optval.Get(out val) < 0)
                    return -EFAULT;
                if (optname == PACKET_AUXDATA)
                    sk.Auxdata = val != 0;
                else
                    sk.Origdev = val != 0;
                return 0;
            case PACKET_IGNORE_OUTGOING:
                if (optlen != sizeof(int))
                    return -EINVAL;
                if (optval.Get(out val) < 0)
                    return -EFAULT;
                if (val is not (0 or 1))
                    return -EINVAL;
                sk.IgnoreOutgoing = val != 0;
                return 0;
            default:
                return -ENOPROTOOPT;
        }
    }

    [Linux("packet_getsockopt")]
    public static int PacketGetsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        if (level != SOL_PACKET)
            return -ENOPROTOOPT;
        var sk = (PacketSock)sock.Sk!;
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        Span<byte> value = stackalloc byte[8];
        switch (optname)
        {
            case PACKET_STATISTICS:
                TpacketStats stats = TakeStatistics(sk);
                MemoryMarshal.Write(value, in stats);
                break;
            case PACKET_AUXDATA:
                value = WriteInt(value, sk.Auxdata);
                break;
            case PACKET_ORIGDEV:
                value = WriteInt(value, sk.Origdev);
                break;
            case PACKET_IGNORE_OUTGOING:
                value = WriteInt(value, sk.IgnoreOutgoing);
                break;
            default:
                return -ENOPROTOOPT;
        }

        len = Math.Min(len, value.Length);
        return optlen.Put(len) < 0 ? -EFAULT : optval.CopyTo(value[..len]);
    }

    // Reading the counters starts them anew.
    private static TpacketStats TakeStatistics(PacketSock sk)
    {
        sk.SkReceiveQueue.Guard.Lock();
        uint drops = (uint)Interlocked.Exchange(ref sk.TpDrops, 0);
        TpacketStats stats = new() { TpPackets = Interlocked.Exchange(ref sk.TpPackets, 0) + drops, TpDrops = drops };
        sk.SkReceiveQueue.Guard.Unlock();
        return stats;
    }

    private static Span<byte> WriteInt(Span<byte> value, bool on)
    {
        MemoryMarshal.Write(value, on ? 1 : 0);
        return value[..sizeof(int)];
    }

    // struct packet_mreq, whose address may be longer than its eight bytes.
    private static int SetMembership(PacketSock sk, bool add, Sockptr optval, int optlen)
    {
        const int addressOffset = 8;
        if (optlen < addressOffset + 8)
            return -EINVAL;
        Span<byte> mreq = stackalloc byte[addressOffset + MaxAddressLength];
        mreq = mreq[..Math.Min(optlen, mreq.Length)];
        if (optval.CopyFrom(mreq) < 0)
            return -EFAULT;
        int ifindex = MemoryMarshal.Read<int>(mreq);
        ushort type = MemoryMarshal.Read<ushort>(mreq[4..]);
        int alen = MemoryMarshal.Read<ushort>(mreq[6..]);
        if (mreq.Length < alen + addressOffset)
            return -EINVAL;
        sk.LockSock();
        ReadOnlySpan<byte> address = mreq.Slice(addressOffset, alen);
        int err = add ? PacketMcAdd(sk, ifindex, type, address) : PacketMcDrop(sk, ifindex, type, address);
        sk.ReleaseSock();
        return err;
    }

    [Linux("packet_mc_add")]
    private static int PacketMcAdd(PacketSock sk, int ifindex, ushort type, ReadOnlySpan<byte> address)
    {
        NetDevice? dev = sk.SkNet.Devices.DevGetByIndex(ifindex);
        if (dev == null)
            return -ENODEV;
        if (address.Length > dev.DevAddr.Length)
            return -EINVAL;
        if (Find(sk, ifindex, type, address) is { } known)
        {
            known.Count++;
            return 0;
        }

        int err = PacketDevMc(dev, type, address, 1);
        if (err == 0)
            sk.Memberships.Add(new PacketMembership(ifindex, type, address.ToArray()));
        return err;
    }

    [Linux("packet_mc_drop")]
    private static int PacketMcDrop(PacketSock sk, int ifindex, ushort type, ReadOnlySpan<byte> address)
    {
        if (Find(sk, ifindex, type, address) is not { } membership)
            return -EADDRNOTAVAIL;
        if (--membership.Count == 0)
        {
            sk.Memberships.Remove(membership);
            if (sk.SkNet.Devices.DevGetByIndex(ifindex) is { } dev)
                PacketDevMc(dev, type, address, -1);
        }

        return 0;
    }

    [Linux("packet_flush_mclist")]
    private static void PacketFlushMclist(PacketSock sk)
    {
        foreach (PacketMembership membership in sk.Memberships)
        {
            if (sk.SkNet.Devices.DevGetByIndex(membership.Ifindex) is { } dev)
                PacketDevMc(dev, membership.Type, membership.Address, -1);
        }

        sk.Memberships.Clear();
    }

    private static void ForgetMemberships(PacketSock sk, NetDevice dev)
    {
        sk.LockSock();
        sk.Memberships.RemoveAll(membership => membership.Ifindex == dev.Ifindex);
        sk.ReleaseSock();
    }

    // Devices here pass every frame to a unicast address up, so that single ones need nothing of them.
    [Linux("packet_dev_mc")]
    private static int PacketDevMc(NetDevice dev, ushort type, ReadOnlySpan<byte> address, int what)
    {
        switch (type)
        {
            case PACKET_MR_MULTICAST or PACKET_MR_UNICAST when address.Length != dev.DevAddr.Length:
                return -EINVAL;
            case PACKET_MR_MULTICAST when what > 0:
                DevAddrLists.DevMcAdd(dev, address);
                return 0;
            case PACKET_MR_MULTICAST:
                return DevAddrLists.DevMcDel(dev, address);
            case PACKET_MR_PROMISC:
                Core.Dev.DevSetPromiscuity(dev, what);
                return 0;
            case PACKET_MR_ALLMULTI:
                Core.Dev.DevSetAllmulti(dev, what);
                return 0;
            default:
                return 0;
        }
    }

    private static PacketMembership? Find(PacketSock sk, int ifindex, ushort type, ReadOnlySpan<byte> address)
    {
        foreach (PacketMembership membership in sk.Memberships)
        {
            if (membership.Matches(ifindex, type, address))
                return membership;
        }

        return null;
    }
}
