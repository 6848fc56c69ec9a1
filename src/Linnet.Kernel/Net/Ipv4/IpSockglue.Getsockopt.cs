using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Reading options of level <c>IPPROTO_IP</c>.</content>
public static partial class IpSockglue
{
    /// <summary>Reads an option of the IP level.</summary>
    /// <returns>0, -EOPNOTSUPP for another level, -ENOPROTOOPT, -EFAULT, -EINVAL, -ENOTCONN.</returns>
    [Linux("ip_getsockopt")]
    public static int IpGetsockopt(InetSock sk, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        if (level != SOL_IP)
            return -EOPNOTSUPP;
        return DoIpGetsockopt(sk, optname, optval, optlen);
    }

    [Linux("do_ip_getsockopt")]
    private static int DoIpGetsockopt(InetSock sk, int optname, Sockptr optval, Sockptr optlen)
    {
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        InetFlags flag = optname == IP_ROUTER_ALERT ? InetFlags.Rtalert : SwitchOf(optname);
        if (flag != 0)
            return CopyVal(sk.Test(flag) ? 1 : 0, len, optval, optlen);
        int err = GetValue(sk, optname, out int val);
        if (err != -ENOPROTOOPT)
            return err != 0 ? err : CopyVal(val, len, optval, optlen);
        switch (optname)
        {
            case IP_OPTIONS:
                return GetOptions(sk, optval, optlen, len);
            case IP_PKTOPTIONS:
                return GetPktoptions(sk, optval, optlen, len);
            case IP_MULTICAST_IF:
                len = Math.Min(len, sizeof(uint));
                if (optlen.Put(len) < 0)
                    return -EFAULT;
                return optval.CopyTo(BitConverter.GetBytes(Htonl(sk.McAddr)).AsSpan(0, len));
            case IP_MSFILTER:
                return Locked(sk, optval, optlen, len, GetMsfilter);
            case MCAST_MSFILTER:
                return Locked(sk, optval, optlen, len, IpGetMcastMsfilter);
            default:
                return -ENOPROTOOPT;
        }
    }

    private static int GetValue(InetSock sk, int optname, out int val)
    {
        val = 0;
        switch (optname)
        {
            case IP_TTL:
                val = sk.UcTtl >= 0 ? sk.UcTtl : sk.SkNet.Ipv4.SysctlDefaultTtl;
                return 0;
            case IP_MINTTL:
                val = sk.MinTtl;
                return 0;
            case IP_MTU_DISCOVER:
                val = sk.Pmtudisc;
                return 0;
            case IP_TOS:
                val = sk.Tos;
                return 0;
            case IP_MULTICAST_TTL:
                val = sk.McTtl;
                return 0;
            case IP_MTU:
                val = sk.SkDstCache?.Mtu ?? 0;
                return val != 0 ? 0 : -ENOTCONN;
            case IP_UNICAST_IF:
                val = (int)Htonl((uint)sk.UcIndex);
                return 0;
            case IP_LOCAL_PORT_RANGE:
                val = (int)sk.LocalPortRange;
                return 0;
            case IP_PROTOCOL:
                val = sk.SkcNum;
                return 0;
            default:
                return -ENOPROTOOPT;
        }
    }

    // Programs that ask with a single byte get one, where the value fits.
    private static int CopyVal(int val, int len, Sockptr optval, Sockptr optlen)
    {
        if (len is > 0 and < sizeof(int) && val is >= 0 and <= 255)
            return optlen.Put(1) < 0 ? -EFAULT : optval.Put((byte)val);
        len = Math.Min(sizeof(int), len);
        if (optlen.Put(len) < 0)
            return -EFAULT;
        return optval.CopyTo(BitConverter.GetBytes(val).AsSpan(0, len));
    }

    private static int GetOptions(InetSock sk, Sockptr optval, Sockptr optlen, int len)
    {
        if (sk.InetOpt is not { Opt.Optlen: not 0 } options)
            return optlen.Put(0);
        byte[] data = IpOptions.IpOptionsUndo(options);
        len = Math.Min(len, data.Length);
        return optlen.Put(len) < 0 ? -EFAULT : optval.CopyTo(data.AsSpan(0, len));
    }

    // What control messages of a stream's last packet would have said.
    private static int GetPktoptions(InetSock sk, Sockptr optval, Sockptr optlen, int len)
    {
        if (sk.SkType != SOCK_STREAM)
            return -ENOPROTOOPT;
        MsgHdr msg = new() { MsgControl = optval, MsgControllen = len };
        if (sk.Test(InetFlags.Pktinfo))
        {
            uint addr = Htonl(sk.SkcRcvSaddr);
            var info = new InPktinfo { IpiAddr = addr, IpiSpecDst = addr, IpiIfindex = sk.McIndex };
            msg.PutCmsg(SOL_IP, IP_PKTINFO, info);
        }

        if (sk.Test(InetFlags.Recvttl))
            msg.PutCmsg(SOL_IP, IP_TTL, (int)sk.McTtl);
        if (sk.Test(InetFlags.Recvtos))
            msg.PutCmsg(SOL_IP, IP_TOS, (int)sk.RcvTos);
        return optlen.Put(len - msg.MsgControllen);
    }

    private static int Locked(
        InetSock sk, Sockptr optval, Sockptr optlen, int len, Func<InetSock, Sockptr, Sockptr, int, int> get)
    {
        sk.LockSock();
        int err = get(sk, optval, optlen, len);
        sk.ReleaseSock();
        return err;
    }
}
