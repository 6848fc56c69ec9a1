using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The network side of a socket (<c>struct sock</c>). Fields without a note of their own are protected by the socket lock
/// (<see cref="LockSock"/> in process context, <see cref="BhLockSock"/> for packets and timers).
/// </summary>
[LinuxStruct("sock")]
[LinuxFile("net/core/sock.c")]
public partial class Sock : SockCommon
{
    // --- queues ---

    /// <summary>Received packets; has its own lock for protocols that receive without the socket lock.</summary>
    public SkBuffHead SkReceiveQueue;

    /// <summary>Packets that wait to be sent.</summary>
    public SkBuffHead SkWriteQueue;

    /// <summary>Errors and timestamps for <c>MSG_ERRQUEUE</c>; used under its own lock.</summary>
    public SkBuffHead SkErrorQueue;

    // --- buffers: Linux's accounting, in bytes of truesize ---

    /// <summary>Receive buffer (<c>SO_RCVBUF</c>).</summary>
    public int SkRcvbuf;

    /// <summary>Send buffer (<c>SO_SNDBUF</c>).</summary>
    public int SkSndbuf;

    /// <summary>Truesize of received packets that are not yet read; atomic.</summary>
    public int SkRmemAlloc;

    /// <summary>Truesize of sent packets that devices still hold; atomic.</summary>
    public int SkWmemAlloc;

    /// <summary>Truesize of all that is queued to send, stream sockets.</summary>
    public int SkWmemQueued;

    /// <summary>Memory that is charged to the protocol but not used yet.</summary>
    public int SkForwardAlloc;

    /// <summary>Bytes of options and filters; atomic.</summary>
    public int SkOmemAlloc;

    /// <summary>Packets dropped because of the socket; atomic.</summary>
    public int SkDrops;

    /// <summary><c>SO_RCVLOWAT</c>.</summary>
    public int SkRcvlowat = 1;

    /// <summary>Memory that is charged and never given back (<c>SO_RESERVE_MEM</c>).</summary>
    public int SkReservedMem;

    /// <summary>What all sockets of the protocol have charged; null where the protocol does not count.</summary>
    public ProtoMemory? SkMemory;

    // --- routing ---

    /// <summary>The route that the socket uses.</summary>
    public DstEntry? SkDstCache;

    /// <summary>Route of packets that come in (early demux).</summary>
    public DstEntry? SkRxDst;

    /// <summary><c>SO_MARK</c>.</summary>
    public uint SkMark;

    /// <summary><c>SO_PRIORITY</c>.</summary>
    public uint SkPriority;

    /// <summary>Hash of the flow as this side sends it.</summary>
    public uint SkTxhash;

    /// <summary><c>SO_TXREHASH</c>; <c>SOCK_TXREHASH_DEFAULT</c> for the namespace's.</summary>
    public byte SkTxrehash = SOCK_TXREHASH_DEFAULT;

    /// <summary><c>SO_INCOMING_CPU</c>; -1 for none.</summary>
    public int SkIncomingCpu = -1;

    /// <summary>Largest segmentation packet that may be built; 0 when the device segments nothing.</summary>
    public int SkGsoMaxSize;

    /// <summary>Pacing rate in bytes a second; <see cref="ulong.MaxValue"/> for none.</summary>
    public ulong SkPacingRate = ulong.MaxValue;

    /// <summary>Who keeps to <see cref="SkPacingRate"/>.</summary>
    public SockPacing SkPacingStatus;

    /// <summary>A packet should hold what the pacing rate gives in 2^-this seconds.</summary>
    public byte SkPacingShift = 10;

    /// <summary><c>SO_MAX_PACING_RATE</c> in bytes a second.</summary>
    public ulong SkMaxPacingRate = ulong.MaxValue;

    // --- flags and options ---

    /// <summary><c>SOCK_*</c> flags of <c>enum sock_flags</c>, a bit each.</summary>
    public SockFlags SkFlags;

    /// <summary>Which buffer sizes and binds the user fixed (<c>SOCK_SNDBUF_LOCK</c> and so on).</summary>
    public SockUserLocks SkUserlocks;

    /// <summary>Socket type, <c>SOCK_STREAM</c> and so on.</summary>
    public ushort SkType;

    /// <summary>Protocol number, <c>IPPROTO_*</c>.</summary>
    public ushort SkProtocol;

