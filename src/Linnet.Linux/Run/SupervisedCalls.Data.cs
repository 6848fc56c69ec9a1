using System.Runtime.InteropServices;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Calls that move data, which the program's end serves itself: security modules are asked about them here, as Linux asks at each
/// call, and what they allow is left to the host. Those on plain files stop too where they stop at all, as the filter sees no kinds.
/// </summary>
internal sealed unsafe partial class SupervisedCalls
{
    // Calls that stop only where security modules are asked about data, and are always the host's to make.
    private static bool MovesData(int nr) =>
        nr is __NR_read or __NR_write or __NR_readv or __NR_writev or __NR_preadv2 or __NR_pwritev2 or __NR_sendfile or __NR_splice;

    private static bool Sends(in SeccompCall call, int fd) => call.Nr switch
    {
        __NR_splice => fd == (int)call.Arguments[2],
        __NR_write or __NR_writev or __NR_pwritev2 or __NR_sendfile or __NR_sendto or __NR_sendmsg => true,
        _ => false,
    };

    private long OnSplice(in SeccompCall call, HostProcess process)
    {
        long taken = OnDescriptor(call, process, (int)call.Arguments[0]);
        return taken == LeftToHost ? OnDescriptor(call, process, (int)call.Arguments[2]) : taken;
    }

    /// <summary>Asks security modules about data that the program's end takes or gives.</summary>
    /// <returns>What the call is refused with, or that it is the host's to make.</returns>
    private long AskAboutData(in SeccompCall call, HostProcess process, ShadowSocket shadow, int fd)
    {
        if (Lsm.ModulesOf(process.Task.Machine).Count == 0)
            return LeftToHost;
        bool sends = Sends(call, fd);
        long length = LengthOf(call, process);
        long Decide()
        {
            using KernelEntry entry = process.Task.Enter();
            MsgHdr message = new();
            return sends
                ? Lsm.SecuritySocketSendmsg(shadow.Socket, message, length)
                : Lsm.SecuritySocketRecvmsg(shadow.Socket, message, length, 0);
        }

        long decision = observed is { } seen ? seen.Observe(Decide) : Decide();
        return decision < 0 ? decision : LeftToHost;
    }

    // How much is to be moved. What cannot be read the host finds, too.
    private static long LengthOf(in SeccompCall call, HostProcess process)
    {
        switch (call.Nr)
        {
            case __NR_sendfile:
                return (long)call.Arguments[3];
            case __NR_splice:
                return (long)call.Arguments[4];
            case __NR_recvmmsg:
                return 0;
            case __NR_sendmsg or __NR_recvmsg:
                Span<byte> msghdr = stackalloc byte[MsghdrSize];
                return process.Memory.CopyFromUser(msghdr, call.Arguments[1]) == 0
                    ? LengthOf(process, MemoryMarshal.Read<ulong>(msghdr[16..]), MemoryMarshal.Read<ulong>(msghdr[24..]))
                    : 0;
            case __NR_readv or __NR_writev or __NR_preadv2 or __NR_pwritev2:
                return LengthOf(process, call.Arguments[1], call.Arguments[2]);
            default:
                return (long)call.Arguments[2];
        }
    }

    private static long LengthOf(HostProcess process, ulong vector, ulong count)
    {
        if (count > UIO_MAXIOV)
            return 0;
        ulong[] pieces = new ulong[count * 2];
        if (process.Memory.CopyFromUser(MemoryMarshal.AsBytes(pieces.AsSpan()), vector) != 0)
            return 0;
        long sum = 0;
        for (int i = 1; i < pieces.Length; i += 2)
            sum += (long)pieces[i];
        return sum;
    }

    private static long LacksCall(in SeccompCall call, HostProcess process)
    {
        process.ReadProgram();
        process.Task.Machine.Unsupported.Add(process.Task, RequestKind.Syscall, call.Nr);
        return -ENOSYS;
    }
}
