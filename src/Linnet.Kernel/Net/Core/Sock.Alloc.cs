using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Birth and death of socks.</content>
public partial class Sock
{
    /// <summary>Value of <see cref="SkStamp"/> before the first packet was read (<c>SK_DEFAULT_STAMP</c>).</summary>
    public const long SkDefaultStamp = -1_000_000_000;

    /// <summary>Makes a sock of the protocol's kind in a namespace (<c>sk_alloc</c>); one reference, the caller's.</summary>
    /// <returns>The sock, or null where Linux lacks memory: a security module or the protocol's module refused.</returns>
    [Linux("sk_alloc")]
    public static Sock? SkAlloc(NetNamespace net, int family, Proto prot, bool kern)
    {
        Sock? sk = SkProtAlloc(net, prot, family);
        if (sk == null)
            return null;
        sk.SkKernSock = kern;
        sk.SkNetRefcnt = !kern;
        if (sk.SkNetRefcnt)
        {
            net.Get();
            Interlocked.Increment(ref net.NetnsCore.SocketsInuse);
        }

        sk.SkWmemAlloc = 1;
        return sk;
    }

    /// <summary>Gives the creator's reference back; packets in flight keep the sock (<c>sk_free</c>).</summary>
    [Linux("sk_free")]
    public static void SkFree(Sock sk)
    {
        if (Interlocked.Decrement(ref sk.SkWmemAlloc) == 0)
            SkFreeCore(sk);
    }

    /// <summary>Sets up a new sock and ties it to its socket (<c>sock_init_data</c>).</summary>
    /// <param name="sock">The socket, or null for a sock that nobody can call.</param>
    /// <param name="sk">The sock.</param>
    [Linux("sock_init_data")]
    public static void SockInitData(ISocket? sock, Sock sk)
    {
        NetCoreSysctl sysctl = sk.SkNet.Core.Sysctl;
        sk.SkRcvbuf = sysctl.RmemDefault;
        sk.SkSndbuf = sysctl.WmemDefault;
        sk.SkcState = TCP_CLOSE;
        sk.SkSocket = sock;
        sk.SockSetFlag(SockFlags.Zapped);
        if (sock != null)
        {
            sk.SkType = (ushort)sock.Type;
            sk.SkWq = sock.Wq;
            sock.Sk = sk;
            sk.SkUid = sock.Uid;
        }
        else
        {
            sk.SkWq = null;
            sk.SkUid = sk.SkNet.UserNs.Owner;
        }

        sk.SkStamp = SkDefaultStamp;
        sk.SkMemory = sk.SkProt.MemoryOf(sk.SkNet);
        sk.SkcRefcnt = 1;
    }

    /// <summary>Ties a sock to the socket that accepted it (<c>sock_graft</c>).</summary>
    [Linux("sock_graft")]
    public static void SockGraft(Sock sk, ISocket parent)
    {
        Bug.On(parent.Sk != null);
        sk.SkWq = parent.Wq;
        parent.Sk = sk;
        sk.SkSocket = parent;
        sk.SkUid = parent.Uid;
    }

    /// <summary>Detaches a sock from its socket for ever (<c>sock_orphan</c>).</summary>
    public static void SockOrphan(Sock sk)
    {
        sk.SockSetFlag(SockFlags.Dead);
        sk.SkSocket = null;
        sk.SkWq = null;
    }

    /// <summary>What the close of most protocols is (<c>sk_common_release</c>).</summary>
    [Linux("sk_common_release")]
    public static void SkCommonRelease(Sock sk)
    {
        sk.SkProt.Destroy(sk);
        // Packets still find the sock until it is out of the tables, and some may already have found it: whatever they
        // charge or reference ends with the last reference, not here.
        sk.SkProt.Unhash(sk);
        SockOrphan(sk);
        sk.SockPut();
    }