    /// <summary>Which halves are shut: <c>RCV_SHUTDOWN</c>, <c>SEND_SHUTDOWN</c>.</summary>
    public volatile byte SkShutdown;

    /// <summary>Made by the kernel for itself.</summary>
    public bool SkKernSock;

    /// <summary>Messages come with the credentials of their senders (<c>SO_PASSCRED</c>).</summary>
    public bool SkPassCred;

    /// <summary>UDP sends without checksums (<c>SO_NO_CHECK</c>).</summary>
    public bool SkNoCheckTx;

    /// <summary><c>SO_RCVTIMEO</c> in ns; <see cref="long.MaxValue"/> for ever.</summary>
    public long SkRcvtimeo = long.MaxValue;

    /// <summary><c>SO_SNDTIMEO</c> in ns; <see cref="long.MaxValue"/> for ever.</summary>
    public long SkSndtimeo = long.MaxValue;

    /// <summary>Seconds of <c>SO_LINGER</c> in ns.</summary>
    public long SkLingertime;

    /// <summary><c>SO_PEEK_OFF</c>; -1 for off.</summary>
    public int SkPeekOff = -1;

    /// <summary>Timestamping flags, <c>SOF_TIMESTAMPING_*</c>.</summary>
    public uint SkTsflags;

    /// <summary>Counter of timestamped sends (<c>SOF_TIMESTAMPING_OPT_ID</c>).</summary>
    public int SkTskey;

    /// <summary>Counter of sends with MSG_ZEROCOPY; used with the error queue's lock.</summary>
    public int SkZckey;

    /// <summary><c>SO_BUSY_POLL</c>, in µs; there is no device whose queue a reader could poll.</summary>
    public int SkLlUsec;

    /// <summary><c>SO_BUSY_POLL_BUDGET</c>, in packets.</summary>
    public ushort SkBusyPollBudget;

    /// <summary><c>SO_PREFER_BUSY_POLL</c></summary>
    public bool SkPreferBusyPoll;

    /// <summary>Clock of <c>SO_TXTIME</c>, <c>CLOCK_*</c>.</summary>
    public int SkClockid;

    /// <summary>Flags of <c>SO_TXTIME</c>, <c>SOF_TXTIME_*</c>.</summary>
    public uint SkTxtimeFlags;

    /// <summary>When the last packet that was read arrived; ns since 1970 (<c>SIOCGSTAMP</c>).</summary>
    public long SkStamp;

    // --- errors ---

    /// <summary>Pending error as a positive errno, taken by <see cref="SockError"/>; atomic.</summary>
    public int SkErr;

    /// <summary>An error that is not fatal yet, for protocols that keep trying.</summary>
    public int SkErrSoft;

    // --- listening ---

    /// <summary>Connections that wait to be accepted.</summary>
    public int SkAckBacklog;

    /// <summary>Limit of that, from <c>listen</c>.</summary>
    public int SkMaxAckBacklog;

    // --- identity ---

    /// <summary>User that made the socket.</summary>
    public uint SkUid;

    /// <summary>Whether the sock keeps its network namespace alive; sockets of the kernel do not.</summary>
    public bool SkNetRefcnt;

    /// <summary>The protocol that made the sock, whose module it holds.</summary>
    public Proto SkProtCreator = null!;

    /// <summary>Credentials of the peer when it connected (<c>SO_PEERCRED</c>); families that know their peers set them.</summary>
    public Cred? SkPeerCred;

    /// <summary>Process number of the peer when it connected; 0 for none.</summary>
    public int SkPeerPid;

    /// <summary>Bytes that wait because a writer is in the middle of a message; see <c>tcp_sendmsg</c>.</summary>
    public int SkWritePending;

    /// <summary>The other half of the socket; null for a connection that was not accepted and for one that was closed.</summary>
    public volatile ISocket? SkSocket;

    /// <summary>Data of an in-kernel user.</summary>
    public object? SkUserData;

    /// <summary>State of security modules.</summary>
    public object? SkSecurity;

    /// <summary>Waiters on the socket; shared with <see cref="SkSocket"/>.</summary>
    public volatile SocketWq? SkWq;

    /// <summary>Packet filter (<c>SO_ATTACH_FILTER</c>).</summary>
    public SkFilter? SkFilter;

    /// <summary>The sockets that share address and port with this one (<c>SO_REUSEPORT</c>).</summary>
    public SockReuseport? SkReuseportCb;

