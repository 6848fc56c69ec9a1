using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Reading the options of level <c>SOL_SOCKET</c>.</content>
public partial class Sock
{
    private const int MeminfoVars = 9;
    private const int MaxAncillaryOffset = SKF_AD_MAX;

    /// <summary>Whether the socket is TCP's (<c>sk_is_tcp</c>).</summary>
    public bool SkIsTcp => SkType == SOCK_STREAM && SkProtocol == IPPROTO_TCP && SkcFamily is AF_INET or AF_INET6;

    /// <summary>Reads an option of a sock (<c>sk_getsockopt</c>): as much of the value as there is room for.</summary>
    /// <param name="sk">The sock.</param>
    /// <param name="level"><c>SOL_SOCKET</c></param>
    /// <param name="optname">The option.</param>
    /// <param name="optval">Where the value goes.</param>
    /// <param name="optlen">Room in, length out.</param>
    /// <returns>0 or a negative errno; -ENOPROTOOPT for an option that does not exist, or that cannot be read.</returns>
    [Linux("sk_getsockopt")]
    public static int SkGetsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        if (sk.GetSpecial(optname, optval, optlen, len, out int ret))
            return ret;
        Span<byte> value = stackalloc byte[16];
        value.Clear();
        int lv = sk.GetValue(optname, len, value);
        return lv < 0 ? lv : PutValue(optval, optlen, value[..Math.Min(len, lv)]);
    }

    /// <summary>How much memory the socket uses (<c>sk_get_meminfo</c>), in the order of <c>SK_MEMINFO_*</c>.</summary>
    /// <param name="meminfo">Room for nine numbers.</param>
    [Linux("sk_get_meminfo")]
    public void SkGetMeminfo(Span<uint> meminfo)
    {
        meminfo[0] = (uint)Volatile.Read(ref SkRmemAlloc);
        meminfo[1] = (uint)SkRcvbuf;
        meminfo[2] = (uint)SkWmemAllocGet;
        meminfo[3] = (uint)SkSndbuf;
        meminfo[4] = (uint)SkForwardAlloc;
        meminfo[5] = (uint)SkWmemQueued;
        meminfo[6] = (uint)Volatile.Read(ref SkOmemAlloc);
        meminfo[7] = (uint)BacklogLen;
        meminfo[8] = (uint)Volatile.Read(ref SkDrops);
    }

    // The value's length, or a negative errno.
    private int GetValue(int optname, int len, Span<byte> value)
    {
        if (FlagOf(optname) is { } flag)
            return Int(value, SockFlag(flag) ? 1 : 0);
        switch (optname)
        {
            case SO_LINGER:
                Int(value, SockFlag(SockFlags.Linger) ? 1 : 0);
                // For ever is the largest number of ticks, of which the caller gets the lower half.
                Int(value[sizeof(int)..], SkLingertime == long.MaxValue
                    ? unchecked((int)(long.MaxValue / Clock.Hz)) : (int)(SkLingertime / Clock.NsecPerSec));
                return 2 * sizeof(int);
            case SO_TIMESTAMP_OLD or SO_TIMESTAMP_NEW or SO_TIMESTAMPNS_OLD or SO_TIMESTAMPNS_NEW:
                return Int(value, GetTimestamp(optname) ? 1 : 0);
            case SO_TIMESTAMPING_OLD or SO_TIMESTAMPING_NEW:
                if (optname == SO_TIMESTAMPING_OLD || SockFlag(SockFlags.TstampNew))
                    Int(value, (int)SkTsflags);
                return 2 * sizeof(int);
            case SO_RCVTIMEO_OLD or SO_RCVTIMEO_NEW:
                return SockGetTimeout(value, SkRcvtimeo, optname == SO_RCVTIMEO_OLD);
            case SO_SNDTIMEO_OLD or SO_SNDTIMEO_NEW:
                return SockGetTimeout(value, SkSndtimeo, optname == SO_SNDTIMEO_OLD);
            case SO_MAX_PACING_RATE when len >= sizeof(ulong):
                return Long(value, (long)SkMaxPacingRate);
            case SO_MAX_PACING_RATE:
                return Int(value, (int)(uint)Math.Min(uint.MaxValue, SkMaxPacingRate));
            case SO_COOKIE:
                return len < sizeof(long) ? -EINVAL : Long(value, SockGenCookie());
            case SO_NETNS_COOKIE:
                return len != sizeof(long) ? -EINVAL : Long(value, SkNet.NetCookie);
            case SO_PEEK_OFF:
                return SkSocket is { HasPeekOff: true } ? Int(value, SkPeekOff) : -EOPNOTSUPP;
            case SO_TXREHASH:
                return SkIsTcp ? Int(value, SkTxrehash) : -EOPNOTSUPP;
            case SO_TXTIME:
                Int(value, SkClockid);
                Int(value[sizeof(int)..], (int)SkTxtimeFlags);
                return 2 * sizeof(int);
            case SO_PEERPIDFD when SkPeerPid == 0:
                return -ENODATA;
            case SO_PASSCRED when SkcFamily == AF_NETLINK:
                return Int(value, SkPassCred ? 1 : 0);
            case SO_PASSCRED or SO_PASSSEC or SO_PASSPIDFD or SO_PASSRIGHTS:
                return -EOPNOTSUPP;
            default:
                return GetInt(optname) is { } number ? Int(value, number) : -ENOPROTOOPT;
        }
    }

    // Options that are one plain number.
    private int? GetInt(int optname) => optname switch
    {
        SO_SNDBUF => SkSndbuf,
        SO_RCVBUF => SkRcvbuf,
        SO_REUSEADDR => SkcReuse ? 1 : 0,
        SO_REUSEPORT => SkcReuseport ? 1 : 0,
        SO_TYPE => SkType,
        SO_PROTOCOL => SkProtocol,
        SO_DOMAIN => SkcFamily,
        SO_ERROR => TakeError(),
        SO_NO_CHECK => SkNoCheckTx ? 1 : 0,
        SO_PRIORITY => (int)SkPriority,
        SO_BSDCOMPAT => 0,
        SO_RCVLOWAT => SkRcvlowat,
        SO_SNDLOWAT => 1,
        SO_ACCEPTCONN => SkState == TCP_LISTEN ? 1 : 0,
        SO_MARK => (int)SkMark,
        SO_BPF_EXTENSIONS => MaxAncillaryOffset,
        SO_INCOMING_CPU => SkIncomingCpu,
        SO_BINDTOIFINDEX => SkcBoundDevIf,
        SO_BUF_LOCK => (int)SkUserlocks & SOCK_BUF_LOCK_MASK,
        SO_RESERVE_MEM => SkReservedMem,
        SO_ZEROCOPY => SockFlag(SockFlags.Zerocopy) ? 1 : 0,
        SO_BUSY_POLL => SkLlUsec,
        SO_PREFER_BUSY_POLL => SkPreferBusyPoll ? 1 : 0,
        SO_INCOMING_NAPI_ID => 0,
        _ => null,
    };

    // Options that say themselves how long their value is.
    private bool GetSpecial(int optname, Sockptr optval, Sockptr optlen, int len, out int ret)
    {
        switch (optname)
        {
            case SO_PEERCRED:
                ret = GetPeercred(optval, optlen, len);
                return true;
            case SO_PEERGROUPS:
                ret = GetPeergroups(optval, optlen, len);
                return true;
            case SO_PEERNAME:
                ret = GetPeername(optval, optlen, len);
                return true;
            case SO_BINDTODEVICE:
                ret = SockGetbindtodevice(optval, optlen, len);
                return true;
            case SO_GET_FILTER:
                ret = SkGetFilter(optval, optlen, len);
                return true;
            case SO_MEMINFO:
                Span<uint> meminfo = stackalloc uint[MeminfoVars];
                SkGetMeminfo(meminfo);
                ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(meminfo);
                ret = PutValue(optval, optlen, bytes[..Math.Min(len, bytes.Length)]);
                return true;
            default:
                ret = 0;
                return false;
        }
    }

    private int TakeError()
    {
        int err = -SockError();
        return err != 0 ? err : Interlocked.Exchange(ref SkErrSoft, 0);
    }

    private bool GetTimestamp(int optname)
    {
        bool ns = optname is SO_TIMESTAMPNS_OLD or SO_TIMESTAMPNS_NEW;
        bool isNew = optname is SO_TIMESTAMP_NEW or SO_TIMESTAMPNS_NEW;
        bool on = SockFlag(ns ? SockFlags.Rcvtstampns : SockFlags.Rcvtstamp) && SockFlag(SockFlags.TstampNew) == isNew;
        return on && (optname != SO_TIMESTAMP_OLD || !SockFlag(SockFlags.Rcvtstampns));
    }

    [Linux("sock_get_timeout")]
    private static int SockGetTimeout(Span<byte> value, long timeout, bool oldTimeval)
    {
        long seconds = timeout == long.MaxValue ? 0 : timeout / Clock.NsecPerSec;
        long microseconds = timeout == long.MaxValue ? 0 : timeout % Clock.NsecPerSec / Clock.NsecPerUsec;
        if (oldTimeval && Cpu.This.Task is { InCompatSyscall: true })
            return Int(value, (int)seconds) + Int(value[sizeof(int)..], (int)microseconds);
        return Long(value, seconds) + Long(value[sizeof(long)..], microseconds);
    }

    private int GetPeercred(Sockptr optval, Sockptr optlen, int len)
    {
        Ucred peer = new() { Pid = SkPeerPid, Uid = uint.MaxValue, Gid = uint.MaxValue };
        if (SkPeerCred is { } cred)
            (peer.Uid, peer.Gid) = (cred.Euid, cred.Egid);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<Ucred>(in peer));
        return PutValue(optval, optlen, bytes[..Math.Min(len, bytes.Length)]);
    }

    private int GetPeergroups(Sockptr optval, Sockptr optlen, int len)
    {
        if (SkPeerCred is not { } cred)
            return -ENODATA;
        uint[] groups = [.. cred.Groups];
        int needed = groups.Length * sizeof(uint);
        if (len < needed)
            return optlen.Put(needed) < 0 ? -EFAULT : -ERANGE;
        return PutValue(optval, optlen, MemoryMarshal.AsBytes(groups.AsSpan()));
    }

    private int GetPeername(Sockptr optval, Sockptr optlen, int len)
    {
        Span<byte> address = stackalloc byte[SockaddrStorage.Size];
        address.Clear();
        int lv = SkSocket?.Getname(address, peer: 2) ?? -ENOTCONN;
        if (lv < 0)
            return -ENOTCONN;
        return lv < len ? -EINVAL : PutValue(optval, optlen, address[..len]);
    }

    [Linux("sock_getbindtodevice")]
    private int SockGetbindtodevice(Sockptr optval, Sockptr optlen, int len)
    {
        if (SkcBoundDevIf == 0)
            return PutValue(optval, optlen, []);
        if (len < IFNAMSIZ)
            return -EINVAL;
        if (SkNet.Devices.DevGetByIndex(SkcBoundDevIf) is not { } dev)
            return -ENODEV;
        Span<byte> name = stackalloc byte[IFNAMSIZ];
        name.Clear();
        int length = Encoding.UTF8.GetBytes(dev.Name, name);
        return PutValue(optval, optlen, name[..(length + 1)]);
    }

    private static int PutValue(Sockptr optval, Sockptr optlen, ReadOnlySpan<byte> value)
    {
        if (optval.CopyTo(value) < 0)
            return -EFAULT;
        return optlen.Put(value.Length);
    }

    private static int Int(Span<byte> value, int number)
    {
        Unsafe.WriteUnaligned(ref value[0], number);
        return sizeof(int);
    }

    private static int Long(Span<byte> value, long number)
    {
        Unsafe.WriteUnaligned(ref value[0], number);
        return sizeof(long);
    }
}
