namespace Linnet.Packetdrill.Code;

/// <summary>What code can read of the socket under test, taken when its event ran.</summary>
public sealed class CodeSnapshot
{
    private readonly byte[] tcpInfo;
    private readonly uint[] memInfo;

    /// <summary>Keeps copies.</summary>
    /// <param name="tcpInfo">What <c>getsockopt(SOL_TCP, TCP_INFO)</c> returned.</param>
    /// <param name="memInfo">What <c>getsockopt(SOL_SOCKET, SO_MEMINFO)</c> returned: nine numbers.</param>
    public CodeSnapshot(ReadOnlySpan<byte> tcpInfo, ReadOnlySpan<uint> memInfo)
    {
        this.tcpInfo = tcpInfo.ToArray();
        this.memInfo = memInfo.ToArray();
    }

    /// <summary><c>struct tcp_info</c>.</summary>
    public ReadOnlySpan<byte> TcpInfo => tcpInfo;

    /// <summary>The numbers of <c>SO_MEMINFO</c>.</summary>
    public ReadOnlySpan<uint> MemInfo => memInfo;
}
