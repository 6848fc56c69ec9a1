using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A socket of the internet families (<c>struct inet_sock</c>). Local and foreign addresses that the tables need are in
/// <see cref="SockCommon"/>; here is what sending needs, and the options of the IP level.
/// </summary>
[LinuxStruct("inet_sock")]
public class InetSock : Sock
{
    /// <summary>
    /// Source address of what is sent (<c>inet_saddr</c>); differs from the bound one for multicast binds.
    /// </summary>
    public uint InetSaddr;

    /// <summary>Source port (<c>inet_sport</c>), host order.</summary>
    public ushort InetSport;

    /// <summary><c>IP_TTL</c>; -1 for the route's.</summary>
    public short UcTtl = -1;

    /// <summary><c>IP_TOS</c></summary>
    public byte Tos;

    /// <summary><c>IP_MINTTL</c></summary>
    public byte MinTtl;

    /// <summary><c>IP_MULTICAST_TTL</c></summary>
    public byte McTtl = 1;

    /// <summary><c>IP_MTU_DISCOVER</c>, <c>IP_PMTUDISC_*</c></summary>
    public byte Pmtudisc;

    /// <summary><c>IP_*</c> switches.</summary>
    public InetFlags InetFlags;

    /// <summary><c>IP_UNICAST_IF</c></summary>
    public int UcIndex;

    /// <summary>Device of <c>IP_MULTICAST_IF</c>.</summary>
    public int McIndex;

    /// <summary>Source address of <c>IP_MULTICAST_IF</c>.</summary>
    public uint McAddr;

    /// <summary>Counter of the identification field.</summary>
    public int InetId;

    /// <summary>Options that are sent in every packet (<c>IP_OPTIONS</c>); replaced whole.</summary>
    public volatile IpOptionsRcu? InetOpt;

    /// <summary>Type of service of the last packet that came in, for connection-oriented protocols.</summary>
    public byte RcvTos;

    /// <summary>
    /// Multicast groups that the socket joined; replaced whole, so that packets are matched without a lock.
    /// </summary>
    public volatile IpMcSocklist[] McList = [];

    /// <summary>What <c>ip_append_data</c> keeps while a datagram is being put together.</summary>
    public InetCork Cork;

    /// <summary>
    /// Largest local port of <c>IP_LOCAL_PORT_RANGE</c> in the upper half, lowest in the lower; 0 for the namespace's.
    /// </summary>
    public uint LocalPortRange;

    /// <summary>Whether a switch is on.</summary>
    public bool Test(InetFlags flag) => (InetFlags & flag) != 0;

    /// <summary>Turns a switch on or off.</summary>
    public void Assign(InetFlags flag, bool value) => InetFlags = value ? InetFlags | flag : InetFlags & ~flag;
}

/// <summary>Switches of an internet socket (<c>inet_flags</c>).</summary>
[Flags]
public enum InetFlags
{
    /// <summary><c>IP_PKTINFO</c></summary>
    Pktinfo = 1 << 0,

    /// <summary><c>IP_RECVTTL</c></summary>
    Recvttl = 1 << 1,

    /// <summary><c>IP_RECVTOS</c></summary>
    Recvtos = 1 << 2,

    /// <summary><c>IP_RECVOPTS</c></summary>
    Recvopts = 1 << 3,

    /// <summary><c>IP_RETOPTS</c></summary>
    Retopts = 1 << 4,

    /// <summary><c>IP_PASSSEC</c></summary>
    Passsec = 1 << 5,

    /// <summary><c>IP_RECVORIGDSTADDR</c></summary>
    Origdstaddr = 1 << 6,

    /// <summary><c>IP_CHECKSUM</c></summary>
    Checksum = 1 << 7,

    /// <summary><c>IP_RECVFRAGSIZE</c></summary>
    Recvfragsize = 1 << 8,

    /// <summary><c>IP_RECVERR</c></summary>
    Recverr = 1 << 9,

    /// <summary><c>IP_RECVERR_RFC4884</c></summary>
    RecverrRfc4884 = 1 << 10,

    /// <summary><c>IP_FREEBIND</c></summary>
    Freebind = 1 << 11,

    /// <summary><c>IP_HDRINCL</c></summary>
    Hdrincl = 1 << 12,

    /// <summary><c>IP_MULTICAST_LOOP</c></summary>
    McLoop = 1 << 13,

    /// <summary><c>IP_MULTICAST_ALL</c></summary>
    McAll = 1 << 14,

    /// <summary><c>IP_TRANSPARENT</c></summary>
    Transparent = 1 << 15,

    /// <summary><c>IP_NODEFRAG</c></summary>
    Nodefrag = 1 << 16,

    /// <summary><c>IP_BIND_ADDRESS_NO_PORT</c></summary>
    BindAddressNoPort = 1 << 17,

    /// <summary>A connect was deferred to the first write (<c>TCP_FASTOPEN_CONNECT</c>).</summary>
    DeferConnect = 1 << 18,

    /// <summary>The protocol is connection-oriented with listen queues (<c>IS_ICSK</c>).</summary>
    IsIcsk = 1 << 19,

    /// <summary><c>IP_ROUTER_ALERT</c></summary>
    Rtalert = 1 << 20,
}
