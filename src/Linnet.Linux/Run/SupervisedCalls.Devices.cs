using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <content>Requests about network devices through sockets that are the host's.</content>
internal sealed unsafe partial class SupervisedCalls
{
    // From SIOCADDRT on they are about a network; those of a protocol's own are about the socket.
    private const int FirstOfNetwork = SIOCADDRT;
    private const int FirstOfProtocol = 0x89E0;
    private const int FirstOfDevice = 0x89F0;

    private static bool IsAboutNetwork(in SeccompCall call) =>
        call.Nr == __NR_ioctl
        && (int)call.Arguments[1] is (>= FirstOfNetwork and < FirstOfProtocol) or >= FirstOfDevice;

    /// <summary>
    /// A socket of another family, as that by which the C library asks for a device's index, is about the network that its program is on.
    /// </summary>
    private long AskThroughHostSocket(in SeccompCall call, HostProcess process, int descriptor)
    {
        int theirs = process.Take(descriptor);
        if (theirs < 0)
            return LeftToHost;
        bool isOther = IsOfOtherFamily(theirs);
        _ = Close(theirs);
        if (!isOther)
            return LeftToHost;

        // As those of the other families, a netlink socket answers nothing of it itself.
        Syscalls owner = supervisor.OwnerOn(process.Host);
        int fd = owner.Socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
        try
        {
            return Invoke(process, __NR_ioctl, (ulong)fd, call.Arguments[1], call.Arguments[2]);
        }
        finally
        {
            owner.Close(fd);
        }
    }

    // IP sockets that are the host's were opened before the program was on its network, and know the host's.
    private static bool IsOfOtherFamily(int socket)
    {
        int family;
        uint length = sizeof(int);
        return Getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 && family is not (AF_INET or AF_INET6);
    }
}
