using System.Diagnostics;
using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A piece of a packet's data that lies outside of its head (<c>skb_frag_t</c>).</summary>
[LinuxStruct("skb_frag")]
public struct SkbFrag
{
    /// <summary>The memory; the packet holds a reference.</summary>
    public Page Page;

    /// <summary>Where the data begins in <see cref="Page"/>.</summary>
    public int Offset;

    /// <summary>Bytes of data.</summary>
    public int Size;

    /// <summary>The data.</summary>
    public readonly Span<byte> Span => Page.Span(Offset, Size);
}

/// <summary>Scratch space of the layer that holds the packet (<c>skb->cb</c>).</summary>
[InlineArray(Size)]
public struct SkbControlBuffer
{
    /// <summary>Bytes of scratch space.</summary>
    public const int Size = 64;

    private byte first;
}

/// <summary>The fragments of one packet.</summary>
[InlineArray(SkBuff.MaxFrags)]
public struct SkbFragArray
{
    private SkbFrag first;
}

/// <summary>
/// A packet (<c>struct sk_buff</c>): a linear head, in which headers are pushed and pulled, and fragments that hold
/// the rest of the data. It has one owner at a time. Clones share head and data; data that is shared is not written.
/// </summary>
/// <remarks>
/// Offsets (<see cref="MacHeader"/>, <see cref="NetworkHeader"/>, <see cref="TransportHeader"/>) count from the beginning
/// of the head, as in Linux. <see cref="Len"/> is all data, <see cref="DataLen"/> what lies in fragments.
/// </remarks>
[LinuxStruct("sk_buff")]
[LinuxFile("net/core/skbuff.c")]
public sealed partial class SkBuff
{
    /// <summary>Most fragments in one packet (<c>MAX_SKB_FRAGS</c>).</summary>
    public const int MaxFrags = 17;

    /// <summary>An offset that was not set.</summary>
    public const int NoHeader = -1;

    // --- list membership: a packet is in one list at a time ---

    /// <summary>The next packet in its list.</summary>
    public SkBuff? Next;

    /// <summary>The packet before it in its list.</summary>
    public SkBuff? Prev;

    // --- who has it ---

    /// <summary>The socket that owns the packet.</summary>
    public Sock? Sk;

    /// <summary>Gives back what the owner accounted for the packet; called when the packet leaves the owner.</summary>
    public Action<SkBuff>? Destructor;

    /// <summary>The device that it came in on or goes out by.</summary>
    public NetDevice? Dev;

    /// <summary>Where it is going, or how it came in.</summary>
    public DstEntry? Dst;

    // --- what it is ---

    /// <summary>When it arrived or was sent, in ns; 0 when not stamped.</summary>
    public long Tstamp;

    /// <summary>Layer-3 protocol, <c>ETH_P_*</c>.</summary>
    public ushort Protocol;

    /// <summary>Protocol of the VLAN tag beside the frame, <c>ETH_P_8021Q</c> or <c>ETH_P_8021AD</c>; 0 for no tag.</summary>
    public ushort VlanProto;

    /// <summary>The tag itself: priority and VLAN number.</summary>
    public ushort VlanTci;

    /// <summary>Whom the link layer addressed, <c>PACKET_*</c>.</summary>
    public byte PktType;

    /// <summary>What is known of the checksum.</summary>
    public ChecksumState IpSummed;

    /// <summary>The sum of the data for <see cref="ChecksumState.Complete"/>.</summary>
    public uint Csum;

    /// <summary>Offset from the head's beginning where summing starts, for <see cref="ChecksumState.Partial"/>.</summary>
    public int CsumStart;

    /// <summary>Offset from <see cref="CsumStart"/> where the sum is stored, for <see cref="ChecksumState.Partial"/>.</summary>
    public int CsumOffset;

    /// <summary>Payload of each segment when the packet stands for several; 0 otherwise.</summary>
    public int GsoSize;

    /// <summary>How many segments the packet stands for.</summary>
    public int GsoSegs;

    /// <summary>What kind of segments they are.</summary>
    public GsoType GsoType;

    /// <summary>Index of the device that the packet came in on; 0 for packets made here.</summary>
    public int SkbIif;