    // --- callbacks: replaced by in-kernel users and by accept ---

    /// <summary>The connection's state changed.</summary>
    public Action<Sock> SkStateChange = SockDefWakeup;

    /// <summary>There is something to read.</summary>
    public Action<Sock> SkDataReady = SockDefReadable;

    /// <summary>There is room to write.</summary>
    public Action<Sock> SkWriteSpace = SockDefWriteSpace;

    /// <summary>There is an error.</summary>
    public Action<Sock> SkErrorReport = SockDefErrorReport;

    /// <summary>Called when the last reference is gone.</summary>
    public Action<Sock>? SkDestruct;

    /// <summary>The machine.</summary>
    public Machine Machine => SkcNet.Machine;

    /// <summary>The network namespace (<c>sock_net</c>).</summary>
    public NetNamespace SkNet => SkcNet;

    /// <summary>Operations of the protocol (<c>sk_prot</c>).</summary>
    public Proto SkProt => SkcProt;

    /// <summary>Connection state (<c>sk_state</c>).</summary>
    public int SkState => SkcState;

    /// <summary>Whether a flag is set (<c>sock_flag</c>).</summary>
    public bool SockFlag(SockFlags flag) => (SkFlags & flag) != 0;

    /// <summary>Sets or clears a flag (<c>sock_valbool_flag</c>); atomic, as some are changed without the socket lock.</summary>
    public void SockValboolFlag(SockFlags flag, bool value)
    {
        if (value)
            SockSetFlag(flag);
        else
            SockResetFlag(flag);
    }

    /// <summary>Sets a flag (<c>sock_set_flag</c>); atomic.</summary>
    public void SockSetFlag(SockFlags flag) => Interlocked.Or(ref Unsafe.As<SockFlags, int>(ref SkFlags), (int)flag);

    /// <summary>Clears a flag (<c>sock_reset_flag</c>); atomic.</summary>
    public void SockResetFlag(SockFlags flag) => Interlocked.And(ref Unsafe.As<SockFlags, int>(ref SkFlags), (int)~flag);

    /// <summary>Takes the pending error (<c>sock_error</c>).</summary>
    /// <returns>A negative errno, or 0.</returns>
    public int SockError() => SkErr == 0 ? 0 : -Interlocked.Exchange(ref SkErr, 0);

    /// <summary>Takes a reference (<c>sock_hold</c>).</summary>
    public void SockHold() => Interlocked.Increment(ref SkcRefcnt);

    /// <summary>Gives a reference back; the last one destroys the socket (<c>sock_put</c>).</summary>
    public void SockPut()
    {
        int left = Interlocked.Decrement(ref SkcRefcnt);
        Bug.On(left < 0);
        if (left == 0)
            SkFree(this);
    }
}

/// <summary>What a <see cref="Sock"/> knows of the socket above it; <c>Net.Socket</c> implements it.</summary>
public interface ISocket
{
    /// <summary>Number of the socket's inode in sockfs; unique on the machine.</summary>
    long Ino { get; }

    /// <summary>Type, <c>SOCK_*</c>.</summary>
    int Type { get; }

    /// <summary>User that the inode belongs to.</summary>
    uint Uid { get; }

    /// <summary>The network half.</summary>
    Sock? Sk { get; set; }

    /// <summary>The file, or null for a socket of the kernel.</summary>
    Fs.File? File { get; }

    /// <summary>Who waits on the socket.</summary>
    SocketWq Wq { get; }

    /// <summary>
    /// Says how many bytes lie between the socket and its program, where the program has it by a file of another kernel's:
    /// received ones that it has not read, and written ones that have not come here yet. Null where nothing is between.
    /// </summary>
    Func<(int Unread, int Unsent)>? Between { get; }

    /// <summary>Whether the socket's operations know <c>SO_PEEK_OFF</c>.</summary>
    bool HasPeekOff { get; }

    /// <summary>Sets <c>SO_PEEK_OFF</c> through the socket's operations.</summary>
    int SetPeekOff(int value);

    /// <summary>Sets <c>SO_RCVLOWAT</c> through the socket's operations; socket owned.</summary>
    int SetRcvlowat(int value);

    /// <summary>Writes an address through the socket's operations.</summary>
    int Getname(Span<byte> addr, int peer);
}

