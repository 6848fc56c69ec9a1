namespace Linnet.Linux;

/// <summary>Calls on UDP, ping, raw and packet sockets.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    private long OnDatagram(in SeccompCall call, HostProcess process, DatagramShadow shadow, ProgramEnd end)
    {
        switch (call.Nr)
        {
            case __NR_bind:
                return Bind(call, process, shadow);
            case __NR_setsockopt:
                // What was written before is sent with the options of before.
                shadow.Flush();
                Mirror(call, process, shadow, end.Number);
                return Ask(call, process, shadow);
            case __NR_getsockopt when (int)call.Arguments[1] == SOL_SOCKET && (int)call.Arguments[2] == SO_ERROR:
                return AskWithoutCopy(call, process, shadow, end.Number);
            case __NR_sendto:
            case __NR_sendmsg:
            case __NR_sendmmsg:
                return SendDatagram(call, process, shadow, end);
            case __NR_recvfrom:
            case __NR_recvmsg:
            case __NR_recvmmsg:
                return ReceiveDatagram(call, process, shadow, end);
            case __NR_connect:
                process.ReadProgram();
                shadow.Flush();
                return Ask(call, process, shadow);
            case __NR_shutdown:
                shadow.Flush();
                return Ask(call, process, shadow);
            default:
                return Ask(call, process, shadow);
        }
    }

    private long SendDatagram(in SeccompCall call, HostProcess process, DatagramShadow shadow, ProgramEnd end)
    {
        (int flags, _) = Shape(call, process);
        shadow.Flush();
        if (shadow.IsErrorShown)
            return AskWithoutCopy(call, process, shadow);
        long result = Ask(call, process, shadow);
        return result == -EAGAIN && end.IsBlocking && (flags & MSG_DONTWAIT) == 0
            ? WaitToAsk(call, process, shadow)
            : result;
    }

    private long WaitToAsk(SeccompCall call, HostProcess process, ShadowSocket shadow) =>
        Wait(call, process, shadow, SO_SNDTIMEO, -EAGAIN, () => Ask(call, process, shadow) is var again && again == -EAGAIN ? null : again);

    private long AskWithoutCopy(in SeccompCall call, HostProcess process, DatagramShadow shadow)
    {
        SeccompCall copy = call;
        return WithEnd(shadow, process, (int)call.Arguments[0], theirs => AskWithoutCopy(copy, process, shadow, theirs)) ?? -EAGAIN;
    }

    // A call that takes a datagram or a pending error, of which the program's end tells no more then.
    private long AskWithoutCopy(in SeccompCall call, HostProcess process, DatagramShadow shadow, int theirs)
    {
        shadow.TakeBack(theirs);
        long result = Ask(call, process, shadow);
        shadow.Show();
        return result;
    }

    private long ReceiveDatagram(in SeccompCall call, HostProcess process, DatagramShadow shadow, ProgramEnd end)
    {
        (int flags, _) = Shape(call, process);
        long result = AskWithoutCopy(call, process, shadow, end.Number);
        return result == -EAGAIN && end.IsBlocking && (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) == 0
            ? WaitToReceive(call, process, shadow)
            : result;
    }

    private long WaitToReceive(in SeccompCall call, HostProcess process, DatagramShadow shadow)
    {
        SeccompCall copy = call;
        int fd = (int)call.Arguments[0];
        return Wait(call, process, shadow, SO_RCVTIMEO, -EAGAIN, () => WithEnd(shadow, process, fd, theirs => AskWithoutCopy(copy, process, shadow, theirs)));
    }
}
