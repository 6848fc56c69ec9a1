using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>How one datagram is to be sent: the socket's settings and what control messages changed (<c>struct ipcm_cookie</c>).</summary>
[LinuxStruct("ipcm_cookie")]
public struct IpcmCookie
{
    /// <summary>Packet mark (<c>sockc.mark</c>).</summary>
    public uint Mark;

    /// <summary>Queueing priority (<c>sockc.priority</c>).</summary>
    public uint Priority;

    /// <summary>Timestamping flags (<c>sockc.tsflags</c>).</summary>
    public uint Tsflags;

    /// <summary>When the packet is to leave, ns; 0 for at once (<c>sockc.transmit_time</c>).</summary>
    public long TransmitTime;

    /// <summary>Source address; after <c>ip_cmsg_send</c> it may be <c>IP_PKTINFO</c>'s.</summary>
    public uint Addr;

    /// <summary>Index of the device to leave by; 0 for any.</summary>
    public int Oif;

    /// <summary>Options, or null.</summary>
    public IpOptionsRcu? Opt;

    /// <summary>Transport protocol where a control message chose it (<c>IP_PROTOCOL</c>).</summary>
    public byte Protocol;

    /// <summary>TTL; 0 for the socket's.</summary>
    public byte Ttl;

    /// <summary>Type of service; -1 for the socket's.</summary>
    public short Tos;

    /// <summary>Payload of each segment (<c>UDP_SEGMENT</c>); 0 for none.</summary>
    public ushort GsoSize;

    /// <summary>A cookie with nothing chosen (<c>ipcm_init</c>).</summary>
    public static IpcmCookie Init() => new() { Tos = -1 };

    /// <summary>A cookie with the socket's settings (<c>ipcm_init_sk</c>).</summary>
    public static IpcmCookie InitSk(InetSock inet) => new()
    {
        Tos = -1,
        Mark = inet.SkMark,
        Priority = inet.SkPriority,
        Tsflags = inet.SkTsflags,
        Oif = inet.SkcBoundDevIf,
        Addr = inet.InetSaddr,
        Protocol = (byte)inet.SkProtocol,
    };
}

/// <summary>A datagram that is being put together (<c>struct inet_cork</c>).</summary>
[LinuxStruct("inet_cork")]
public struct InetCork
{
    /// <summary>Where the datagram goes; also the flow of a corked socket (<c>cork.fl.u.ip4</c>).</summary>
    public Flowi4 Fl;

    /// <summary>Bytes of data in all fragments.</summary>
    public int Length;

    /// <summary>Bytes of network packet that a fragment may have.</summary>
    public int Fragsize;

    /// <summary>The route; null while nothing is corked.</summary>
    public Rtable? Dst;

    /// <summary>Options, or null.</summary>
    public IpOptionsRcu? Opt;

    /// <summary>Destination that the options are for.</summary>
    public uint Addr;

    /// <summary>TTL; 0 for the socket's.</summary>
    public byte Ttl;

    /// <summary>Type of service; -1 for the socket's.</summary>
    public short Tos;

    /// <summary>Queueing priority.</summary>
    public uint Priority;

    /// <summary>Packet mark.</summary>
    public uint Mark;

    /// <summary>Payload of each segment; 0 for none.</summary>
    public ushort GsoSize;

    /// <summary>Stamps that are asked for, <c>SOF_TIMESTAMPING_*</c>.</summary>
    public uint Tsflags;

    /// <summary>When the datagram is to leave, ns; 0 for at once.</summary>
    public long TransmitTime;
}

/// <summary>Copies a piece of a datagram's data into a packet (the <c>getfrag</c> argument of <c>ip_append_data</c>).</summary>
/// <param name="from">Where the data is: for sockets the <see cref="MsgHdr"/>.</param>
/// <param name="to">Where it goes.</param>
/// <param name="offset">Offset of the piece in the data; pieces are asked for in order.</param>
/// <param name="odd">Where in the packet's summed data the piece lands; its parity matters for <see cref="SkBuff.Csum"/>.</param>
/// <param name="skb">The packet; its <see cref="SkBuff.Csum"/> is updated unless the checksum is left to the device.</param>
/// <returns>0 or -EFAULT.</returns>
public delegate int GetFrag(object from, Span<byte> to, int offset, int odd, SkBuff skb);
