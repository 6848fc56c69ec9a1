using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Options about multicast groups; all with the socket owned.</content>
public static partial class IpSockglue
{
    private const int MreqSize = 8;
    private const int MreqnSize = 12;
    private const int MreqSourceSize = 12;
    private const int MsfilterSize0 = 16;
    private const int GroupReqSize = 8 + SockaddrStorage.Size;
    private const int GroupSourceReqSize = 8 + (2 * SockaddrStorage.Size);
    private const int GroupFilterSize0 = 8 + SockaddrStorage.Size + 8;

    // ip_mreq, ip_mreqn and in_addr differ in what is there; Linux tells them apart by length.
    private static int SetMulticastIf(InetSock sk, Sockptr optval, int optlen)
    {
        if (sk.SkType == SOCK_STREAM || optlen < sizeof(uint))
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[MreqnSize];
        bytes.Clear();
        int length = optlen >= MreqnSize ? MreqnSize : optlen >= MreqSize ? MreqSize : sizeof(uint);
        if (optval.CopyFrom(length == sizeof(uint) ? bytes.Slice(4, 4) : bytes[..length]) < 0)
            return -EFAULT;
        McRequest mreq = ReadMreqn(bytes);
        NetDevice? dev;
        if (mreq.Ifindex == 0)
        {
            if (mreq.Address == INADDR_ANY)
            {
                sk.McIndex = 0;
                sk.McAddr = 0;
                return 0;
            }

            dev = Devinet.IpDevFind(sk.SkNet, mreq.Address);
        }
        else
        {
            dev = sk.SkNet.Devices.DevGetByIndex(mreq.Ifindex);
        }

        if (dev == null)
            return -EADDRNOTAVAIL;
        if (sk.SkcBoundDevIf != 0 && dev.Ifindex != sk.SkcBoundDevIf)
            return -EINVAL;
        sk.McIndex = dev.Ifindex;
        sk.McAddr = mreq.Address;
        return 0;
    }

    private static int SetMembership(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        if (sk.Test(InetFlags.IsIcsk))
            return -EPROTO;
        if (optlen < MreqSize)
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[MreqnSize];
        bytes.Clear();
        if (optval.CopyFrom(bytes[..(optlen >= MreqnSize ? MreqnSize : MreqSize)]) < 0)
            return -EFAULT;
        McRequest mreq = ReadMreqn(bytes);
        return optname == IP_ADD_MEMBERSHIP ? Igmp.IpMcJoinGroup(sk, ref mreq) : Igmp.IpMcLeaveGroup(sk, ref mreq);
    }

    private static int SetSource(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        if (optlen != MreqSourceSize)
            return -EINVAL;
        if (optval.Get(out IpMreqSource mreqs) < 0)
            return -EFAULT;
        var mreq = new McRequest(Htonl(mreqs.ImrMultiaddr), Htonl(mreqs.ImrInterface), 0);
        return ChangeSource(sk, mreq, Htonl(mreqs.ImrSourceaddr),
            exclude: optname is IP_BLOCK_SOURCE or IP_UNBLOCK_SOURCE,
            add: optname is IP_BLOCK_SOURCE or IP_ADD_SOURCE_MEMBERSHIP);
    }

    [Linux("ip_mcast_join_leave")]
    private static int IpMcastJoinLeave(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        if (optlen < GroupReqSize)
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[GroupReqSize];
        if (optval.CopyFrom(bytes) < 0)
            return -EFAULT;
        SockaddrIn.Read(bytes[8..], out ushort family, out uint group, out _);
        if (family != AF_INET)
            return -EINVAL;
        var mreq = new McRequest(group, 0, MemoryMarshal.Read<int>(bytes));
        return optname == MCAST_JOIN_GROUP ? Igmp.IpMcJoinGroup(sk, ref mreq) : Igmp.IpMcLeaveGroup(sk, ref mreq);
    }

    [Linux("do_mcast_group_source")]
    private static int DoMcastGroupSource(InetSock sk, int optname, Sockptr optval, int optlen)
    {
        if (optlen < GroupSourceReqSize)
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[GroupSourceReqSize];
        if (optval.CopyFrom(bytes) < 0)
            return -EFAULT;
        SockaddrIn.Read(bytes[8..], out ushort groupFamily, out uint group, out _);
        SockaddrIn.Read(bytes[(8 + SockaddrStorage.Size)..], out ushort sourceFamily, out uint source, out _);
        if (groupFamily != AF_INET || sourceFamily != AF_INET)
            return -EINVAL;
        var mreq = new McRequest(group, 0, MemoryMarshal.Read<int>(bytes));
        return ChangeSource(sk, mreq, source,
            exclude: optname is MCAST_BLOCK_SOURCE or MCAST_UNBLOCK_SOURCE,
            add: optname is MCAST_BLOCK_SOURCE or MCAST_JOIN_SOURCE_GROUP);
    }

    // To be added to the sources that are included, the group is joined first.
    private static int ChangeSource(InetSock sk, McRequest mreq, uint source, bool exclude, bool add)
    {
        if (!exclude && add)
        {
            int err = Igmp.IpMcJoinGroupSsm(sk, ref mreq, MCAST_INCLUDE);
            if (err != 0 && err != -EADDRINUSE)
                return err;
        }

        return Igmp.IpMcSource(add, exclude ? MCAST_EXCLUDE : MCAST_INCLUDE, sk, mreq, source);
    }

