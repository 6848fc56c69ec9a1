using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>Requests on a socket: the socket layer's own, the protocol's, and those about network devices.</content>
public sealed partial class Socket
{
    /// <summary>Carries out an <c>ioctl</c> on a socket (<c>sock_ioctl</c>).</summary>
    /// <param name="file">The socket's file.</param>
    /// <param name="cmd">The request.</param>
    /// <param name="arg">Its argument.</param>
    /// <returns>0 or more, or a negative errno; -ENOTTY for a request that nobody knows.</returns>
    [Linux("sock_ioctl")]
    internal static int SockIoctl(File file, uint cmd, Sockptr arg)
    {
        var sock = (Socket)file.PrivateData!;
        NetNamespace net = sock.Sk!.SkNet;
        switch (cmd)
        {
            case FIOSETOWN:
            case SIOCSPGRP:
                return arg.Get(out int pid) < 0 ? -EFAULT : FsFcntl.FSetown(file, pid);
            case FIOGETOWN:
            case SIOCGPGRP:
                return arg.Put(FsFcntl.FGetown(file));
            case SIOCGIFBR or SIOCSIFBR or SIOCBRADDBR or SIOCBRDELBR:
                return RequestNetModule(net.Machine, "bridge");
            case SIOCGIFVLAN or SIOCSIFVLAN:
                return RequestNetModule(net.Machine, "8021q");
            case SIOCGSKNS:
                return net.Capable(TaskStruct.Current, CAP_NET_ADMIN) ? Nsfs.OpenRelatedNs(net) : -EPERM;
            case SIOCGSTAMP_OLD or SIOCGSTAMPNS_OLD:
                return sock.Ops!.Gettstamp(sock, arg, cmd == SIOCGSTAMP_OLD, time32: false);
            case SIOCGSTAMP_NEW or SIOCGSTAMPNS_NEW:
                return sock.Ops!.Gettstamp(sock, arg, cmd == SIOCGSTAMP_NEW, time32: false);
            case SIOCGIFCONF:
                return DevIoctl.DevIfconf(net, arg);
            case >= SIOCDEVPRIVATE and <= SIOCDEVPRIVATE + 15:
                return DeviceRequest(net, cmd, arg);
            default:
                return SockDoIoctl(net, sock, cmd, arg);
        }
    }

    [Linux("sock_do_ioctl")]
    private static int SockDoIoctl(NetNamespace net, Socket sock, uint cmd, Sockptr arg)
    {
        int err = sock.Ops!.Ioctl(sock, cmd, arg);
        if (err == -ENOIOCTLCMD)
            // Requests of sockets have the type byte 0x89; others belong to other kinds of files.
            err = (cmd >> 8 & 0xff) == 0x89 ? DeviceRequest(net, cmd, arg) : -ENOTTY;
        if (err == -ENOTTY)
            net.Machine.Unsupported.Add(RequestKind.Ioctl, cmd);
        return err;
    }

    private static int DeviceRequest(NetNamespace net, uint cmd, Sockptr arg)
    {
        if (arg.Get(out Ifreq ifr) < 0)
            return -EFAULT;
        int err = DevIoctl.DevIoctlCore(net, cmd, ref ifr, out bool needCopyout);
        if (err == 0 && needCopyout && arg.Put(ifr) < 0)
            return -EFAULT;
        return err;
    }

    // Bridges and VLANs set their hook when their module is loaded; there is none to load.
    private static int RequestNetModule(Machine machine, string name)
    {
        machine.Modules.RequestModule(name);
        machine.Unsupported.Add(RequestKind.Module, 0, text: name);
        return -ENOPKG;
    }
}
