using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What TCP keeps in a packet's control buffer (<c>struct tcp_skb_cb</c>), from the moment it is queued to be sent or has
/// passed <c>tcp_v4_fill_cb</c>. When a packet was sent is in its <c>Tstamp</c>.
/// </summary>
[LinuxStruct("tcp_skb_cb"), StructLayout(LayoutKind.Sequential)]
public struct TcpSkbCb
{
    /// <summary>First sequence number.</summary>
    public uint Seq;

    /// <summary>Sequence number behind the last: payload, and one each for SYN and FIN.</summary>
    public uint EndSeq;

    /// <summary>Sending: segments that the packet stands for. Receiving: segments that were merged into it.</summary>
    public ushort TcpGsoSegs;

    /// <summary>Sending: payload of each of those segments; 0 when the packet is one segment.</summary>
    public ushort TcpGsoSize;

    /// <summary>Flags of the header, <c>TCPHDR_*</c>.</summary>
    public ushort TcpFlags;

    /// <summary>Scoreboard, <c>TCPCB_*</c> bits.</summary>
    public byte Sacked;

    /// <summary>TOS byte of the network header.</summary>
    public byte IpDsfield;

    /// <summary>Acknowledgment number that came with the packet.</summary>
    public uint AckSeq;

    /// <summary>Whether the sender wants to know when this is acknowledged (<c>SOF_TIMESTAMPING_TX_ACK</c>).</summary>
    public bool TxstampAck;

    /// <summary>End of a record: nothing may be merged behind it (<c>MSG_EOR</c>).</summary>
    public bool Eor;

    /// <summary>The packet carries a receive timestamp.</summary>
    public bool HasRxtstamp;

    /// <summary>The flow was limited by the application when this was sent.</summary>
    public bool TxIsAppLimited;

    /// <summary>Start of the sending window that the packet belongs to, µs (delivery rate).</summary>
    public long TxFirstTxMstamp;

    /// <summary>Time of the last delivery before the packet was sent, µs (delivery rate).</summary>
    public long TxDeliveredMstamp;

    /// <summary>Segments delivered when the packet was sent (delivery rate).</summary>
    public uint TxDelivered;

    /// <summary>Initial sequence number that a TIME_WAIT socket chose for its successor; 0 for none.</summary>
    public uint TcpTwIsn;
}

/// <summary>Shorthands for packets of TCP.</summary>
public static class TcpSkbExtensions
{
    extension(Core.SkBuff skb)
    {
        /// <summary>TCP's control buffer (<c>TCP_SKB_CB</c>).</summary>
        public ref TcpSkbCb TcpCb => ref skb.Cb<TcpSkbCb>();

        /// <summary>Segments that the packet stands for (<c>tcp_skb_pcount</c>).</summary>
        public int TcpPcount => skb.Cb<TcpSkbCb>().TcpGsoSegs;

        /// <summary>Payload of each of its segments (<c>tcp_skb_mss</c>).</summary>
        public int TcpMss => skb.Cb<TcpSkbCb>().TcpGsoSize;

        /// <summary>The TCP header, which has to be in the head (<c>tcp_hdr</c>).</summary>
        public Tcphdr Tcphdr => new(skb.TransportHeaderSpan);
    }
}