    private static int SetMsfilter(InetSock sk, Sockptr optval, int optlen)
    {
        if (optlen < MsfilterSize0)
            return -EINVAL;
        if (optlen > sk.SkNet.NetnsCore.SysctlOptmemMax)
            return -ENOBUFS;
        byte[] bytes = new byte[optlen];
        if (optval.CopyFrom(bytes) < 0)
            return -EFAULT;
        IpMsfilter msf = MemoryMarshal.Read<IpMsfilter>(bytes);
        if (msf.ImsfNumsrc >= 0x1ffffffc || msf.ImsfNumsrc > sk.SkNet.Ipv4.SysctlIgmpMaxMsf)
            return -ENOBUFS;
        if (MsfilterSize0 + ((int)msf.ImsfNumsrc * sizeof(uint)) > optlen)
            return -EINVAL;
        uint[] sources = new uint[msf.ImsfNumsrc];
        for (int i = 0; i < sources.Length; i++)
            sources[i] = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(MsfilterSize0 + (i * sizeof(uint))));
        var mreq = new McRequest(Htonl(msf.ImsfMultiaddr), Htonl(msf.ImsfInterface), 0);
        return Igmp.IpMcMsfilter(sk, mreq, msf.ImsfFmode, sources);
    }

    // struct group_filter: interface, group, mode, count, then a sockaddr_storage for each source.
    [Linux("ip_set_mcast_msfilter")]
    private static int IpSetMcastMsfilter(InetSock sk, Sockptr optval, int optlen)
    {
        if (optlen < GroupFilterSize0)
            return -EINVAL;
        if (optlen > sk.SkNet.NetnsCore.SysctlOptmemMax)
            return -ENOBUFS;
        byte[] bytes = new byte[optlen];
        if (optval.CopyFrom(bytes) < 0)
            return -EFAULT;
        uint fmode = MemoryMarshal.Read<uint>(bytes.AsSpan(GroupFilterSize0 - 8));
        uint numsrc = MemoryMarshal.Read<uint>(bytes.AsSpan(GroupFilterSize0 - 4));
        if (numsrc >= 0x1ffffff || numsrc > sk.SkNet.Ipv4.SysctlIgmpMaxMsf)
            return -ENOBUFS;
        if (GroupFilterSize0 + ((int)numsrc * SockaddrStorage.Size) > optlen)
            return -EINVAL;
        SockaddrIn.Read(bytes.AsSpan(8), out ushort family, out uint group, out _);
        if (family != AF_INET)
            return -EADDRNOTAVAIL;
        uint[] sources = new uint[numsrc];
        for (int i = 0; i < sources.Length; i++)
        {
            int at = GroupFilterSize0 + (i * SockaddrStorage.Size);
            SockaddrIn.Read(bytes.AsSpan(at), out family, out sources[i], out _);
            if (family != AF_INET)
                return -EADDRNOTAVAIL;
        }

        return Igmp.IpMcMsfilter(sk, new McRequest(group, 0, MemoryMarshal.Read<int>(bytes)), fmode, sources);
    }

    private static int GetMsfilter(InetSock sk, Sockptr optval, Sockptr optlen, int len)
    {
        if (len < MsfilterSize0)
            return -EINVAL;
        if (optval.Get(out IpMsfilter msf) < 0)
            return -EFAULT;
        var mreq = new McRequest(Htonl(msf.ImsfMultiaddr), Htonl(msf.ImsfInterface), 0);
        int err = Igmp.IpMcMsfget(sk, mreq, out IpMcSocklist? filter);
        if (err != 0)
            return err;
        int copied = (int)Math.Min((uint)filter!.Sources.Length, msf.ImsfNumsrc);
        msf.ImsfFmode = (uint)filter.Sfmode;
        msf.ImsfNumsrc = (uint)filter.Sources.Length;
        byte[] sources = new byte[copied * sizeof(uint)];
        for (int i = 0; i < copied; i++)
            BinaryPrimitives.WriteUInt32BigEndian(sources.AsSpan(i * sizeof(uint)), filter.Sources[i]);
        if (optlen.Put(MsfilterSize0 + sources.Length) < 0 || optval.Put(msf) < 0)
            return -EFAULT;
        return optval.Add(MsfilterSize0).CopyTo(sources);
    }

    [Linux("ip_get_mcast_msfilter")]
    private static int IpGetMcastMsfilter(InetSock sk, Sockptr optval, Sockptr optlen, int len)
    {
        if (len < GroupFilterSize0)
            return -EINVAL;
        byte[] head = new byte[GroupFilterSize0];
        if (optval.CopyFrom(head) < 0)
            return -EFAULT;
        SockaddrIn.Read(head.AsSpan(8), out ushort family, out uint group, out _);
        if (family != AF_INET)
            return -EINVAL;
        uint room = MemoryMarshal.Read<uint>(head.AsSpan(GroupFilterSize0 - 4));
        int err = Igmp.IpMcMsfget(sk, new McRequest(group, 0, MemoryMarshal.Read<int>(head)), out IpMcSocklist? filter);
        if (err != 0)
            return err;
        int copied = (int)Math.Min((uint)filter!.Sources.Length, room);
        byte[] list = new byte[copied * SockaddrStorage.Size];
        for (int i = 0; i < copied; i++)
            SockaddrIn.Write(list.AsSpan(i * SockaddrStorage.Size), filter.Sources[i], 0);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(GroupFilterSize0 - 8), filter.Sfmode);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(GroupFilterSize0 - 4), filter.Sources.Length);
        if (optval.Add(GroupFilterSize0).CopyTo(list) < 0 || optlen.Put(GroupFilterSize0 + list.Length) < 0)
            return -EFAULT;
        return optval.CopyTo(head);
    }

    private static McRequest ReadMreqn(ReadOnlySpan<byte> bytes)
    {
        IpMreqn mreqn = MemoryMarshal.Read<IpMreqn>(bytes);
        return new McRequest(Htonl(mreqn.ImrMultiaddr), Htonl(mreqn.ImrAddress), mreqn.ImrIfindex);
    }
}
