namespace Linnet.Kernel.Net.Ipv4;

/// <content>What the calls and the IP side of TCP keep.</content>
public sealed partial class TcpSock
{
    /// <summary>Path MTU that an ICMP error announced, in bytes; used by <c>tcp_v4_mtu_reduced</c>.</summary>
    public int MtuInfo;

    /// <summary>Index of the device that <c>SkRxDst</c> is for.</summary>
    public int SkRxDstIfindex;

    /// <inheritdoc/>
    protected override bool FirstTimestampKey(bool afterWritten, out uint key)
    {
        key = afterWritten ? WriteSeq : SndUna;
        return (1 << SkState & (TCPF_CLOSE | TCPF_LISTEN)) == 0;
    }
}
