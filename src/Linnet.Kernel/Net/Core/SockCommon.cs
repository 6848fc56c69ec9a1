using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The least that a member of the socket tables has (<c>struct sock_common</c>): full sockets, request sockets and
/// TIME_WAIT sockets. Addresses and ports are in host order; IPv4 addresses live in <see cref="SkcDaddr"/> and
/// <see cref="SkcRcvSaddr"/>, IPv6 ones in the <c>V6</c> fields.
/// </summary>
[LinuxStruct("sock_common")]
public abstract class SockCommon
{
    /// <summary>Foreign IPv4 address.</summary>
    public uint SkcDaddr;

    /// <summary>Bound local IPv4 address; 0 for any.</summary>
    public uint SkcRcvSaddr;

    /// <summary>Foreign port (<c>skc_dport</c>).</summary>
    public ushort SkcDport;

    /// <summary>Local port (<c>skc_num</c>).</summary>
    public ushort SkcNum;

    /// <summary>Address family.</summary>
    public ushort SkcFamily;

    /// <summary>Connection state, <c>TCP_*</c>; other protocols use <c>TCP_ESTABLISHED</c> and <c>TCP_CLOSE</c>.</summary>
    public volatile byte SkcState;

    /// <summary><c>SO_REUSEADDR</c>.</summary>
    public bool SkcReuse;

    /// <summary><c>SO_REUSEPORT</c>.</summary>
    public bool SkcReuseport;

    /// <summary><c>IPV6_V6ONLY</c>.</summary>
    public bool SkcIpv6only;

    /// <summary>Whether it is in the table that <see cref="SkcNext"/> links (<c>sk_hashed</c>).</summary>
    public volatile bool SkcHashed;

    /// <summary>Index of the device that the socket is bound to; 0 for any.</summary>
    public int SkcBoundDevIf;

    /// <summary>Hash of addresses and ports, for the established table.</summary>
    public uint SkcHash;

    /// <summary>Next in the chain of the hash table that the socket is in.</summary>
    public SockCommon? SkcNext;

    /// <summary>Previous in that chain; null for the first.</summary>
    public SockCommon? SkcPrev;

    /// <summary>Next among those bound to the same local address and port.</summary>
    public SockCommon? SkcBindNext;

    /// <summary>Previous among those; null for the first.</summary>
    public SockCommon? SkcBindPrev;

    /// <summary>Foreign IPv6 address; the IPv4-mapped form for IPv4 peers of IPv6 sockets.</summary>
    public UInt128 SkcV6Daddr;

    /// <summary>Bound local IPv6 address.</summary>
    public UInt128 SkcV6RcvSaddr;

    /// <summary>Operations of the protocol.</summary>
    public Proto SkcProt = null!;

    /// <summary>The network namespace.</summary>
    public NetNamespace SkcNet = null!;

    /// <summary>Unique number of the socket (<c>SO_COOKIE</c>); 0 until asked for.</summary>
    public long SkcCookie;

    /// <summary>References: tables, timers and running handlers hold one each.</summary>
    public int SkcRefcnt = 1;

    /// <summary>The socket's unique number, given when it is first asked for (<c>sock_gen_cookie</c>).</summary>
    public long SockGenCookie()
    {
        long cookie = Interlocked.Read(ref SkcCookie);
        if (cookie != 0)
            return cookie;
        Interlocked.CompareExchange(ref SkcCookie, SkcNet.Core.NextSockCookie(), 0);
        return SkcCookie;
    }

    /// <summary>The socket's state as text, for diagnostics.</summary>
    public override string ToString() =>
        $"{SkcProt?.Name} {Text(SkcRcvSaddr)}:{SkcNum} {Text(SkcDaddr)}:{SkcDport}";

    private static string Text(uint address) =>
        $"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}";
}
