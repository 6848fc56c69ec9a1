using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;
using Socket = Linnet.Kernel.Net.Socket;

namespace Linnet.Kernel.Tests.Net;

/// <summary>The checks of <c>__sys_socket</c> to <c>sock_map_fd</c> in their order, and that a refusal leaves nothing.</summary>
public class SocketCreateTests : SocketFixture
{
    [Fact]
    public void A_socket_has_the_lowest_descriptor_and_the_flags_that_were_asked_for()
    {
        Assert.Equal(0, NewSocket());
        Assert.Equal(1, NewSocket(SOCK_DGRAM, SOCK_NONBLOCK | SOCK_CLOEXEC));
        Assert.Equal(O_RDWR, Call(__NR_fcntl, 0, F_GETFL));
        Assert.Equal(0, Call(__NR_fcntl, 0, F_GETFD));
        Assert.Equal(O_RDWR | O_NONBLOCK, Call(__NR_fcntl, 1, F_GETFL));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, 1, F_GETFD));
        Assert.Equal(SOCK_DGRAM, SocketOf(1).Type);
        Assert.NotEqual(SocketOf(0).Ino, SocketOf(1).Ino);
        Assert.Same(SocketOf(1), SocketOf(1).Sk!.SkSocket);
        Assert.Same(Net, SocketOf(1).Sk!.SkNet);
    }

    [Theory]
    [InlineData(-1, SOCK_STREAM, EAFNOSUPPORT)]
    [InlineData(NPROTO, SOCK_STREAM, EAFNOSUPPORT)]
    [InlineData(NPROTO, SOCK_MAX, EAFNOSUPPORT)]
    [InlineData(Toy, SOCK_MAX, EINVAL)]
    [InlineData(Toy, 15, EINVAL)]
    [InlineData(Toy, SOCK_STREAM | 0x10, EINVAL)]
    [InlineData(-1, SOCK_STREAM | 0x10, EINVAL)]
    [InlineData(Toy, SOCK_STREAM | 0x40000000, EINVAL)]
    [InlineData(AF_ASH, SOCK_STREAM, EAFNOSUPPORT)]
    public void Bad_arguments_are_refused_in_Linux_order(int family, int type, int errno) =>
        Assert.Equal(-errno, Call(__NR_socket, family, type, 0));

    [Fact]
    public void A_family_that_nobody_has_is_counted()
    {
        List<string> requested = [];
        Machine.Modules.RequestFailed = requested.Add;
        Assert.Equal(-EAFNOSUPPORT, Call(__NR_socket, AF_ASH, SOCK_STREAM, 0));
        Assert.Equal([$"net-pf-{AF_ASH}"], requested);
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.Family, AF_ASH));
        Assert.Equal(0, Sockets);
    }

    [Fact]
    public void An_old_packet_socket_becomes_one_of_the_packet_family()
    {
        List<string> requested = [];
        Machine.Modules.RequestFailed = requested.Add;
        Call(__NR_socket, AF_INET, SOCK_PACKET, 0);
        Call(__NR_socket, AF_INET, SOCK_PACKET, 0);
        Assert.All(requested, name => Assert.Equal($"net-pf-{AF_PACKET}", name));
        Assert.Single(Test.Log, line => line.Contains("obsolete (PF_INET,SOCK_PACKET)", StringComparison.Ordinal));
    }

    [Fact]
    public void The_module_is_loaded_on_request_and_held_by_its_sockets()
    {
        Assert.Null(Module);
        int fd = NewSocket();
        Assert.Equal(ModuleState.Live, Module!.State);
        // One reference is the operations', one the protocol's; that of the family was given back after create.
        Assert.Equal(2, Module.RefCount);
        Assert.Equal(-EWOULDBLOCK, Machine.Modules.DeleteModule("toy"));
        Assert.Equal(0, Call(__NR_close, fd));
        Assert.Equal(0, Module.RefCount);
        Assert.Equal(0, Machine.Modules.DeleteModule("toy"));
        Assert.False(Socket.SockIsRegistered(Machine, Toy));
        ToyModule first = Module;
        NewSocket();
        Assert.NotSame(first, Module);
    }

    [Fact]
    public void A_family_whose_module_is_going_makes_no_sockets()
    {
        NewSocket();
        Call(__NR_close, 0);
        Assert.True(Module!.TryStopRef());
        Assert.Equal(-EAFNOSUPPORT, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(0, Sockets);
        Assert.Equal(0, Module.RefCount);
    }

    [Fact]
    public void Operations_in_a_module_that_is_going_undo_the_socket()
    {
        ToyModule other = new(new ToyFamily());
        Assert.True(other.TryStopRef());
        Family.OpsOwner = other;
        Assert.Equal(-EAFNOSUPPORT, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(0, Module!.RefCount);
        Assert.Equal(0, Net.NetnsCore.SocketsInuse);
        Assert.Equal(0, Sockets);
    }

    [Fact]
    public void What_create_refuses_is_undone()
    {
        Family.CreateResult = -EPROTONOSUPPORT;
        Assert.Equal(-EPROTONOSUPPORT, Call(__NR_socket, Toy, SOCK_DGRAM, 9));
        Assert.Equal(0, Sockets);
        Assert.Equal(0, Module!.RefCount);
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.Protocol, Toy, SOCK_DGRAM, 9));
    }

    [Fact]
    public void Security_refuses_before_anything_is_made()
    {
        Lsm.SecurityAddHooks(Machine, new Refuser { Before = -EPERM });
        Assert.Equal(-EPERM, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Null(Module);
        Assert.Equal(-EINVAL, Call(__NR_socket, Toy, SOCK_MAX, 0));
    }

    [Fact]
    public void Security_refuses_what_was_made_and_nothing_is_left()
    {
        Refuser refuser = new() { After = -EACCES };
        Lsm.SecurityAddHooks(Machine, refuser);
        Assert.Equal(-EACCES, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(0, Sockets);
        Assert.Equal(0, Module!.RefCount);
        Assert.Equal(["sk_alloc", "sk_free", "inode_free"], refuser.Seen);
    }

    [Fact]
    public void A_sock_that_a_security_module_refuses_is_told_to_those_that_agreed()
    {
        Refuser first = new();
        Lsm.SecurityAddHooks(Machine, first);
        Lsm.SecurityAddHooks(Machine, new Refuser { AtAlloc = -ENOMEM });
        Assert.Equal(-ENOBUFS, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(["sk_alloc", "sk_free", "inode_free"], first.Seen);
    }

    [Fact]
    public void The_first_refusal_of_stacked_modules_is_the_answer()
    {
        Lsm.SecurityAddHooks(Machine, new Refuser());
        Lsm.SecurityAddHooks(Machine, new Refuser { Before = -EPERM });
        Lsm.SecurityAddHooks(Machine, new Refuser { Before = -EACCES });
        Assert.Equal(-EPERM, Call(__NR_socket, Toy, SOCK_STREAM, 0));
    }

    [Fact]
    public void Without_a_descriptor_the_socket_is_released()
    {
        Assert.Equal(0, Call(__NR_setrlimit, 7, Limit(2)));
        NewSocket();
        NewSocket();
        Assert.Equal(-EMFILE, Call(__NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(2, Sockets);
        Assert.Equal(0, Call(__NR_close, 0));
        Assert.Equal(0, NewSocket());
    }

    [Fact]
    public void Without_a_file_socket_and_descriptor_are_given_back()
    {
        TaskStruct user = NewUser();
        Machine.FilesStat.MaxFiles = 1;
        Assert.Equal(0, CallAs(user, __NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(-ENFILE, CallAs(user, __NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(1, Sockets);
        Assert.Equal([0], user.Files.OpenDescriptors);
        Assert.Equal(0, CallAs(user, __NR_close, 0));
        Assert.Equal(0, CallAs(user, __NR_socket, Toy, SOCK_STREAM, 0));
    }

    [Fact]
    public void The_hook_may_replace_the_protocol()
    {
        Socket.SetUpdateSocketProtocol(Machine, (family, type, protocol) => family == Toy && type == SOCK_STREAM ? 42 : protocol);
        Assert.Equal(42, SocketOf(NewSocket()).Sk!.SkProtocol);
        Assert.Equal(0, SocketOf(NewSocket(SOCK_DGRAM)).Sk!.SkProtocol);
        Socket.SetUpdateSocketProtocol(Machine, null);
        Assert.Equal(0, SocketOf(NewSocket()).Sk!.SkProtocol);
    }

    [Fact]
    public void A_family_is_registered_once_and_within_range()
    {
        ToyFamily other = new();
        using KernelEntry entry = Task.Enter();
        Assert.Equal(0, Machine.Modules.RequestModule("toy"));
        Assert.Equal(-EEXIST, Socket.SockRegister(Machine, other));
        Socket.SockUnregister(Machine, Toy);
        Assert.Equal(0, Socket.SockRegister(Machine, other));
    }

    [Fact]
    public void A_kernel_socket_has_no_descriptor_and_does_not_keep_its_namespace()
    {
        using KernelEntry entry = Machine.Enter();
        int references = Net.Count;
        Assert.Equal(0, Socket.SockCreateKern(Net, Toy, SOCK_STREAM, 0, out Socket? sock));
        Assert.Null(sock!.File);
        Assert.True(sock.Sk!.SkKernSock);
        Assert.Equal(references, Net.Count);
        Assert.Equal(0, Net.NetnsCore.SocketsInuse);
        Socket.SockRelease(sock);
        Assert.Equal(0, Sockets);
    }

    [Fact]
    public void A_socket_keeps_its_namespace()
    {
        TaskStruct task = NewTask();
        Assert.Equal(0, CallAs(task, __NR_unshare, Linnet.Kernel.Uapi.SchedH.CLONE_NEWNET));
        NetNamespace net = task.Nsproxy.NetNs;
        Assert.NotSame(Net, net);
        Assert.Equal(0, CallAs(task, __NR_socket, Toy, SOCK_STREAM, 0));
        Assert.Equal(2, net.Count);
        As(task, () => Nsproxy.SwitchTaskNamespaces(task, Task.Nsproxy.Get()));
        Test.RunReady();
        Assert.Contains(net, NetCore.Of(Machine).Namespaces);
        Assert.Equal(0, CallAs(task, __NR_close, 0));
        Test.RunReady();
        Assert.DoesNotContain(net, NetCore.Of(Machine).Namespaces);
    }

    private long Limit(ulong value)
    {
        Memory.Put(Buffer, new Rlimit { RlimCur = value, RlimMax = value });
        return (long)Buffer;
    }

    private sealed class Refuser : SecurityModule
    {
        public int Before { get; init; }

        public int After { get; init; }

        public int AtAlloc { get; init; }

        public List<string> Seen { get; } = [];

        public override string Name => "refuser";

        public override int SocketCreate(Machine machine, int family, int type, int protocol, bool kern) => Before;

        public override int SocketPostCreate(Socket sock, int family, int type, int protocol, bool kern) => After;

        public override int SkAllocSecurity(Sock sk, int family)
        {
            Seen.Add("sk_alloc");
            return AtAlloc;
        }

        public override void SkFreeSecurity(Sock sk) => Seen.Add("sk_free");

        public override void InodeFreeSecurity(Socket sock) => Seen.Add("inode_free");
    }
}
