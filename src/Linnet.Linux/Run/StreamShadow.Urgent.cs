using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Urgent data: a Unix socket has it as TCP does, with its mark, its signal and what poll says of it.</summary>
internal sealed unsafe partial class StreamShadow
{
    private const int Nothing = -1;

    private int urgent = Nothing;

    // Where the stream has come to urgent data, that goes first: the end puts its mark behind what was carried before.
    private bool CarryUrgent()
    {
        if (urgent == Nothing && !TakeUrgent())
            return true;
        byte data = (byte)urgent;
        if (Native.Send(End, &data, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && Marshal.GetLastPInvokeError() == EAGAIN)
            return false;
        urgent = Nothing;
        return true;
    }

    private bool TakeUrgent()
    {
        if (Socket.Sk is not TcpSock tp || (tp.UrgData & TcpDefs.TCP_URG_VALID) == 0 || tp.UrgSeq != tp.CopiedSeq)
            return false;
        Span<byte> data = stackalloc byte[1];
        int flags = tp.SockFlag(SockFlags.Urginline) ? 0 : MSG_OOB;
        if (Owner.Recv(Fd, data, flags | MSG_DONTWAIT) <= 0)
            return false;
        urgent = data[0];
        return true;
    }
}
