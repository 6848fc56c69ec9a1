using Linnet.Kernel.Arch.X86;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Net;

/// <summary>The socket calls of 32-bit programs: <c>socketcall</c> with four-byte arguments, and narrower structures.</summary>
public class CompatTests : SocketFixture
{
    private const int NrSocketcall = 102;
    private const uint Args = (uint)Buffer;
    private const uint Data = (uint)Buffer + 0x100;
    private const uint Msg = (uint)Buffer + 0x200;
    private const uint Iov = (uint)Buffer + 0x300;
    private const uint Control = (uint)Buffer + 0x400;

    [Fact]
    public void Calls_are_picked_by_number_and_bad_ones_refused()
    {
        Assert.Equal(0, Socketcall(SYS_SOCKET, Toy, SOCK_STREAM, 0));
        Assert.Equal(0, Socketcall(SYS_LISTEN, 0, 3));
        Assert.Equal(3, SockOf(0).Listens);
        Assert.Equal(-EINVAL, Ia32SyscallTable.Invoke(Task, NrSocketcall, 0, Args));
        Assert.Equal(-EINVAL, Ia32SyscallTable.Invoke(Task, NrSocketcall, SYS_SENDMMSG + 1, Args));
        Assert.Equal(-EFAULT, Ia32SyscallTable.Invoke(Task, NrSocketcall, SYS_SOCKET, 8));
        Assert.Equal(0, Ia32SyscallTable.Invoke(Task, 6, 0));
        Assert.Equal(-ENOSYS, Ia32SyscallTable.Invoke(Task, 4711, 0));
        Assert.Equal(1, Machine.Unsupported.CountOf(RequestKind.Syscall, 4711, text: "i386"));
    }

    [Fact]
    public void Messages_have_narrow_heads()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Memory.Put(Data, "hello"u8.ToArray());
        Memory.Put(Iov, (Data, 5));
        Put(Msg, 0, 0, Iov, 1, 0, 0, 0);
        Assert.Equal(5, Socketcall(SYS_SENDMSG, (uint)a, Msg, 0));
        Memory.Put(Data, new byte[8]);
        Memory.Put(Iov, (Data, 3));
        Memory.Put(Iov + 8, (Data + 3, 8));
        Put(Msg, 0, 0, Iov, 2, Control, 64, 77);
        Assert.Equal(5, Socketcall(SYS_RECVMSG, (uint)b, Msg, 0));
        Assert.Equal("hello"u8.ToArray(), Memory.Bytes(Data, 5));
        Assert.Equal(0u, Memory.Get<uint>(Msg + 20));
        Assert.Equal(0u, Memory.Get<uint>(Msg + 24));
        Memory.Put(Iov, (Data, -1));
        Assert.Equal(-EINVAL, Socketcall(SYS_SENDMSG, (uint)a, Msg, 0));
    }

    [Fact]
    public void Several_messages_lie_32_bytes_apart()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Memory.Put(Data, "abcdef"u8.ToArray());
        Memory.Put(Iov, (Data, 2));
        Memory.Put(Iov + 8, (Data + 2, 4));
        Put(Msg, 0, 0, Iov, 1, 0, 0, 0, 0);
        Put(Msg + 32, 0, 0, Iov + 8, 1, 0, 0, 0, 0);
        Assert.Equal(2, Socketcall(SYS_SENDMMSG, (uint)a, Msg, 2, 0));
        Assert.Equal(2u, Memory.Get<uint>(Msg + 28));
        Assert.Equal(4u, Memory.Get<uint>(Msg + 60));
        Assert.Equal("abcdef", Recv(b));
    }

    [Fact]
    public void Control_messages_are_widened_for_the_protocol_and_narrowed_for_the_caller()
    {
        (int a, int b) = NewPair(flags: SOCK_NONBLOCK);
        Memory.Put(Data, "x"u8.ToArray());
        Memory.Put(Iov, (Data, 1));
        Put(Control, 16, SOL_SOCKET, SO_MARK, 5);
        Put(Msg, 0, 0, Iov, 1, Control, 16, 0);
        Family.Ops.OnSend = msg =>
        {
            Assert.Equal(24, msg.MsgControllen);
            Assert.Equal(0, msg.MsgControl.Get(out Cmsghdr header));
            Assert.Equal((20ul, SOL_SOCKET, SO_MARK), (header.CmsgLen, header.CmsgLevel, header.CmsgType));
            Assert.Equal(0, msg.MsgControl.Add(16).Get(out int mark));
            Assert.Equal(5, mark);
        };
        Assert.Equal(1, Socketcall(SYS_SENDMSG, (uint)a, Msg, 0));
        Assert.Equal(0, SockOf(a).SkOmemAlloc);
        Put(Control, 11, 0, 0);
        Assert.Equal(-EINVAL, Socketcall(SYS_SENDMSG, (uint)a, Msg, 0));

        Family.Ops.OnRecv = msg => msg.PutCmsg(
            SOL_SOCKET, SO_TIMESTAMP_OLD, [.. BitConverter.GetBytes(7L), .. BitConverter.GetBytes(9L)]);
        Put(Msg, 0, 0, Iov, 1, Control, 64, 0);
        Assert.Equal(1, Socketcall(SYS_RECVMSG, (uint)b, Msg, 0));
        Assert.Equal(20u, Memory.Get<uint>(Msg + 20));
        Assert.Equal([20, SOL_SOCKET, SO_TIMESTAMP_OLD, 7, 9], Enumerable.Range(0, 5).Select(i => Memory.Get<int>(Control + (ulong)(i * 4))));
    }

    [Fact]
    public void Timeouts_have_32_bits()
    {
        int fd = NewSocket();
        Memory.Put(Data, (3, 500_000));
        Assert.Equal(0, Socketcall(SYS_SETSOCKOPT, (uint)fd, SOL_SOCKET, SO_RCVTIMEO_OLD, Data, 8));
        Assert.Equal(3_500_000_000, SockOf(fd).SkRcvtimeo);
        Assert.Equal(-EINVAL, Socketcall(SYS_SETSOCKOPT, (uint)fd, SOL_SOCKET, SO_RCVTIMEO_OLD, Data, 7));
        Assert.Equal(-EINVAL, Socketcall(SYS_SETSOCKOPT, (uint)fd, SOL_SOCKET, SO_RCVTIMEO_NEW, Data, 8));
        Memory.Put(Iov, 16);
        Assert.Equal(0, Socketcall(SYS_GETSOCKOPT, (uint)fd, SOL_SOCKET, SO_RCVTIMEO_OLD, Data, Iov));
        Assert.Equal(8, Memory.Get<int>(Iov));
        Assert.Equal((3, 500_000), Memory.Get<(int, int)>(Data));
        Assert.False(Task.InCompatSyscall);
    }

    private long Socketcall(int call, params uint[] arguments)
    {
        Put(Args, arguments);
        return Ia32SyscallTable.Invoke(Task, NrSocketcall, (uint)call, Args);
    }

    private void Put(ulong at, params uint[] words)
    {
        for (int i = 0; i < words.Length; i++)
            Memory.Put(at + (ulong)(i * 4), words[i]);
    }
}