/// <summary>Flags of a socket (<c>enum sock_flags</c>).</summary>
[Flags]
public enum SockFlags
{
    /// <summary>The user closed it, or the connection ended.</summary>
    Dead = 1 << 0,

    /// <summary>The connection is finished.</summary>
    Done = 1 << 1,

    /// <summary><c>SO_OOBINLINE</c></summary>
    Urginline = 1 << 2,

    /// <summary><c>SO_KEEPALIVE</c></summary>
    Keepopen = 1 << 3,

    /// <summary><c>SO_LINGER</c></summary>
    Linger = 1 << 4,

    /// <summary>Not in the hash tables, or being destroyed.</summary>
    Destroy = 1 << 5,

    /// <summary><c>SO_BROADCAST</c></summary>
    Broadcast = 1 << 6,

    /// <summary><c>SO_TIMESTAMP</c></summary>
    Rcvtstamp = 1 << 7,

    /// <summary>Nanoseconds rather than microseconds (<c>SO_TIMESTAMPNS</c>).</summary>
    Rcvtstampns = 1 << 8,

    /// <summary><c>SO_DONTROUTE</c></summary>
    Localroute = 1 << 9,

    /// <summary>Send buffer memory is short; the protocol tells when it grows.</summary>
    QueueShrunk = 1 << 10,

    /// <summary>Arriving packets are stamped.</summary>
    Timestamp = 1 << 11,

    /// <summary><c>SO_DEBUG</c></summary>
    Dbg = 1 << 12,

    /// <summary><c>SO_RXQ_OVFL</c></summary>
    RxqOvfl = 1 << 13,

    /// <summary><c>SO_TXTIME</c></summary>
    Txtime = 1 << 14,

    /// <summary><c>SO_LOCK_FILTER</c></summary>
    FilterLocked = 1 << 15,

    /// <summary><c>SO_SELECT_ERR_QUEUE</c></summary>
    SelectErrQueue = 1 << 16,

    /// <summary>Freed only after readers without locks are done.</summary>
    RcuFree = 1 << 17,

    /// <summary><c>SO_WIFI_STATUS</c></summary>
    WifiStatus = 1 << 18,

    /// <summary><c>SO_NOFCS</c></summary>
    Nofcs = 1 << 19,

    /// <summary><c>SO_ZEROCOPY</c></summary>
    Zerocopy = 1 << 20,

    /// <summary><c>SO_RCVMARK</c></summary>
    Rcvmark = 1 << 21,

    /// <summary><c>SO_RCVPRIORITY</c></summary>
    Rcvpriority = 1 << 22,

    /// <summary>The send buffer ran full; the writer waits to be told of space (<c>SOCK_NOSPACE</c>).</summary>
    Nospace = 1 << 23,

    /// <summary>Not bound or connected yet, for families that tell by it.</summary>
    Zapped = 1 << 24,

    /// <summary>Software stamps of received packets (<c>SOF_TIMESTAMPING_RX_SOFTWARE</c>).</summary>
    TimestampingRxSoftware = 1 << 25,

    /// <summary>Stamps with 64-bit seconds also for 32-bit callers (<c>SO_TIMESTAMP_NEW</c>).</summary>
    TstampNew = 1 << 26,

    /// <summary>The write queue, not <c>sk_wmem_alloc</c>, says when there is room: stream sockets.</summary>
    UseWriteQueue = 1 << 27,
}

/// <summary>What the user fixed (<c>sk_userlocks</c>).</summary>
[Flags]
public enum SockUserLocks : byte
{
    /// <summary>The send buffer's size.</summary>
    Sndbuf = 1,

    /// <summary>The receive buffer's size.</summary>
    Rcvbuf = 2,

    /// <summary>The local address.</summary>
    BindAddr = 4,

    /// <summary>The local port.</summary>
    BindPort = 8,

    /// <summary>Nothing: the local port was chosen by connect (<c>SOCK_CONNECT_BIND</c>).</summary>
    ConnectBind = 16,
}

/// <summary>Who spreads the packets of a socket over time (<c>enum sk_pacing</c>).</summary>
public enum SockPacing : byte
{
    /// <summary>Nobody (<c>SK_PACING_NONE</c>).</summary>
    None,

    /// <summary>The protocol has to do it itself (<c>SK_PACING_NEEDED</c>).</summary>
    Needed,

    /// <summary>The queueing discipline fq does it (<c>SK_PACING_FQ</c>).</summary>
    Fq,
}
