using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>Descriptors of namespaces (<c>fs/nsfs.c</c>): what <c>SIOCGSKNS</c> gives and <c>setns</c> takes.</summary>
[LinuxFile("fs/nsfs.c")]
public static class Nsfs
{
    private const uint NsGetUserns = 0xb701;
    private const uint NsGetParent = 0xb702;
    private const uint NsGetNstype = 0xb703;
    private const uint NsGetOwnerUid = 0xb704;

    /// <summary>Opens a descriptor of a namespace, which keeps it (<c>open_related_ns</c>).</summary>
    /// <returns>The descriptor, -EMFILE or -ENFILE.</returns>
    [Linux("open_related_ns")]
    public static int OpenRelatedNs(NsCommon ns)
    {
        FilesStruct files = TaskStruct.Current.Files;
        int fd = files.GetUnusedFdFlags(O_CLOEXEC);
        if (fd < 0)
            return fd;
        ns.Get();
        int err = FileTable.AllocFilePseudo(ns.Machine, NsFileOperations.Instance, ns, O_RDONLY, out File? file);
        if (err < 0)
        {
            ns.Put();
            files.PutUnusedFd(fd);
            return err;
        }

        files.FdInstall(fd, file!);
        return fd;
    }

    /// <summary>Moves a task into the namespace behind a descriptor (<c>setns</c>).</summary>
    /// <returns>0, -EBADF, -EINVAL for a descriptor of something else or of another type, -EPERM.</returns>
    public static int Setns(TaskStruct task, int fd, int nstype)
    {
        File? file = task.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        int err = file.PrivateData is NsCommon ns ? Nsproxy.Setns(task, ns, nstype) : -EINVAL;
        file.Fput();
        return err;
    }

    private sealed class NsFileOperations : FileOperations
    {
        public static readonly NsFileOperations Instance = new();

        public override bool CanPoll => false;

        [Linux("ns_ioctl")]
        public override int Ioctl(File file, uint cmd, Sockptr arg)
        {
            var ns = (NsCommon)file.PrivateData!;
            switch (cmd)
            {
                case NsGetUserns:
                    return OpenRelatedNs(ns.UserNs);
                case NsGetParent:
                    NsCommon? parent = ns switch
                    {
                        UserNamespace user => user.Parent,
                        PidNamespace pid => pid.Parent,
                        _ => null,
                    };
                    if (ns is not (UserNamespace or PidNamespace))
                        return -EINVAL;
                    return parent == null ? -EPERM : OpenRelatedNs(parent);
                case NsGetNstype:
                    return ns.CloneFlag;
                case NsGetOwnerUid:
                    return ns is UserNamespace owned ? arg.Put(owned.Owner) : -EINVAL;
                default:
                    return -ENOTTY;
            }
        }

        public override void Getattr(File file, ref Stat stat)
        {
            stat.StMode = S_IFREG | S_IRUSR | S_IRGRP | S_IROTH;
            stat.StIno = ((NsCommon)file.PrivateData!).Inum;
        }

        public override void Release(File file) => ((NsCommon)file.PrivateData!).Put();
    }
}
