using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Birth and death. A TIME_WAIT socket in the tables holds three references: timer, established table, port.</content>
public partial class InetTimewaitSock
{
    private static readonly Action<object> TimerFunction = TwTimerHandler;

    // Set once by whoever takes the socket out of the tables.
    private int killed;

    /// <summary>Copies what a TIME_WAIT socket keeps of its connection.</summary>
    /// <returns>Whether there was room for one more.</returns>
    [Linux("inet_twsk_alloc")]
    internal static bool InetTwskAlloc(InetTimewaitSock tw, InetConnectionSock sk, int state)
    {
        InetTimewaitDeathRow row = sk.SkNet.Ipv4.TcpDeathRow;
        if (Volatile.Read(ref row.TwCount) >= row.SysctlMaxTwBuckets)
            return false;
        tw.SkcRefcnt = 0;
        tw.TwDr = row;
        tw.SkcDaddr = sk.SkcDaddr;
        tw.SkcRcvSaddr = sk.SkcRcvSaddr;
        tw.SkcV6Daddr = sk.SkcV6Daddr;
        tw.SkcV6RcvSaddr = sk.SkcV6RcvSaddr;
        tw.SkcBoundDevIf = sk.SkcBoundDevIf;
        tw.SkcNum = sk.SkcNum;
        tw.SkcDport = sk.SkcDport;
        tw.SkcFamily = sk.SkcFamily;
        tw.SkcReuse = sk.SkcReuse;
        tw.SkcReuseport = sk.SkcReuseport;
        tw.SkcIpv6only = sk.SkcIpv6only;
        tw.SkcHash = sk.SkcHash;
        tw.SkcProt = sk.SkcProt;
        tw.SkcNet = sk.SkcNet;
        tw.SkcCookie = sk.SkcCookie;
        tw.SkcState = TCP_TIME_WAIT;
        tw.TwSubstate = (byte)state;
        tw.TwTos = sk.Tos;
        tw.TwTransparent = sk.Test(InetFlags.Transparent);
        tw.TwConnectBind = (sk.SkUserlocks & SockUserLocks.ConnectBind) != 0;
        tw.TwTimer = new TimerList(sk.Machine.Timers, TimerFunction, tw);
        return true;
    }

    /// <summary>
    /// Puts the TIME_WAIT socket in the place of its connection, and has it end after <paramref name="timeo"/> ns.
    /// </summary>
    [Linux("inet_twsk_hashdance_schedule")]
    internal static void InetTwskHashdanceSchedule(InetTimewaitSock tw, InetConnectionSock sk, long timeo)
    {
        InetHashinfo hashinfo = tw.TwDr.Hashinfo;
        InetBindTable bind = hashinfo.Bhash;
        InetBindBucket tb = sk.IcskBindHash!;
        InetBind2Bucket tb2 = sk.IcskBind2Hash!;
        bind.Lock(tb.IbNet, tb.Port);
        bind.Lock2(tb2.Hash);
        tw.TwTb = tb;
        tw.TwTb2 = tb2;
        tb2.AddOwner(tw);
        bind.Unlock2(tb2.Hash);
        bind.Unlock(tb.IbNet, tb.Port);

        uint hash = tw.SkcHash;
        hashinfo.Ehash.Lock(hash);
        hashinfo.Ehash.Add(tw);
        if (sk.SkcHashed)
        {
            hashinfo.Ehash.Remove(sk);
            Interlocked.Decrement(ref sk.SkNet.Ipv4.TcpInuse);
        }

        Volatile.Write(ref tw.SkcRefcnt, 3);
        bool kill = timeo <= 4 * Clock.NsecPerSec;
        tw.SkcNet.Ipv4.NetStatistics.Inc(kill ? LinuxMib.TWKilled : LinuxMib.TW);
        Interlocked.Increment(ref tw.TwDr.TwCount);
        tw.TwTimer.Mod(tw.SkcNet.Machine.Clock.Now + timeo);
        hashinfo.Ehash.Unlock(hash);
    }

    /// <summary>
    /// Has a TIME_WAIT socket that is still alive last for another <paramref name="timeo"/> ns
    /// (<c>inet_twsk_reschedule</c>).
    /// </summary>
    internal static void InetTwskReschedule(InetTimewaitSock tw, long timeo)
    {
        // A timer that fired is about to kill, which then finds nothing to do twice.
        if (tw.TwTimer.Pending)
            tw.TwTimer.Mod(tw.SkcNet.Machine.Clock.Now + timeo);
    }

    /// <summary>Gives the port back; the caller locked the port's chain.</summary>
    [Linux("inet_twsk_bind_unhash")]
    internal static void InetTwskBindUnhash(InetTimewaitSock tw, InetHashinfo hashinfo)
    {
        if (tw.TwTb is not { } tb)
            return;
        InetBind2Bucket tb2 = tw.TwTb2!;
        hashinfo.Bhash.Lock2(tb2.Hash);
        tb2.RemoveOwner(tw);
        tw.TwTb = null;
        tw.TwTb2 = null;
        hashinfo.Bhash.Destroy2(tb2);
        hashinfo.Bhash.Unlock2(tb2.Hash);
        hashinfo.Bhash.Destroy(tb);
        tw.InetTwskPut();
    }

    /// <summary>Ends the state before its time; gives the caller's reference back.</summary>
    [Linux("inet_twsk_deschedule_put")]
    public static void InetTwskDeschedulePut(InetTimewaitSock tw)
    {
        tw.TwTimer.Delete();
        InetTwskKill(tw);
        tw.InetTwskPut();
    }

    /// <summary>Ends all of a namespace that goes away.</summary>
    [Linux("inet_twsk_purge")]
    internal static void InetTwskPurge(NetNamespace net)
    {
        foreach (SockCommon sk in net.Ipv4.TcpDeathRow.Hashinfo.Ehash.Snapshot())
        {
            if (sk.SkcNet == net && sk is InetTimewaitSock tw && SkcRefcntTools.IncNotZero(ref tw.SkcRefcnt))
                InetTwskDeschedulePut(tw);
        }
    }

    [Linux("tw_timer_handler")]
    private static void TwTimerHandler(object data) => InetTwskKill((InetTimewaitSock)data);

    [Linux("inet_twsk_kill")]
    private static void InetTwskKill(InetTimewaitSock tw)
    {
        if (Interlocked.Exchange(ref tw.killed, 1) != 0)
            return;
        InetHashinfo hashinfo = tw.TwDr.Hashinfo;
        hashinfo.Ehash.Lock(tw.SkcHash);
        if (tw.SkcHashed)
        {
            hashinfo.Ehash.Remove(tw);
            tw.InetTwskPut();
        }

        hashinfo.Ehash.Unlock(tw.SkcHash);
        hashinfo.Bhash.Lock(tw.SkcNet, tw.SkcNum);
        InetTwskBindUnhash(tw, hashinfo);
        hashinfo.Bhash.Unlock(tw.SkcNet, tw.SkcNum);
        Interlocked.Decrement(ref tw.TwDr.TwCount);
        tw.InetTwskPut();
    }
}
