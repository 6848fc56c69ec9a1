using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Setting the options of level <c>SOL_SOCKET</c>.</content>
public partial class Sock
{
    private const int UsecPerSec = 1_000_000;
    private const int MaxTrafficPriority = 6;

    // Stamps of what is sent, their numbering, and clocks of network cards: nothing here makes them.
    private const int TimestampingHonoured = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE
        | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_SYS_HARDWARE
        | SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_OPT_CMSG | SOF_TIMESTAMPING_OPT_TSONLY
        | SOF_TIMESTAMPING_OPT_TX_SWHW | SOF_TIMESTAMPING_OPT_RX_FILTER;

    private const int TxTimestampingHonoured = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED
        | SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_ID_TCP;

    /// <summary>Sets an option of a socket (<c>sock_setsockopt</c>).</summary>
    [Linux("sock_setsockopt")]
    public static int SockSetsockopt(ISocket sock, int level, int optname, Sockptr optval, int optlen) =>
        SkSetsockopt(sock.Sk!, level, optname, optval, optlen);

    /// <summary>Sets an option of a sock (<c>sk_setsockopt</c>).</summary>
    /// <returns>0 or a negative errno; -ENOPROTOOPT for an option that does not exist, or that cannot be set.</returns>
    [Linux("sk_setsockopt")]
    public static int SkSetsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen)
    {
        if (optname == SO_BINDTODEVICE)
            return sk.SockSetbindtodevice(optval, optlen);
        if (optlen < sizeof(int))
            return -EINVAL;
        if (optval.Get(out int val) < 0)
            return -EFAULT;
        if (sk.SetUnlocked(optname, val, optval, optlen, out int ret))
            return ret;
        sk.LockSock();
        ret = FlagOf(optname) is { } flag ? sk.SetFlagOption(flag, optname, val) : sk.SetLocked(optname, val, optval, optlen);
        sk.ReleaseSock();
        return ret;
    }

    /// <summary>Sets a receive buffer of twice <paramref name="val"/> bytes, half of it for bookkeeping (<c>__sock_set_rcvbuf</c>).</summary>
    public void SockSetRcvbuf(int val)
    {
        SkUserlocks |= SockUserLocks.Rcvbuf;
        Volatile.Write(ref SkRcvbuf, Math.Max(Math.Min(val, int.MaxValue / 2) * 2, SockMinRcvbuf));
    }

    // Options that do not need the socket lock.
    private bool SetUnlocked(int optname, int val, Sockptr optval, int optlen, out int ret)
    {
        ret = 0;
        switch (optname)
        {
            case SO_PRIORITY:
                ret = SetPriority(val);
                return true;
            case SO_TYPE or SO_PROTOCOL or SO_DOMAIN or SO_ERROR:
                ret = -ENOPROTOOPT;
                return true;
            case SO_MAX_PACING_RATE:
                ret = SetMaxPacingRate(val, optval, optlen);
                return true;
            case SO_TXREHASH:
                ret = SetTxrehash(val);
                return true;
            case SO_BUSY_POLL or SO_PREFER_BUSY_POLL or SO_BUSY_POLL_BUDGET:
                ret = SetBusyPoll(optname, val);
                return true;
            case SO_DEVMEM_DONTNEED:
                ret = SockDevmemDontneed(optval, optlen);
                return true;
            case SO_PEEK_OFF:
                ret = SkSocket?.SetPeekOff(val) ?? -EOPNOTSUPP;
                return true;
            case SO_SNDTIMEO_OLD or SO_SNDTIMEO_NEW:
                ret = SockSetTimeout(ref SkSndtimeo, optval, optlen, optname == SO_SNDTIMEO_OLD);
                return true;
            case SO_RCVTIMEO_OLD or SO_RCVTIMEO_NEW:
                ret = SockSetTimeout(ref SkRcvtimeo, optval, optlen, optname == SO_RCVTIMEO_OLD);
                return true;
            default:
                return false;
        }
    }

    // The options that are a flag and nothing else, but for a check or two.
    private static SockFlags? FlagOf(int optname) => optname switch
    {
        SO_DEBUG => SockFlags.Dbg,
        SO_DONTROUTE => SockFlags.Localroute,
        SO_BROADCAST => SockFlags.Broadcast,
        SO_KEEPALIVE => SockFlags.Keepopen,
        SO_OOBINLINE => SockFlags.Urginline,
        SO_LOCK_FILTER => SockFlags.FilterLocked,
        SO_RCVMARK => SockFlags.Rcvmark,
        SO_RCVPRIORITY => SockFlags.Rcvpriority,
        SO_RXQ_OVFL => SockFlags.RxqOvfl,
        SO_WIFI_STATUS => SockFlags.WifiStatus,
        SO_NOFCS => SockFlags.Nofcs,
        SO_SELECT_ERR_QUEUE => SockFlags.SelectErrQueue,
        _ => null,
    };

    private int SetFlagOption(SockFlags flag, int optname, int val)
    {
        switch (optname)
        {
            case SO_DEBUG when val != 0 && !TaskStruct.Current.Capable(CAP_NET_ADMIN):
                return -EACCES;
            case SO_LOCK_FILTER when val == 0 && SockFlag(SockFlags.FilterLocked):
                return -EPERM;
            case SO_KEEPALIVE:
                SkProt.Keepalive(this, val != 0);
                break;
            case SO_DONTROUTE:
                SkDstReset();
                break;
        }

        SockValboolFlag(flag, val != 0);
        return 0;
    }

    private int SetLocked(int optname, int val, Sockptr optval, int optlen)
    {
        switch (optname)
        {
            case SO_REUSEADDR:
                SkcReuse = val != 0;
                return 0;
            case SO_REUSEPORT:
                if (val != 0 && SkcFamily is not (AF_INET or AF_INET6))
                    return -EOPNOTSUPP;
                SkcReuseport = val != 0;
                return 0;
            case SO_SNDBUF or SO_SNDBUFFORCE or SO_RCVBUF or SO_RCVBUFFORCE or SO_BUF_LOCK or SO_RESERVE_MEM or SO_RCVLOWAT:
                return SetMemoryOption(optname, val);
            case SO_NO_CHECK:
                SkNoCheckTx = val != 0;
                return 0;
            case SO_LINGER:
                return SetLinger(optval, optlen);
            case SO_BSDCOMPAT:
                // Linux has taken this option without effect since it counts BSD errors for all sockets.
                return 0;
            case SO_TIMESTAMP_OLD or SO_TIMESTAMP_NEW or SO_TIMESTAMPNS_OLD or SO_TIMESTAMPNS_NEW:
                SockSetTimestamp(optname, val != 0);
                return 0;
            case SO_TIMESTAMPING_OLD or SO_TIMESTAMPING_NEW:
                return SockSetTimestamping(optname, val);
            case SO_ATTACH_FILTER or SO_DETACH_FILTER or SO_ATTACH_BPF or SO_ATTACH_REUSEPORT_CBPF
                or SO_ATTACH_REUSEPORT_EBPF or SO_DETACH_REUSEPORT_BPF:
                return SetFilterOption(optname, optval, optlen);
            case SO_MARK:
                return SetMark(val);
            case SO_PASSCRED when SkcFamily == AF_NETLINK:
                SkPassCred = val != 0;
                return 0;
            case SO_PASSCRED or SO_PASSSEC or SO_PASSPIDFD or SO_PASSRIGHTS:
                // Only local sockets have credentials to pass.
                return -EOPNOTSUPP;
            case SO_ZEROCOPY:
                return SetZerocopy(val);
            case SO_TXTIME:
                return SetTxtime(optval, optlen);
            case SO_INCOMING_CPU:
                SkIncomingCpu = val;
                return 0;
            case SO_CNX_ADVICE:
                if (val == 1)
                    SkDstCache?.NegativeAdvice(this);
                return 0;
            case SO_BINDTOIFINDEX:
                return SockBindtoindexLocked(val);
            default:
                return -ENOPROTOOPT;
        }
    }

    private int SetMemoryOption(int optname, int val)
    {
        NetCoreSysctl sysctl = SkNet.Core.Sysctl;
        switch (optname)
        {
            case SO_SNDBUF:
                SetSndbuf((int)Math.Min((uint)val, (uint)sysctl.WmemMax));
                return 0;
            case SO_RCVBUF:
                SockSetRcvbuf((int)Math.Min((uint)val, (uint)sysctl.RmemMax));
                return 0;
            case SO_SNDBUFFORCE or SO_RCVBUFFORCE when !TaskStruct.Current.NsCapable(Machine.InitUserNs, CAP_NET_ADMIN):
                return -EPERM;
            case SO_SNDBUFFORCE:
                SetSndbuf(Math.Max(val, 0));
                return 0;
            case SO_RCVBUFFORCE:
                SockSetRcvbuf(Math.Max(val, 0));
                return 0;
            case SO_BUF_LOCK:
                if ((val & ~SOCK_BUF_LOCK_MASK) != 0)
                    return -EINVAL;
                SkUserlocks = (SockUserLocks)val | (SkUserlocks & ~(SockUserLocks.Sndbuf | SockUserLocks.Rcvbuf));
                return 0;
            case SO_RCVLOWAT:
                if (val < 0)
                    val = int.MaxValue;
                return SkSocket?.SetRcvlowat(val) ?? SetRcvlowat(val);
            default:
                // Memory is reserved from a control group's budget, and there are no such groups.
                return val < 0 ? -EINVAL : -EOPNOTSUPP;
        }
    }

    private int SetRcvlowat(int val)
    {
        SkRcvlowat = val == 0 ? 1 : val;
        return 0;
    }

    private void SetSndbuf(int val)
    {
        SkUserlocks |= SockUserLocks.Sndbuf;
        Volatile.Write(ref SkSndbuf, Math.Max(Math.Min(val, int.MaxValue / 2) * 2, SockMinSndbuf));
        SkWriteSpace(this);
    }

    // sk_set_prio_allowed: the priorities of ordinary traffic are everybody's.
    private int SetPriority(int val)
    {
        if (val is < 0 or > MaxTrafficPriority && !NetRawOrAdmin())
            return -EPERM;
        SkPriority = (uint)val;
        return 0;
    }

    private int SetMark(int val)
    {
        if (!NetRawOrAdmin())
            return -EPERM;
        if (SkMark != (uint)val)
        {
            SkMark = (uint)val;
            SkDstReset();
        }

        return 0;
    }

    private bool NetRawOrAdmin() =>
        SkNet.Capable(TaskStruct.Current, CAP_NET_RAW) || SkNet.Capable(TaskStruct.Current, CAP_NET_ADMIN);

    private int SetMaxPacingRate(int val, Sockptr optval, int optlen)
    {
        ulong rate = val == -1 ? ulong.MaxValue : (uint)val;
        if (optlen >= sizeof(ulong) && optval.Get(out rate) < 0)
            return -EFAULT;
        if (rate != ulong.MaxValue && SkPacingStatus == SockPacing.None)
            SkPacingStatus = SockPacing.Needed;
        Volatile.Write(ref SkMaxPacingRate, rate);
        if (rate < Volatile.Read(ref SkPacingRate))
            Volatile.Write(ref SkPacingRate, rate);
        return 0;
    }

    private int SetTxrehash(int val)
    {
        if (!SkIsTcp)
            return -EOPNOTSUPP;
        if (val is < -1 or > 1)
            return -EINVAL;
        SkTxrehash = val == -1 ? SkNet.NetnsCore.SysctlTxrehash : (byte)val;
        return 0;
    }

    private int SetLinger(Sockptr optval, int optlen)
    {
        if (optlen < 2 * sizeof(int))
            return -EINVAL;
        if (optval.Get(out Linger linger) < 0)
            return -EFAULT;
        if (linger.LOnoff != 0)
        {
            // A negative time is a long one.
            ulong seconds = (ulong)(long)linger.LLinger;
            SkLingertime = seconds >= (ulong)(long.MaxValue / Clock.NsecPerSec)
                ? long.MaxValue : (long)seconds * Clock.NsecPerSec;
        }

        SockValboolFlag(SockFlags.Linger, linger.LOnoff != 0);
        return 0;
    }

    // A hint for readers in front of devices that can be polled. No device here can, as Linux's loopback and veth cannot.
    private int SetBusyPoll(int optname, int val)
    {
        switch (optname)
        {
            case SO_BUSY_POLL:
                if (val < 0)
                    return -EINVAL;
                SkLlUsec = val;
                return 0;
            case SO_PREFER_BUSY_POLL:
                if (val != 0 && !TaskStruct.Current.NsCapable(Machine.InitUserNs, CAP_NET_ADMIN))
                    return -EPERM;
                SkPreferBusyPoll = val != 0;
                return 0;
            default:
                if (val > SkBusyPollBudget && !TaskStruct.Current.NsCapable(Machine.InitUserNs, CAP_NET_ADMIN))
                    return -EPERM;
                if (val is < 0 or > ushort.MaxValue)
                    return -EINVAL;
                SkBusyPollBudget = (ushort)val;
                return 0;
        }
    }

    // Gives tokens of device memory back. No socket here ever got one, so that none of them is known.
    [Linux("sock_devmem_dontneed")]
    private int SockDevmemDontneed(Sockptr optval, int optlen)
    {
        const int TokenSize = 8;
        const int MaxTokens = 128;
        if (!SkIsTcp)
            return -EBADF;
        if (optlen % TokenSize != 0 || optlen > TokenSize * MaxTokens)
            return -EINVAL;
        Span<byte> tokens = stackalloc byte[TokenSize * MaxTokens];
        return optval.CopyFrom(tokens[..optlen]);
    }

    private int SetZerocopy(int val)
    {
        if (!SkIsTcp && (SkcFamily is not (AF_INET or AF_INET6) || SkType != SOCK_DGRAM || SkProtocol != IPPROTO_UDP))
            return -EOPNOTSUPP;
        if (val is < 0 or > 1)
            return -EINVAL;
        SockValboolFlag(SockFlags.Zerocopy, val != 0);
        return 0;
    }

    // Times are for queueing disciplines that send by them (etf, fq); others send at once, in Linux too.
    private int SetTxtime(Sockptr optval, int optlen)
    {
        const uint FlagsMask = 3;
        if (optlen != 2 * sizeof(int))
            return -EINVAL;
        if (optval.Get(out (int Clockid, uint Flags) txtime) < 0)
            return -EFAULT;
        if ((txtime.Flags & ~FlagsMask) != 0)
            return -EINVAL;
        if (txtime.Clockid != CLOCK_MONOTONIC && !TaskStruct.Current.NsCapable(SkNet.UserNs, CAP_NET_ADMIN))
            return -EPERM;
        if (txtime.Clockid is not (CLOCK_REALTIME or CLOCK_MONOTONIC or CLOCK_TAI))
            return -EINVAL;
        SockSetFlag(SockFlags.Txtime);
        SkClockid = txtime.Clockid;
        SkTxtimeFlags = txtime.Flags;
        return 0;
    }

    // Whole ticks, rounded up; no time at all means for ever, a negative one not to wait.
    [Linux("sock_set_timeout")]
    private static int SockSetTimeout(ref long timeout, Sockptr optval, int optlen, bool oldTimeval)
    {
        int err = SockCopyUserTimeval(out Timeval tv, optval, optlen, oldTimeval);
        if (err < 0)
            return err;
        if (tv.TvUsec is < 0 or >= UsecPerSec)
            return -EDOM;
        if (tv.TvSec < 0)
        {
            Volatile.Write(ref timeout, 0);
            return 0;
        }

        long value = long.MaxValue;
        if ((tv.TvSec != 0 || tv.TvUsec != 0) && tv.TvSec < long.MaxValue / Clock.NsecPerSec - 1)
            value = tv.TvSec * Clock.NsecPerSec + (tv.TvUsec + 999) / 1000 * Clock.NsecPerMsec;
        Volatile.Write(ref timeout, value);
        return 0;
    }

    [Linux("sock_copy_user_timeval")]
    private static int SockCopyUserTimeval(out Timeval tv, Sockptr optval, int optlen, bool oldTimeval)
    {
        tv = default;
        if (oldTimeval && Cpu.This.Task is { InCompatSyscall: true })
        {
            if (optlen < 2 * sizeof(int))
                return -EINVAL;
            if (optval.Get(out (int Sec, int Usec) narrow) < 0)
                return -EFAULT;
            tv = new Timeval { TvSec = narrow.Sec, TvUsec = narrow.Usec };
            return 0;
        }

        if (optlen < 2 * sizeof(long))
            return -EINVAL;
        return optval.Get(out tv);
    }

    [Linux("sock_setbindtodevice")]
    private int SockSetbindtodevice(Sockptr optval, int optlen)
    {
        if (optlen < 0)
            return -EINVAL;
        Span<byte> bytes = stackalloc byte[IFNAMSIZ];
        bytes.Clear();
        if (optval.CopyFrom(bytes[..Math.Min(optlen, IFNAMSIZ - 1)]) < 0)
            return -EFAULT;
        int index = 0;
        if (bytes[0] != 0)
        {
            string name = Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);
            if (SkNet.Devices.DevGetByName(name) is not { } dev)
                return -ENODEV;
            index = dev.Ifindex;
        }

        LockSock();
        int ret = SockBindtoindexLocked(index);
        ReleaseSock();
        return ret;
    }

    // Whoever is bound to a device already was bound by somebody who may have meant it.
    [Linux("sock_bindtoindex_locked")]
    private int SockBindtoindexLocked(int ifindex)
    {
        if (SkcBoundDevIf != 0 && !SkNet.Capable(TaskStruct.Current, CAP_NET_RAW))
            return -EPERM;
        if (ifindex < 0)
            return -EINVAL;
        SkcBoundDevIf = ifindex;
        SkProt.Rehash(this);
        SkDstReset();
        return 0;
    }

    [Linux("sock_set_timestamp")]
    private void SockSetTimestamp(int optname, bool on)
    {
        bool ns = optname is SO_TIMESTAMPNS_OLD or SO_TIMESTAMPNS_NEW;
        SockValboolFlag(SockFlags.Rcvtstamp, on);
        SockValboolFlag(SockFlags.Rcvtstampns, on && ns);
        if (!on)
            return;
        SockValboolFlag(SockFlags.TstampNew, optname is SO_TIMESTAMP_NEW or SO_TIMESTAMPNS_NEW);
        SockEnableTimestamp(SockFlags.Timestamp);
    }

    [Linux("sock_set_timestamping")]
    private int SockSetTimestamping(int optname, int val)
    {
        int honoured = TimestampingHonoured | (SkcFamily is AF_INET or AF_INET6 ? TxTimestampingHonoured : 0);
        if ((val & ~honoured) != 0)
        {
            Machine.Unsupported.Add(RequestKind.SocketOption, SOL_SOCKET, optname, val & ~honoured);
            return -EINVAL;
        }

        if ((val & SOF_TIMESTAMPING_OPT_ID_TCP) != 0 && (val & SOF_TIMESTAMPING_OPT_ID) == 0)
            return -EINVAL;
        if ((val & SOF_TIMESTAMPING_OPT_ID) != 0 && (SkTsflags & SOF_TIMESTAMPING_OPT_ID) == 0)
        {
            if (!FirstTimestampKey((val & SOF_TIMESTAMPING_OPT_ID_TCP) != 0, out uint key))
                return -EINVAL;
            Volatile.Write(ref SkTskey, (int)key);
        }

        SkTsflags = (uint)val;
        SockValboolFlag(SockFlags.TstampNew, optname == SO_TIMESTAMPING_NEW);
        if ((val & SOF_TIMESTAMPING_RX_SOFTWARE) != 0)
            SockEnableTimestamp(SockFlags.TimestampingRxSoftware);
        else
            SockDisableTimestamp(SockFlags.TimestampingRxSoftware);
        return 0;
    }

    /// <summary>Where the numbers of stamped sends begin (<c>SOF_TIMESTAMPING_OPT_ID</c>).</summary>
    /// <param name="afterWritten">Of a stream, behind what was written (<c>SOF_TIMESTAMPING_OPT_ID_TCP</c>).</param>
    /// <param name="key">The number.</param>
    /// <returns>False when a stream has no connection yet.</returns>
    protected virtual bool FirstTimestampKey(bool afterWritten, out uint key)
    {
        key = 0;
        return true;
    }

    /// <summary>Has packets stamped as they arrive, for as long as any socket wants it (<c>sock_enable_timestamp</c>).</summary>
    [Linux("sock_enable_timestamp")]
    public void SockEnableTimestamp(SockFlags flag)
    {
        if (SockFlag(flag))
            return;
        bool counted = SockFlag(SkFlagsTimestamp);
        SockSetFlag(flag);
        if (!counted)
            SkNet.Core.NetEnableTimestamp();
    }

    [Linux("sock_disable_timestamp")]
    private void SockDisableTimestamp(SockFlags flags)
    {
        if (!SockFlag(flags))
            return;
        SockResetFlag(flags);
        if (!SockFlag(SkFlagsTimestamp))
            SkNet.Core.NetDisableTimestamp();
    }

    private const SockFlags SkFlagsTimestamp = SockFlags.Timestamp | SockFlags.TimestampingRxSoftware;
}