    /// <summary>Packet mark, for routing and policies.</summary>
    public uint Mark;

    /// <summary>Queueing priority.</summary>
    public uint Priority;

    /// <summary>Hash of the flow; 0 when not computed.</summary>
    public uint Hash;

    /// <summary>Set when the packet must not be looked at by its neighbour: link header written already, and so on.</summary>
    public byte Flags;

    /// <summary>Which stamps the sender asked for (<c>tx_flags</c>, <c>SKBTX_*</c>).</summary>
    public byte TxFlags;

    /// <summary>What the sender knows the stamped packet by; of a stream the sequence number of its last byte (<c>tskey</c>).</summary>
    public uint Tskey;

    /// <summary>Its fragments are pieces of a program's memory on Linux, and are not joined with others (<c>skb_zcopy</c>).</summary>
    public bool IsZerocopy;

    /// <summary>Whether a reader has seen the empty datagram with <c>MSG_PEEK</c> already.</summary>
    public bool Peeked;

    /// <summary>The packet may be cut into fragments here although it asks others not to (<c>ignore_df</c>).</summary>
    public bool IgnoreDf;

    /// <summary>Memory that is charged for the packet: Linux's figure for the same data, not the size of our objects.</summary>
    public int Truesize;

    /// <summary>Scratch space of the layer that holds the packet; see <see cref="Cb{T}"/>.</summary>
    public SkbControlBuffer ControlBuffer;

    // --- where its data is ---

    private readonly SkbPool pool;
    private Page? head;
    private int data;
    private int tail;
    private SkbFragArray frags;

    internal SkBuff(SkbPool pool) => this.pool = pool;

    /// <summary>Bytes of data, in the head and in fragments.</summary>
    public int Len { get; private set; }

    /// <summary>Bytes of data in fragments.</summary>
    public int DataLen { get; private set; }

    /// <summary>Bytes of data in the head (<c>skb_headlen</c>).</summary>
    public int HeadLen => Len - DataLen;

    /// <summary>How many fragments there are.</summary>
    public int NrFrags { get; private set; }

    /// <summary>Offset of the link header in the head.</summary>
    public int MacHeader { get; set; }

    /// <summary>Offset of the network header in the head.</summary>
    public int NetworkHeader { get; set; }

    /// <summary>Offset of the transport header in the head.</summary>
    public int TransportHeader { get; set; }

    /// <summary>Offset of the data in the head.</summary>
    public int DataOffset => data;

    /// <summary>Free bytes before the data (<c>skb_headroom</c>).</summary>
    public int Headroom => data;

    /// <summary>Free bytes after the head's data; none when data follows in fragments (<c>skb_tailroom</c>).</summary>
    public int Tailroom => DataLen != 0 || head == null ? 0 : head.Size - tail;

    /// <summary>Whether the head is shared with a clone.</summary>
    public bool IsCloned => head!.IsShared;

    /// <summary>Whether the packet stands for several segments (<c>skb_is_gso</c>).</summary>
    public bool IsGso => GsoSize != 0;

    /// <summary>The pool that the packet came from.</summary>
    internal SkbPool Pool => pool;

    /// <summary>The data that lies in the head.</summary>
    public Span<byte> Data => head!.Span(data, tail - data);

    /// <summary>The link header: from its offset to the end of the head's data.</summary>
    public Span<byte> MacHeaderSpan => FromOffset(MacHeader);

    /// <summary>The network header: from its offset to the end of the head's data.</summary>
    public Span<byte> NetworkHeaderSpan => FromOffset(NetworkHeader);

    /// <summary>The transport header: from its offset to the end of the head's data.</summary>
    public Span<byte> TransportHeaderSpan => FromOffset(TransportHeader);

    /// <summary>The scratch space as <typeparamref name="T"/>, which has to fit in it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref T Cb<T>()
        where T : unmanaged
    {
        Debug.Assert(Unsafe.SizeOf<T>() <= SkbControlBuffer.Size);
        return ref Unsafe.As<SkbControlBuffer, T>(ref ControlBuffer);
    }

