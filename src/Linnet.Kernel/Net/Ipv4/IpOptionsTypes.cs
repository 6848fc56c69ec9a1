using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Where the options of an IPv4 header are and what has to be done about them (<c>struct ip_options</c>). Offsets count
/// from the beginning of the IP header; 0 says that there is no such option.
/// </summary>
[LinuxStruct("ip_options")]
[StructLayout(LayoutKind.Sequential)]
public partial struct IpOptions
{
    /// <summary>First hop of a source route; the final destination while the packet is sent.</summary>
    public uint Faddr;

    /// <summary>Next hop of a source route.</summary>
    public uint Nexthop;

    /// <summary>Bytes of options, a multiple of four.</summary>
    public byte Optlen;

    /// <summary>Offset of a source route.</summary>
    public byte Srr;

    /// <summary>Offset of a record route.</summary>
    public byte Rr;

    /// <summary>Offset of a timestamp.</summary>
    public byte Ts;

    /// <summary>Offset of a router alert.</summary>
    public byte RouterAlert;

    /// <summary>Offset of a security label.</summary>
    public byte Cipso;

    /// <summary>The source route is strict.</summary>
    public bool IsStrictroute;

    /// <summary>This host is on the source route, and <see cref="Nexthop"/> comes next.</summary>
    public bool SrrIsHit;

    /// <summary>Options were rewritten, so that the header checksum is wrong.</summary>
    public bool IsChanged;

    /// <summary>The record route has room for this host's address.</summary>
    public bool RrNeedaddr;

    /// <summary>The timestamp has room for this host's time.</summary>
    public bool TsNeedtime;

    /// <summary>The timestamp has room for this host's address.</summary>
    public bool TsNeedaddr;
}

/// <summary>Options with their bytes, as sockets keep them (<c>struct ip_options_rcu</c>); not changed once published.</summary>
[LinuxStruct("ip_options_rcu")]
public sealed class IpOptionsRcu
{
    /// <summary>Where the options are; offsets count from the beginning of the IP header.</summary>
    public IpOptions Opt;

    /// <summary>The options as they stand behind the header: <see cref="IpOptions.Optlen"/> bytes.</summary>
    public byte[] Data = [];
}

/// <summary>What IP knows of a packet while it has it (<c>struct inet_skb_parm</c>, <c>IPCB</c>).</summary>
[LinuxStruct("inet_skb_parm")]
[StructLayout(LayoutKind.Sequential)]
public struct InetSkbParm
{
    /// <summary>The packet is being forwarded.</summary>
    public const ushort IPSKB_FORWARDED = 1 << 0;

    /// <summary>The packet was put together from fragments.</summary>
    public const ushort IPSKB_FRAG_COMPLETE = 1 << 3;

    /// <summary>The packet went through output routing again.</summary>
    public const ushort IPSKB_REROUTED = 1 << 4;

    /// <summary>The sender should be told of a better way.</summary>
    public const ushort IPSKB_DOREDIRECT = 1 << 5;

    /// <summary>One of the fragments had DF set.</summary>
    public const ushort IPSKB_FRAG_PMTU = 1 << 6;

    /// <summary>A copy of a multicast or broadcast packet for this host itself.</summary>
    public const ushort IPSKB_MCLOOP = 1 << 12;

    /// <summary>Index of the device that the packet came in by.</summary>
    public int Iif;

    /// <summary>The header's options.</summary>
    public IpOptions Opt;

    /// <summary><c>IPSKB_*</c></summary>
    public ushort Flags;

    /// <summary>Size of the largest fragment that the packet was put together from; 0 when it came whole.</summary>
    public ushort FragMaxSize;
}
