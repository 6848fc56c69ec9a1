using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Net;

/// <summary>Options of level SOL_SOCKET that belong to every family: lengths, ranges, defaults, privileges.</summary>
public class SockOptionTests : SocketFixture
{
    [Theory]
    [InlineData(SO_DEBUG)]
    [InlineData(SO_REUSEADDR)]
    [InlineData(SO_DONTROUTE)]
    [InlineData(SO_BROADCAST)]
    [InlineData(SO_KEEPALIVE)]
    [InlineData(SO_OOBINLINE)]
    [InlineData(SO_NO_CHECK)]
    [InlineData(SO_RXQ_OVFL)]
    [InlineData(SO_RCVMARK)]
    [InlineData(SO_RCVPRIORITY)]
    [InlineData(SO_SELECT_ERR_QUEUE)]
    [InlineData(SO_TIMESTAMP_OLD)]
    [InlineData(SO_TIMESTAMPNS_NEW)]
    public void Switches(int option)
    {
        int fd = NewSocket();
        Assert.Equal(0, Get(fd, option));
        Assert.Equal(0, Set(fd, option, -7));
        Assert.Equal(1, Get(fd, option));
        Assert.Equal(0, Set(fd, option, 0));
        Assert.Equal(0, Get(fd, option));
    }

    [Theory]
    [InlineData(SO_TYPE)]
    [InlineData(SO_PROTOCOL)]
    [InlineData(SO_DOMAIN)]
    [InlineData(SO_ERROR)]
    [InlineData(SO_ACCEPTCONN)]
    [InlineData(SO_SNDLOWAT)]
    [InlineData(SO_PEERCRED)]
    [InlineData(SO_MEMINFO)]
    [InlineData(SO_COOKIE)]
    [InlineData(SO_BPF_EXTENSIONS)]
    public void What_can_only_be_read(int option)
    {
        int fd = NewSocket();
        Assert.Equal(-ENOPROTOOPT, Set(fd, option, 1));
        Assert.True(GetBytes(fd, option, 16) is { Error: 0 });
    }