    /// <summary>
    /// Makes a copy of a listening sock for a new connection (<c>sk_clone_lock</c>): same options, empty queues. The
    /// caller holds its spin lock and two references, one of them for the table that the copy enters.
    /// </summary>
    /// <returns>The copy, or null where Linux lacks memory.</returns>
    [Linux("sk_clone_lock")]
    public static Sock? SkCloneLock(Sock sk)
    {
        if (!Module.TryModuleGet(sk.SkProt.Owner))
            return null;
        var newsk = (Sock)sk.MemberwiseClone();
        newsk.SkSecurity = null;
        if (Lsm.SecuritySkAlloc(newsk, newsk.SkcFamily) != 0)
        {
            Module.ModulePut(sk.SkProt.Owner);
            return null;
        }

        Lsm.SecuritySkClone(sk, newsk);
        newsk.SkNetRefcnt = !newsk.SkKernSock;
        if (newsk.SkNetRefcnt)
        {
            newsk.SkNet.Get();
            Interlocked.Increment(ref newsk.SkNet.NetnsCore.SocketsInuse);
        }

        newsk.ForgetOriginal();
        if (newsk.SockFlag(SkFlagsTimestamp))
            newsk.SkNet.Core.NetEnableTimestamp();
        if (newsk.SkFilter is { } filter && !filter.Charge(newsk))
        {
            newsk.SkFilter = null;
            newsk.BhLockSock();
            SkFreeUnlockClone(newsk);
            return null;
        }

        if (newsk.SkMemory is { } memory)
            Interlocked.Increment(ref memory.SocketsAllocated);
        newsk.BhLockSock();
        return newsk;
    }

    /// <summary>Frees a copy that was never handed out (<c>sk_free_unlock_clone</c>).</summary>
    [Linux("sk_free_unlock_clone")]
    public static void SkFreeUnlockClone(Sock sk)
    {
        sk.SkDestruct = null;
        sk.BhUnlockSock();
        SkFree(sk);
    }

    /// <summary>Arms a timer that holds a reference to the sock while it is pending (<c>sk_reset_timer</c>).</summary>
    public void SkResetTimer(TimerList timer, long expires)
    {
        if (!timer.Mod(expires))
            SockHold();
    }

    /// <summary>Disarms a timer and gives its reference back (<c>sk_stop_timer</c>).</summary>
    public void SkStopTimer(TimerList timer)
    {
        if (timer.Delete())
            SockPut();
    }

    [Linux("sk_prot_alloc")]
    private static Sock? SkProtAlloc(NetNamespace net, Proto prot, int family)
    {
        Sock sk = prot.AllocSock();
        sk.SkcFamily = (ushort)family;
        sk.SkcProt = prot;
        sk.SkProtCreator = prot;
        sk.SkcNet = net;
        if (Lsm.SecuritySkAlloc(sk, family) != 0)
            return null;
        if (Module.TryModuleGet(prot.Owner))
            return sk;
        Lsm.SecuritySkFree(sk);
        return null;
    }

    [Linux("__sk_free")]
    private static void SkFreeCore(Sock sk)
    {
        if (sk.SkNetRefcnt)
            Interlocked.Decrement(ref sk.SkNet.NetnsCore.SocketsInuse);
        SkDestructCore(sk);
    }

    [Linux("__sk_destruct")]
    private static void SkDestructCore(Sock sk)
    {
        sk.SkDestruct?.Invoke(sk);
        if (sk.SkFilter is { } filter)
        {
            sk.SkFilter = null;
            filter.Uncharge(sk);
        }

        sk.SockDisableTimestamp(SkFlagsTimestamp);
        Bug.On(sk.SkOmemAlloc != 0);
        if (sk.SkNetRefcnt)
            sk.SkNet.Put();
        SkProtFree(sk);
    }

    [Linux("sk_prot_free")]
    private static void SkProtFree(Sock sk)
    {
        Lsm.SecuritySkFree(sk);
        Module.ModulePut(sk.SkProtCreator.Owner);
    }

    // The parts of a sock that Linux does not copy, or sets anew after copying.
    private void ForgetOriginal()
    {
        slock = default;
        owned = false;
        ownerWq = null;
        backlogHead = backlogTail = null;
        backlogLen = 0;
        SkReceiveQueue = default;
        SkWriteQueue = default;
        SkErrorQueue = default;
        SkcNext = SkcPrev = null;
        SkProtCreator = SkProt;
        SkDstCache = null;
        SkRxDst = null;
        SkRmemAlloc = 0;
        SkWmemAlloc = 1;
        SkOmemAlloc = 0;
        SkWmemQueued = 0;
        SkForwardAlloc = 0;
        SkReservedMem = 0;
        SkDrops = 0;
        SkErr = SkErrSoft = 0;
        SkPriority = 0;
        SkIncomingCpu = -1;
        SkUserData = null;
        SkUserlocks &= ~SockUserLocks.BindPort;
        SkcCookie = 0;
        SkAckBacklog = 0;
        SkWritePending = 0;
        SkSocket = null;
        SkWq = null;
        SkPeerCred = null;
        SkPeerPid = 0;
        SkTskey = 0;
        SkZckey = 0;
        SockResetFlag(SockFlags.Done);
        SkcRefcnt = 2;
        SkStamp = SkDefaultStamp;
    }
}