    /// <summary>Fragment <paramref name="index"/>, in the order of the data.</summary>
    public ref SkbFrag Frag(int index)
    {
        Debug.Assert((uint)index < (uint)NrFrags);
        return ref frags[index];
    }

    /// <summary>Moves the empty data area up to make headroom (<c>skb_reserve</c>).</summary>
    public void Reserve(int bytes)
    {
        Bug.On(Len != 0 || tail + bytes > head!.Size);
        data += bytes;
        tail += bytes;
    }

    /// <summary>Adds bytes at the end of the head's data (<c>skb_put</c>); their content is undefined.</summary>
    public Span<byte> Put(int bytes)
    {
        Bug.On(bytes > Tailroom);
        tail += bytes;
        Len += bytes;
        return head!.Span(tail - bytes, bytes);
    }

    /// <summary>Adds bytes before the data (<c>skb_push</c>); their content is undefined.</summary>
    public Span<byte> Push(int bytes)
    {
        Bug.On(bytes > data);
        data -= bytes;
        Len += bytes;
        return head!.Span(data, bytes);
    }

    /// <summary>Takes bytes off the beginning of the data; they have to be in the head (<c>__skb_pull</c>).</summary>
    public void Pull(int bytes)
    {
        Bug.On(bytes > HeadLen);
        data += bytes;
        Len -= bytes;
    }

    /// <summary>Sets <see cref="MacHeader"/> to where the data begins now.</summary>
    public void ResetMacHeader() => MacHeader = data;

    /// <summary>Sets <see cref="NetworkHeader"/> to where the data begins now, plus <paramref name="offset"/>.</summary>
    public void ResetNetworkHeader(int offset = 0) => NetworkHeader = data + offset;

    /// <summary>Sets <see cref="TransportHeader"/> to where the data begins now, plus <paramref name="offset"/>.</summary>
    public void ResetTransportHeader(int offset = 0) => TransportHeader = data + offset;

    /// <summary>Appends a fragment; the packet takes over the caller's reference to <paramref name="page"/>.</summary>
    public void AddFrag(Page page, int offset, int size)
    {
        Bug.On(NrFrags == MaxFrags);
        frags[NrFrags++] = new SkbFrag { Page = page, Offset = offset, Size = size };
        Len += size;
        DataLen += size;
    }

    /// <summary>Lengthens the last fragment by bytes that follow it in its page (<c>skb_frag_size_add</c>).</summary>
    public void GrowLastFrag(int bytes)
    {
        frags[NrFrags - 1].Size += bytes;
        Len += bytes;
        DataLen += bytes;
    }

    private Span<byte> FromOffset(int offset)
    {
        Debug.Assert(offset >= 0 && offset <= tail, "header offset is not set");
        return head!.Span(offset, tail - offset);
    }
}

/// <summary>What is known of a packet's checksum (<c>ip_summed</c>).</summary>
public enum ChecksumState : byte
{
    /// <summary>Nothing (<c>CHECKSUM_NONE</c>): receivers verify; senders have filled it in.</summary>
    None,

    /// <summary>Verified, or not needed as the packet never left memory (<c>CHECKSUM_UNNECESSARY</c>).</summary>
    Unnecessary,

    /// <summary>The sum of all data is in <see cref="SkBuff.Csum"/> (<c>CHECKSUM_COMPLETE</c>).</summary>
    Complete,

    /// <summary>Only the pseudo header is summed; the device fills in the rest (<c>CHECKSUM_PARTIAL</c>).</summary>
    Partial,
}

/// <summary>What the segments of a packet are that stands for several (<c>SKB_GSO_*</c>).</summary>
[Flags]
public enum GsoType : byte
{
    /// <summary>Not several segments.</summary>
    None = 0,

    /// <summary>TCP over IPv4.</summary>
    Tcpv4 = 1,

    /// <summary>TCP over IPv6.</summary>
    Tcpv6 = 2,

    /// <summary>UDP datagrams of equal size (<c>UDP_SEGMENT</c>).</summary>
    UdpL4 = 4,

    /// <summary>The first segment carries CWR, later ones do not.</summary>
    TcpEcn = 8,
}