    [Fact]
    public void Values_are_cut_to_the_room_and_lengths_checked()
    {
        int fd = NewSocket(SOCK_DGRAM);
        Assert.Equal([2], GetBytes(fd, SO_TYPE, 1).Value);
        Assert.Equal(0, GetBytes(fd, SO_TYPE, 0).Error);
        Assert.Empty(GetBytes(fd, SO_TYPE, 0).Value);
        Assert.Equal([2, 0, 0, 0], GetBytes(fd, SO_TYPE, 99).Value);
        Assert.Equal(-EINVAL, GetBytes(fd, SO_TYPE, -1).Error);
        Assert.Equal(-EFAULT, Call(__NR_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)Buffer, (long)BadAddress));
        Memory.Put(Buffer2, 4);
        Assert.Equal(-EFAULT, Call(__NR_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)BadAddress, (long)Buffer2));
        Assert.Equal(-EINVAL, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, (long)Buffer, 3));
        Assert.Equal(-EINVAL, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, (long)Buffer, -1));
        Assert.Equal(-EFAULT, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, (long)BadAddress, 4));
        Assert.Equal(-ENOPROTOOPT, Set(fd, 0, 1));
        Assert.Equal(-ENOPROTOOPT, GetBytes(fd, SO_SNDBUFFORCE, 4).Error);
    }

    [Fact]
    public void Buffers_are_doubled_within_their_limits()
    {
        int fd = NewSocket();
        Assert.Equal(212992, Get(fd, SO_SNDBUF));
        Assert.Equal(212992, Get(fd, SO_RCVBUF));
        Assert.Equal(0, Set(fd, SO_SNDBUF, 5000));
        Assert.Equal(10000, Get(fd, SO_SNDBUF));
        Assert.Equal(0, Set(fd, SO_SNDBUF, 0));
        Assert.Equal(4608, Get(fd, SO_SNDBUF));
        Assert.Equal(0, Set(fd, SO_RCVBUF, 1));
        Assert.Equal(2304, Get(fd, SO_RCVBUF));
        Assert.Equal(0, Set(fd, SO_RCVBUF, -1));
        Assert.Equal(2 * (4 << 20), Get(fd, SO_RCVBUF));
        Assert.Equal(3, Get(fd, SO_BUF_LOCK));
        Assert.Equal(0, Set(fd, SO_BUF_LOCK, 0));
        Assert.Equal(-EINVAL, Set(fd, SO_BUF_LOCK, 4));
        Assert.Equal(0, Get(fd, SO_BUF_LOCK));
    }

    [Fact]
    public void Some_options_need_privileges()
    {
        TaskStruct user = NewUser();
        int fd = (int)CallAs(user, __NR_socket, Toy, SOCK_STREAM, 0);
        Assert.Equal(-EPERM, SetAs(user, fd, SO_SNDBUFFORCE, 1 << 24));
        Assert.Equal(-EPERM, SetAs(user, fd, SO_RCVBUFFORCE, 1 << 24));
        Assert.Equal(-EACCES, SetAs(user, fd, SO_DEBUG, 1));
        Assert.Equal(0, SetAs(user, fd, SO_DEBUG, 0));
        Assert.Equal(-EPERM, SetAs(user, fd, SO_MARK, 1));
        Assert.Equal(-EPERM, SetAs(user, fd, SO_PRIORITY, 7));
        Assert.Equal(0, SetAs(user, fd, SO_PRIORITY, 6));
        Assert.Equal(0, SetAs(user, fd, SO_BINDTOIFINDEX, 1));
        Assert.Equal(-EPERM, SetAs(user, fd, SO_BINDTOIFINDEX, 0));
        CallAs(user, __NR_close, fd);
        fd = NewSocket();
        Assert.Equal(0, Set(fd, SO_SNDBUFFORCE, 1 << 24));
        Assert.Equal(1 << 25, Get(fd, SO_SNDBUF));
        Assert.Equal(0, Set(fd, SO_RCVBUFFORCE, -1));
        Assert.Equal(2304, Get(fd, SO_RCVBUF));
    }

    [Fact]
    public void Devices_are_named_or_numbered()
    {
        int fd = NewSocket();
        Memory.Put(Buffer, "lo\0"u8.ToArray());
        Assert.Equal(-ENODEV, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, (long)Buffer, 1));
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, (long)Buffer, 2));
        Assert.Equal(1, Get(fd, SO_BINDTOIFINDEX));
        Assert.Equal("lo\0"u8.ToArray(), GetBytes(fd, SO_BINDTODEVICE, 16).Value);
        Assert.Equal(-EINVAL, GetBytes(fd, SO_BINDTODEVICE, 15).Error);
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_BINDTODEVICE, 0, 0));
        Assert.Empty(GetBytes(fd, SO_BINDTODEVICE, 16).Value);
        Assert.Equal(-EINVAL, Set(fd, SO_BINDTOIFINDEX, -1));
        Assert.Equal(0, Set(fd, SO_BINDTOIFINDEX, 77));
        Assert.Equal(-ENODEV, GetBytes(fd, SO_BINDTODEVICE, 16).Error);
    }

    [Fact]
    public void Timeouts_are_whole_ticks()
    {
        int fd = NewSocket();
        Assert.Equal(0, SetTime(fd, 1, 500_001));
        Assert.Equal((1L, 501_000L), GetTime(fd));
        Assert.Equal(-EDOM, SetTime(fd, 1, 1_000_000));
        Assert.Equal(-EDOM, SetTime(fd, 1, -1));
        Assert.Equal((1L, 501_000L), GetTime(fd));
        Assert.Equal(0, SetTime(fd, 0, 0));
        Assert.Equal(long.MaxValue, SockOf(fd).SkRcvtimeo);
        Assert.Equal(0, SetTime(fd, -5, 5));
        Assert.Equal(0, SockOf(fd).SkRcvtimeo);
        Assert.Equal(0, SetTime(fd, long.MaxValue, 5));
        Assert.Equal(long.MaxValue, SockOf(fd).SkRcvtimeo);
        Assert.Equal(-EINVAL, Set(fd, SO_RCVTIMEO, 1));
    }

    [Fact]
    public void Linger_takes_seconds()
    {
        int fd = NewSocket();
        Assert.Equal(-EINVAL, Set(fd, SO_LINGER, 1));
        Memory.Put(Buffer, new Linger { LOnoff = 5, LLinger = 12 });
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_LINGER, (long)Buffer, 8));
        Assert.Equal([1, 0, 0, 0, 12, 0, 0, 0], GetBytes(fd, SO_LINGER, 8).Value);
        Memory.Put(Buffer, new Linger { LOnoff = 0, LLinger = 99 });
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, SO_LINGER, (long)Buffer, 8));
        Assert.Equal([0, 0, 0, 0, 12, 0, 0, 0], GetBytes(fd, SO_LINGER, 8).Value);
    }

    [Fact]
    public void An_error_is_taken_when_it_is_read()
    {
        int fd = NewSocket();
        SockOf(fd).SkErr = ECONNRESET;
        SockOf(fd).SkErrSoft = EHOSTUNREACH;
        Assert.Equal(ECONNRESET, Get(fd, SO_ERROR));
        Assert.Equal(EHOSTUNREACH, Get(fd, SO_ERROR));
        Assert.Equal(0, Get(fd, SO_ERROR));
    }

    [Fact]
    public void Hints_for_devices_are_kept_and_their_privileges_checked()
    {
        int fd = NewSocket();
        Assert.Equal(0, Set(fd, SO_BUSY_POLL, 50));
        Assert.Equal(50, Get(fd, SO_BUSY_POLL));
        Assert.Equal(-EINVAL, Set(fd, SO_BUSY_POLL, -1));
        Assert.Equal(-EINVAL, Set(fd, SO_BUSY_POLL_BUDGET, 70_000));
        Assert.Equal(0, Set(fd, SO_BUSY_POLL_BUDGET, 64));
        Assert.Equal(-ENOPROTOOPT, GetBytes(fd, SO_BUSY_POLL_BUDGET, 4).Error);
        TaskStruct user = NewUser();
        int theirs = (int)CallAs(user, __NR_socket, Toy, SOCK_STREAM, 0);
        Assert.Equal(-EPERM, SetAs(user, theirs, SO_PREFER_BUSY_POLL, 1));
        Assert.Equal(-EPERM, SetAs(user, theirs, SO_BUSY_POLL_BUDGET, 8));
        Assert.Equal(-EPERM, Txtime(user, theirs, TimeH.CLOCK_TAI, 0, 8));
        Assert.Equal(0, Txtime(user, theirs, TimeH.CLOCK_MONOTONIC, 3, 8));
        Assert.Equal(-EINVAL, Txtime(user, theirs, TimeH.CLOCK_MONOTONIC, 4, 8));
        Assert.Equal(-EINVAL, Txtime(user, theirs, TimeH.CLOCK_MONOTONIC, 0, 4));

        long Txtime(TaskStruct task, int socket, int clock, int flags, int length)
        {
            Memory.Put(Buffer, (clock, flags));
            return CallAs(task, __NR_setsockopt, socket, SOL_SOCKET, SO_TXTIME, (long)Buffer, length);
        }
    }

    [Fact]
    public void Zerocopy_sends_are_numbered_and_told_of_together()
    {
        Assert.Equal(-EOPNOTSUPP, Set(NewSocket(), SO_ZEROCOPY, 1));
        Loopback();
        int fd = (int)Call(__NR_socket, AF_INET, SOCK_DGRAM, 0);
        Assert.Equal(-EINVAL, Set(fd, SO_ZEROCOPY, 2));
        Assert.Equal(0, SendTo(fd, 5).Result);
        Assert.Null(Notification(fd));
        Assert.Equal(0, Set(fd, SO_ZEROCOPY, 1));
        Assert.Equal(0, SendTo(fd, 5).Result);
        Assert.Equal(0, SendTo(fd, 0).Result);
        Assert.Equal(0, SendTo(fd, 5).Result);
        Assert.Equal((0u, 1u, 1), Notification(fd));
        Assert.Null(Notification(fd));
        Assert.Equal(0, SendTo(fd, 5).Result);
        Assert.Equal((2u, 2u, 1), Notification(fd));
        Assert.Equal(0, SocketOf(fd).Sk!.SkOmemAlloc);

        (int Result, int Length) SendTo(int socket, int length)
        {
            byte[] address = new byte[16];
            SockaddrIn.Write(address, 0x7f000001, 9);
            Memory.Put(Buffer, address);
            long sent = Call(__NR_sendto, socket, (long)Buffer2, length, MSG_ZEROCOPY, (long)Buffer, 16);
            return (sent == length ? 0 : (int)sent, length);
        }
    }

    private (uint First, uint Last, int Code)? Notification(int fd)
    {
        Memory.Put(Buffer, new UserMsghdr { MsgControl = Buffer2, MsgControllen = 100 });
        if (Call(__NR_recvmsg, fd, (long)Buffer, MSG_ERRQUEUE) == -EAGAIN)
            return null;
        SockExtendedErr error = Memory.Get<SockExtendedErr>(Buffer2 + 16);
        Assert.Equal((0u, ErrQueueH.SO_EE_ORIGIN_ZEROCOPY), (error.EeErrno, (int)error.EeOrigin));
        return (error.EeInfo, error.EeData, error.EeCode);
    }

    private void Loopback()
    {
        int fd = NewSocket();
        Memory.Put(Buffer, new byte[40]);
        Memory.Put(Buffer, "lo"u8.ToArray());
        Memory.Put(Buffer + 16, (short)1);
        Assert.Equal(0, Call(__NR_ioctl, fd, SocketIoctlH.SIOCSIFFLAGS, (long)Buffer));
        Call(__NR_close, fd);
    }

    [Fact]
    public void Cookies_are_unique()
    {
        byte[] first = GetBytes(NewSocket(), SO_COOKIE, 8).Value;
        Assert.Equal(first, GetBytes(0, SO_COOKIE, 8).Value);
        Assert.NotEqual(first, GetBytes(NewSocket(), SO_COOKIE, 8).Value);
        Assert.Equal(-EINVAL, GetBytes(0, SO_COOKIE, 7).Error);
        Assert.Equal(8, GetBytes(0, SO_NETNS_COOKIE, 8).Value.Length);
        Assert.Equal(-EINVAL, GetBytes(0, SO_NETNS_COOKIE, 9).Error);
    }

    [Fact]
    public void What_belongs_to_other_families_is_refused()
    {
        int fd = NewSocket();
        foreach (int option in new[] { SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS, SO_TXREHASH, SO_REUSEPORT, SO_PEEK_OFF })
            Assert.Equal(-EOPNOTSUPP, Set(fd, option, 1));
        Assert.Equal(-EOPNOTSUPP, GetBytes(fd, SO_PEEK_OFF, 4).Error);
        Assert.Equal(-ENODATA, GetBytes(fd, SO_PEERGROUPS, 4).Error);
        Assert.Equal(-ENODATA, GetBytes(fd, SO_PEERPIDFD, 4).Error);
        Assert.Equal(-EOPNOTSUPP, Set(fd, SO_RESERVE_MEM, 4096));
        Assert.Equal([0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], GetBytes(fd, SO_PEERCRED, 12).Value);
    }

    [Fact]
    public void Arriving_packets_are_stamped_while_a_socket_wants_it()
    {
        NetCore core = NetCore.Of(Machine);
        int a = NewSocket();
        int b = NewSocket();
        Assert.False(core.NetstampNeeded);
        Set(a, SO_TIMESTAMP, 1);
        Set(a, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE);
        Set(b, SO_TIMESTAMPNS, 1);
        Assert.True(core.NetstampNeeded);
        Call(__NR_close, a);
        Assert.True(core.NetstampNeeded);
        Call(__NR_close, b);
        Assert.False(core.NetstampNeeded);
    }

    private const int SOF_TIMESTAMPING_RX_SOFTWARE = NetTstampH.SOF_TIMESTAMPING_RX_SOFTWARE;

    private long Set(int fd, int option, int value) => SetAs(Task, fd, option, value);

    private long SetAs(TaskStruct task, int fd, int option, int value)
    {
        Memory.Put(Buffer, value);
        return CallAs(task, __NR_setsockopt, fd, SOL_SOCKET, option, (long)Buffer, 4);
    }

    private int Get(int fd, int option)
    {
        (byte[] value, long error) = GetBytes(fd, option, 4);
        Assert.Equal(0, error);
        return BitConverter.ToInt32(value);
    }

    private (byte[] Value, long Error) GetBytes(int fd, int option, int room)
    {
        Memory.Put(Buffer2, room);
        long error = Call(__NR_getsockopt, fd, SOL_SOCKET, option, (long)Buffer, (long)Buffer2);
        return (error < 0 ? [] : Memory.Bytes(Buffer, Memory.Get<int>(Buffer2)), error);
    }

    private long SetTime(int fd, long seconds, long microseconds)
    {
        Memory.Put(Buffer, new Timeval { TvSec = seconds, TvUsec = microseconds });
        return Call(__NR_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, (long)Buffer, 16);
    }

    private (long Seconds, long Microseconds) GetTime(int fd)
    {
        byte[] value = GetBytes(fd, SO_RCVTIMEO, 16).Value;
        return (BitConverter.ToInt64(value), BitConverter.ToInt64(value, 8));
    }
}
