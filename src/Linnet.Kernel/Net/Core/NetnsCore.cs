using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Settings of the network core that each namespace has (<c>struct netns_core</c>).</summary>
[LinuxStruct("netns_core")]
public sealed class NetnsCore
{
    /// <summary><c>net.core.somaxconn</c>: largest backlog of a listening socket.</summary>
    public int SysctlSomaxconn = SOMAXCONN;

    /// <summary><c>net.core.optmem_max</c>: most bytes of options and filters of one socket.</summary>
    public int SysctlOptmemMax = 128 * 1024;

    /// <summary><c>net.core.txrehash</c>: whether sockets change their flow hash after timeouts by default.</summary>
    public byte SysctlTxrehash = SOCK_TXREHASH_ENABLED;

    /// <summary>Sockets in use (<c>sockets: used</c> of <c>/proc/net/sockstat</c>); atomic.</summary>
    public int SocketsInuse;
}

/// <summary>Settings of the network core that the whole machine shares (<c>net/core/sock.c</c>, <c>sysctl_net_core.c</c>).</summary>
public sealed class NetCoreSysctl
{
    // What 256 packets of 256 bytes are charged, which is where the default buffer sizes come from.
    private const int SkMemPackets = 256;
    private static readonly int SkMemDefault = SkBuff.TruesizeOf(256) * SkMemPackets;

    /// <summary><c>net.core.wmem_max</c>, in bytes.</summary>
    public int WmemMax = 4 << 20;

    /// <summary><c>net.core.rmem_max</c>, in bytes.</summary>
    public int RmemMax = 4 << 20;

    /// <summary><c>net.core.wmem_default</c>, in bytes.</summary>
    public int WmemDefault = SkMemDefault;

    /// <summary><c>net.core.rmem_default</c>, in bytes.</summary>
    public int RmemDefault = SkMemDefault;

    /// <summary><c>net.core.tstamp_allow_data</c>: whether payload may come back with a transmit timestamp.</summary>
    public bool TstampAllowData = true;
}
