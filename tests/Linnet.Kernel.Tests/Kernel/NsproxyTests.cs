using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SchedH;

namespace Linnet.Kernel.Tests.Kernel;

/// <summary>Namespaces of tasks: eight members, cloned, unshared, joined, with Linux's checks, and freed with their last user.</summary>
public class NsproxyTests : SocketFixture
{
    [Fact]
    public void A_child_shares_all_namespaces_unless_it_asks_for_new_ones()
    {
        Assert.Equal(0, Clone(Task, 0, out TaskStruct? child));
        Assert.Same(Task.Nsproxy, child!.Nsproxy);
        Exit(child);
        Assert.Equal(0, Clone(Task, CLONE_NEWNET | CLONE_NEWUTS, out child));
        Assert.NotSame(Task.Nsproxy.NetNs, child!.Nsproxy.NetNs);
        Assert.NotSame(Task.Nsproxy.UtsNs, child.Nsproxy.UtsNs);
        Assert.Equal(Task.Nsproxy.UtsNs.NodeName, child.Nsproxy.UtsNs.NodeName);
        Assert.Same(Task.Nsproxy.IpcNs, child.Nsproxy.IpcNs);
        Assert.Same(Task.Nsproxy.TimeNs, child.Nsproxy.TimeNs);
        Exit(child);
    }

    [Theory]
    [InlineData(CLONE_NEWUTS)]
    [InlineData(CLONE_NEWIPC)]
    [InlineData(CLONE_NEWNS)]
    [InlineData(CLONE_NEWPID)]
    [InlineData(CLONE_NEWNET)]
    [InlineData(CLONE_NEWCGROUP)]
    [InlineData(CLONE_NEWTIME)]
    public void Each_kind_can_be_unshared_alone(int flag)
    {
        TaskStruct task = NewTask();
        NsCommon[] before = All(task.Nsproxy);
        Assert.Equal(0, CallAs(task, __NR_unshare, flag));
        NsCommon[] after = All(task.Nsproxy);
        // The clocks of the task itself stay, those of its children change.
        NsCommon changed = Assert.Single(after.Where((ns, i) => ns != before[i]));
        Assert.Equal(flag, changed.CloneFlag);
        Assert.Equal(1, changed.Count);
        Assert.NotEqual(before[0].Inum, changed.Inum);
    }

    [Fact]
    public void Namespaces_need_a_privilege_or_a_user_namespace()
    {
        TaskStruct user = NewUser();
        Assert.Equal(-EPERM, CallAs(user, __NR_unshare, CLONE_NEWNET));
        Assert.Equal(-EPERM, Clone(user, CLONE_NEWNET, out _));
        Assert.Equal(-EINVAL, CallAs(user, __NR_unshare, CLONE_PTRACE));
        Assert.Equal(0, CallAs(user, __NR_unshare, CLONE_NEWUSER | CLONE_NEWNET));
        NetNamespace net = user.Nsproxy.NetNs;
        Assert.Same(user.Cred.UserNs, net.UserNs);
        Assert.True(net.Capable(user, CAP_NET_ADMIN));
        Assert.False(user.Capable(CAP_NET_ADMIN));
        Assert.False(Net.Capable(user, CAP_NET_ADMIN));
        Assert.True(net.Capable(Task, CAP_NET_ADMIN));
    }

    [Fact]
    public void A_namespace_is_joined_through_a_descriptor()
    {
        TaskStruct other = NewTask();
        Assert.Equal(0, CallAs(other, __NR_unshare, CLONE_NEWNET));
        Assert.Equal(0, CallAs(other, __NR_socket, Toy, SOCK_STREAM, 0));
        long ns = CallAs(other, __NR_ioctl, 0, SocketIoctlH.SIOCGSKNS);
        Assert.Equal(1, ns);
        Assert.Equal(CLONE_NEWNET, CallAs(other, __NR_ioctl, ns, 0xb703));
        FilesStruct.CopyFiles(other, Task, share: false);
        NetNamespace home = Net;
        Assert.Equal(-EINVAL, Call(__NR_setns, ns, CLONE_NEWUTS));
        Assert.Equal(-EINVAL, Call(__NR_setns, 0, 0));
        Assert.Equal(-EBADF, Call(__NR_setns, 99, 0));
        Assert.Equal(0, Call(__NR_setns, ns, CLONE_NEWNET));
        Assert.Same(other.Nsproxy.NetNs, Task.Nsproxy.NetNs);
        Assert.Same(other.Nsproxy.UtsNs, Task.Nsproxy.UtsNs);
        As(Task, () => Assert.Equal(0, Nsproxy.Setns(Task, home, 0)));
        TaskStruct user = NewUser();
        FilesStruct.CopyFiles(other, user, share: false);
        Assert.Equal(-EPERM, CallAs(user, __NR_setns, ns, 0));
        Assert.Equal(-EPERM, CallAs(user, __NR_ioctl, 0, SocketIoctlH.SIOCGSKNS));
    }

    [Fact]
    public void A_namespace_ends_with_the_last_task_and_socket()
    {
        NetCore core = NetCore.Of(Machine);
        Assert.Equal(0, Clone(Task, CLONE_NEWNET, out TaskStruct? child));
        NetNamespace net = child!.Nsproxy.NetNs;
        Assert.Contains(net, core.Namespaces);
        Exit(child);
        Test.RunReady();
        Assert.DoesNotContain(net, core.Namespaces);
    }

    [Fact]
    public void Descriptors_are_shared_or_copied()
    {
        int fd = NewSocket();
        Assert.Equal(0, Clone(Task, 0, out TaskStruct? copy));
        Assert.Equal(0, Clone(Task, CLONE_FILES, out TaskStruct? thread));
        Assert.Equal(0, CallAs(thread!, __NR_close, fd));
        Assert.Equal(-EBADF, Call(__NR_listen, fd, 1));
        Assert.Equal(0, CallAs(copy!, __NR_listen, fd, 1));
        Assert.Equal(1, Sockets);
        Exit(copy!);
        Exit(thread!);
        Assert.Equal(0, Sockets);
    }

    private static NsCommon[] All(Nsproxy proxy) =>
    [
        proxy.UtsNs, proxy.IpcNs, proxy.MntNs, proxy.PidNsForChildren, proxy.NetNsCommon, proxy.TimeNs,
        proxy.TimeNsForChildren, proxy.CgroupNs,
    ];

    private static int Clone(TaskStruct parent, ulong flags, out TaskStruct? child)
    {
        using KernelEntry entry = parent.Enter();
        return Fork.CopyProcess(parent, flags, out child);
    }

    private static void Exit(TaskStruct task) => As(task, () => Fork.DoExit(task));
}
