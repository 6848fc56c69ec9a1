using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Options of level <c>SOL_NETLINK</c>. There are no numbers for other namespaces, so none can be listened to.</content>
public static partial class AfNetlink
{
    [Linux("netlink_setsockopt")]
    internal static int NetlinkSetsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if (level != SOL_NETLINK)
            return -ENOPROTOOPT;
        int val = 0;
        if (optlen >= sizeof(int) && optval.Get(out val) < 0)
            return -EFAULT;
        if (optname is NETLINK_ADD_MEMBERSHIP or NETLINK_DROP_MEMBERSHIP)
            return SetMembership(sk, val, optname == NETLINK_ADD_MEMBERSHIP);
        if (FlagOf(optname) is not { } flag)
            return -ENOPROTOOPT;
        sk.Set(flag, val != 0);
        if (flag == NetlinkFlags.RecvNoEnobufs && val != 0)
        {
            sk.Congested = false;
            WakeSenders(sk);
        }

        return 0;
    }

    [Linux("netlink_getsockopt")]
    internal static int NetlinkGetsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if (level != SOL_NETLINK)
            return -ENOPROTOOPT;
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        if (optname == NETLINK_LIST_MEMBERSHIPS)
            return ListMemberships(sk, optval, optlen, len);
        if (FlagOf(optname) is not { } flag)
            return -ENOPROTOOPT;
        if (len < sizeof(int))
            return -EINVAL;
        return optlen.Put(sizeof(int)) < 0 || optval.Put(sk.Has(flag) ? 1 : 0) < 0 ? -EFAULT : 0;
    }

    private static NetlinkFlags? FlagOf(int optname) => optname switch
    {
        NETLINK_PKTINFO => NetlinkFlags.RecvPktinfo,
        NETLINK_BROADCAST_ERROR => NetlinkFlags.BroadcastSendError,
        NETLINK_NO_ENOBUFS => NetlinkFlags.RecvNoEnobufs,
        NETLINK_CAP_ACK => NetlinkFlags.CapAck,
        NETLINK_EXT_ACK => NetlinkFlags.ExtAck,
        NETLINK_GET_STRICT_CHK => NetlinkFlags.StrictChk,
        _ => null,
    };

    private static int SetMembership(NetlinkSock sk, int group, bool add)
    {
        if (!NetlinkAllowed(sk, sk.Table.NonrootRecv))
            return -EPERM;
        int err = sk.Table.ReallocGroups(sk);
        if (err != 0)
            return err;
        if (group == 0 || (uint)(group - 1) >= (uint)sk.Ngroups)
            return -EINVAL;
        if (add && sk.Table.Bind is { } bind)
        {
            err = bind(sk.SkNet, group);
            if (err != 0)
                return err;
        }

        NetlinkUpdateSocketMc(sk, group, add);
        return 0;
    }

    [Linux("netlink_update_socket_mc")]
    private static void NetlinkUpdateSocketMc(NetlinkSock sk, int group, bool isNew) => sk.Table.SetGroups(sk, words =>
    {
        int bit = group - 1;
        uint mask = 1u << (bit % 32);
        words[bit / 32] = isNew ? words[bit / 32] | mask : words[bit / 32] & ~mask;
        return words;
    });

    // As many words as there is room for; the length says how many there are.
    private static int ListMemberships(NetlinkSock sk, Sockptr optval, Sockptr optlen, int len)
    {
        uint[] groups = sk.Groups;
        for (int i = 0; i < groups.Length && (i + 1) * sizeof(uint) <= len; i++)
        {
            if (optval.Add(i * sizeof(uint)).Put(groups[i]) < 0)
                return -EFAULT;
        }

        return optlen.Put(groups.Length * sizeof(uint));
    }
}
