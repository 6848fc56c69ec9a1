using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>What the user of a netlink socket asked for (<c>NETLINK_F_*</c>).</summary>
[Flags]
public enum NetlinkFlags
{
    /// <summary>Belongs to the kernel.</summary>
    KernelSocket = 1 << 0,

    /// <summary><c>NETLINK_PKTINFO</c></summary>
    RecvPktinfo = 1 << 1,

    /// <summary><c>NETLINK_BROADCAST_ERROR</c></summary>
    BroadcastSendError = 1 << 2,

    /// <summary><c>NETLINK_NO_ENOBUFS</c></summary>
    RecvNoEnobufs = 1 << 3,

    /// <summary><c>NETLINK_CAP_ACK</c></summary>
    CapAck = 1 << 5,

    /// <summary><c>NETLINK_EXT_ACK</c></summary>
    ExtAck = 1 << 6,

    /// <summary><c>NETLINK_GET_STRICT_CHK</c></summary>
    StrictChk = 1 << 7,
}

/// <summary>A netlink socket (<c>struct netlink_sock</c>).</summary>
[LinuxStruct("netlink_sock")]
public sealed class NetlinkSock : Sock
{
    private bool bound;

    /// <summary>The socket's address; 0 for the kernel's and before the first bind (<c>portid</c>).</summary>
    public uint Portid { get; internal set; }

    /// <summary>Whether messages can find it (<c>bound</c>).</summary>
    public bool Bound => Volatile.Read(ref bound);

    /// <summary>Where messages without an address go (<c>dst_portid</c>).</summary>
    public uint DstPortid { get; internal set; }

    /// <summary>The group that they go to; 0 for none (<c>dst_group</c>).</summary>
    public int DstGroup { get; internal set; }

    /// <summary>What its user asked for.</summary>
    public NetlinkFlags Flags { get; private set; }

    /// <summary>Whether a dump is under way (<c>cb_running</c>).</summary>
    public bool CbRunning => Volatile.Read(ref Cb) != null;

    /// <summary>How many groups it listens to (<c>subscriptions</c>).</summary>
    public int Subscriptions
    {
        get
        {
            int count = 0;
            foreach (uint word in Groups)
                count += System.Numerics.BitOperations.PopCount(word);
            return count;
        }
    }

    /// <summary>The protocol's table.</summary>
    internal NetlinkTable Table { get; set; } = null!;

    /// <summary>A bit for each group that it listens to; replaced whole, with the table's lock held.</summary>
    internal uint[] Groups { get; set => Volatile.Write(ref field, value); } = [];

    /// <summary>How many groups there are for it (<c>ngroups</c>).</summary>
    internal int Ngroups { get; set; }

    /// <summary>The largest buffer that its user read into, which says how large the parts of a dump may be.</summary>
    internal int MaxRecvmsgLen { get; set; }

    /// <summary>Messages were lost, so that none is queued until the user has read what is there (<c>NETLINK_S_CONGESTED</c>).</summary>
    internal bool Congested { get; set => Volatile.Write(ref field, value); }

    /// <summary>What the kernel's socket does with a message (<c>netlink_rcv</c>).</summary>
    internal NetlinkInput? NetlinkRcv { get; set; }

    /// <summary>Guards the dump (<c>nl_cb_mutex</c>).</summary>
    internal object CbMutex { get; } = new();

    /// <summary>The dump that is under way, or null (<c>cb</c>).</summary>
    internal NetlinkCallback? Cb;

    /// <summary>Sockets whose senders wait for room in this one's queue; used with the list locked.</summary>
    internal List<NetlinkSock> BlockedSenders { get; } = [];

    /// <summary>Whether the user asked for something.</summary>
    public bool Has(NetlinkFlags flag) => (Flags & flag) != 0;

    /// <summary>Whether it listens to a group, counted from 1.</summary>
    public bool ListensTo(int group)
    {
        uint[] groups = Groups;
        int bit = group - 1;
        return (uint)bit < (uint)Ngroups && (groups[bit / 32] >> (bit % 32) & 1) != 0;
    }

    internal void Set(NetlinkFlags flag, bool on)
    {
        lock (CbMutex)
            Flags = on ? Flags | flag : Flags & ~flag;
    }

    internal void SetBound() => Volatile.Write(ref bound, true);
}

/// <summary>A netlink socket's protocol (<c>netlink_proto</c>).</summary>
[LinuxStruct("netlink_proto")]
internal sealed class NetlinkProto(NetlinkLayer layer) : Proto
{
    /// <inheritdoc/>
    public override string Name => "NETLINK";

    /// <inheritdoc/>
    public override Sock AllocSock() => new NetlinkSock();

    /// <inheritdoc/>
    public override int InuseGet(NetNamespace net) => layer.Tables.Sum(table => table.All.Count(sk => sk.SkcNet == net));

    /// <inheritdoc/>
    public override void Close(Sock sk, long timeout) =>
        throw new BugException("netlink sockets are released, not closed");
}

/// <summary>What a message says of its sender while it is queued (<c>struct netlink_skb_parms</c>).</summary>
[LinuxStruct("netlink_skb_parms")]
internal struct NetlinkSkbParms
{
    public uint Portid;
    public int DstGroup;
    public int Pid;
    public uint Uid;
    public uint Gid;

    /// <summary>The sender gave the address itself (<c>NETLINK_SKB_DST</c>).</summary>
    public bool HasDst;
}
