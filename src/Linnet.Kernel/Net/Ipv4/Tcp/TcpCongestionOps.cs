using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A congestion control (<c>struct tcp_congestion_ops</c>).</summary>
[LinuxStruct("tcp_congestion_ops")]
public abstract partial class TcpCongestionOps
{
    /// <summary>Name, as <c>TCP_CONGESTION</c> shows it.</summary>
    public abstract string Name { get; }
}
