using Linnet.Kernel.Fs;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary>Pipes: order, capacity, packets, ends that go away, waiting.</summary>
public class PipeTests : FsFixture
{
    [Fact]
    public void Bytes_come_out_as_they_went_in()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(5, Write(write, "hello"));
        Assert.Equal(6, Write(write, " world"));
        Assert.Equal("hel", Read(read, 3));
        Assert.Equal(0, Call(__NR_ioctl, read, FIONREAD, (long)Buffer));
        Assert.Equal(8, Memory.Get<int>(Buffer));
        Assert.Equal("lo world", Read(read));
    }

    [Fact]
    public void A_pipe_holds_sixteen_pages()
    {
        (int read, int write) = NewPipe(O_NONBLOCK);
        Assert.Equal(65536, Call(__NR_fcntl, write, F_GETPIPE_SZ));
        Assert.Equal(65536, Call(__NR_write, write, (long)Buffer, 100_000));
        Assert.Equal(-EAGAIN, Call(__NR_write, write, (long)Buffer, 1));
        Assert.Equal(4095, Call(__NR_read, read, (long)Buffer, 4095));

        // A page is free only when all of it was read; then a write of up to PIPE_BUF goes whole or not at all.
        Assert.Equal(-EAGAIN, Call(__NR_write, write, (long)Buffer, 4096));
        Assert.Equal(1, Call(__NR_read, read, (long)Buffer, 1));
        Assert.Equal(4096, Call(__NR_write, write, (long)Buffer, 4096));
        Assert.Equal(-EAGAIN, Call(__NR_read, NewPipe(O_NONBLOCK).Read, (long)Buffer, 1));
    }

    [Fact]
    public void Packets_are_read_one_at_a_time()
    {
        (int read, int write) = NewPipe(O_DIRECT);
        Write(write, "first");
        Write(write, "second");
        Assert.Equal("fir", Read(read, 3));
        Assert.Equal("second", Read(read));
    }

    [Fact]
    public void The_other_end_gone_is_the_end_or_an_error()
    {
        (int read, int write) = NewPipe();
        Write(write, "rest");
        Assert.Equal(0, Call(__NR_close, write));
        Assert.Equal("rest", Read(read));
        Assert.Equal("", Read(read));
        (read, write) = NewPipe();
        Assert.Equal(0, Call(__NR_close, read));
        Assert.Equal(-EPIPE, Write(write, "x"));
        Assert.Equal(SIGPIPE, Task.DequeueSignal());
    }

    [Fact]
    public void Wrong_ends_addresses_and_flags_are_refused()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(-EBADF, Call(__NR_read, write, (long)Buffer, 1));
        Assert.Equal(-EBADF, Call(__NR_write, read, (long)Buffer, 1));
        Assert.Equal(-EFAULT, Call(__NR_write, write, (long)BadAddress, 1));
        Assert.Equal(-ESPIPE, Call(__NR_lseek, read, 0, SEEK_CUR));
        Assert.Equal(-EINVAL, Call(__NR_lseek, read, 0, 5));
        Assert.Equal(-ESPIPE, Call(__NR_pread64, read, (long)Buffer, 1, 0));
        Assert.Equal(-EINVAL, Call(__NR_pread64, read, (long)Buffer, 1, -1));
        Assert.Equal(-EINVAL, Call(__NR_fsync, read));
        Assert.Equal(-EINVAL, Call(__NR_ftruncate, write, 0));
        Assert.Equal(-EINVAL, Call(__NR_pipe2, (long)Buffer, O_APPEND));
        Assert.Equal(-ENOPKG, Call(__NR_pipe2, (long)Buffer, O_EXCL));
        Assert.Equal(-EFAULT, Call(__NR_pipe2, (long)BadAddress, 0));
        Assert.Equal(-ENOTTY, Call(__NR_ioctl, read, 0x1234));
        Write(write, "x");
        Assert.Equal(-EFAULT, Call(__NR_read, read, (long)BadAddress, 1));
        Assert.Equal("x", Read(read));
        Assert.Equal([read, write], Files.OpenDescriptors);
    }

    [Fact]
    public void Vectors_are_checked_before_anything_is_moved()
    {
        (int read, int write) = NewPipe(O_NONBLOCK);
        ulong vector = Buffer + 4096;
        Memory.Put(Buffer, "abcdef"u8.ToArray());
        Segments(vector, (Buffer, 2), (Buffer + 100, 0), (Buffer + 3, 3));
        Assert.Equal(5, Call(__NR_writev, write, (long)vector, 3));
        Assert.Equal("abdef", Read(read));
        Assert.Equal(0, Call(__NR_writev, write, (long)vector, 0));
        Assert.Equal(-EINVAL, Call(__NR_writev, write, (long)vector, 1025));
        Assert.Equal(-EINVAL, Call(__NR_writev, write, (long)vector, -1));
        Assert.Equal(-EFAULT, Call(__NR_writev, write, (long)BadAddress, 1));
        Segments(vector, (Buffer, 2), (Buffer, ulong.MaxValue));
        Assert.Equal(-EINVAL, Call(__NR_writev, write, (long)vector, 2));
        Segments(vector, (Buffer, 2), (ulong.MaxValue - 10, 5));
        Assert.Equal(-EFAULT, Call(__NR_writev, write, (long)vector, 2));
        Assert.Equal(-EAGAIN, Call(__NR_read, read, (long)Buffer, 1));
        Assert.Equal(-ESPIPE, Call(__NR_preadv, read, (long)vector, 1, 0));
        Assert.Equal(-EOPNOTSUPP, Call(__NR_preadv2, read, (long)vector, 1, -1, 0, 0x80000));
    }

    [Fact]
    public void A_reader_waits_for_data_and_a_writer_for_room()
    {
        (int read, int write) = NewPipe();
        long wrote = 0, got = 0;
        Thread(task => wrote = CallAs(task, __NR_write, write, (long)Buffer + 4096, 200_000));
        Test.RunReady();
        Assert.Equal(0, wrote);
        Thread(task =>
        {
            while (got < 200_000)
                got += CallAs(task, __NR_read, read, (long)Buffer + 300_000, 10_000);
        });
        Test.RunReady();
        Assert.Equal(200_000, wrote);
        Assert.Equal(200_000, got);
    }

    [Fact]
    public void Each_waiting_reader_is_woken_once()
    {
        (int read, int write) = NewPipe();
        List<int> order = [];
        for (int i = 0; i < 3; i++)
        {
            int number = i;
            Thread(task =>
            {
                if (CallAs(task, __NR_read, read, (long)Buffer + 8192, 1) == 1)
                    order.Add(number);
            });
        }

        Test.RunReady();
        Write(write, "a");
        Test.RunReady();
        Assert.Equal([0], order);
        Write(write, "bc");
        Test.RunReady();
        Assert.Equal([0, 1, 2], order);
    }

    [Fact]
    public void A_signal_ends_the_wait()
    {
        (int read, int write) = NewPipe();
        long ret = 0;
        TaskStruct task = Thread(task => ret = CallAs(task, __NR_read, read, (long)Buffer, 1));
        Test.RunReady();
        task.SendSignal(SIGUSR1);
        Test.RunReady();
        Assert.Equal(-EINTR, ret);
        Assert.Equal(1, Write(write, "x"));
    }

    [Fact]
    public void The_size_can_be_changed_within_limits()
    {
        (int read, int write) = NewPipe(O_NONBLOCK);
        Assert.Equal(8192, Call(__NR_fcntl, write, F_SETPIPE_SZ, 5000));
        Assert.Equal(8192, Call(__NR_write, write, (long)Buffer, 100_000));
        Assert.Equal(-EBUSY, Call(__NR_fcntl, write, F_SETPIPE_SZ, 4096));
        Assert.Equal(131072, Call(__NR_fcntl, read, F_SETPIPE_SZ, 131072));
        Assert.Equal(131072 - 8192, Call(__NR_write, write, (long)Buffer, 200_000));
        Assert.Equal(-EINVAL, Call(__NR_fcntl, read, F_SETPIPE_SZ, 0x80000001));
        Assert.Equal(-EBADF, Call(__NR_fcntl, NewEventfd(), F_GETPIPE_SZ));
        TaskStruct user = NewUser();
        Assert.Equal(0, CallAs(user, __NR_pipe2, (long)Buffer, 0));
        Assert.Equal(-EPERM, CallAs(user, __NR_fcntl, 0, F_SETPIPE_SZ, 2 << 20));
        Assert.Equal(1 << 20, CallAs(user, __NR_fcntl, 0, F_SETPIPE_SZ, 1 << 20));
    }

    [Fact]
    public void A_user_beyond_the_soft_limit_gets_small_pipes()
    {
        PipeLimits.Of(Test.Machine).PipeUserPagesSoft = 20;
        TaskStruct user = NewUser();
        Assert.Equal(0, CallAs(user, __NR_pipe2, (long)Buffer, 0));
        Assert.Equal(0, CallAs(user, __NR_pipe2, (long)Buffer, 0));
        Assert.Equal(65536, CallAs(user, __NR_fcntl, 0, F_GETPIPE_SZ));
        Assert.Equal(8192, CallAs(user, __NR_fcntl, 2, F_GETPIPE_SZ));
        PipeLimits.Of(Test.Machine).PipeUserPagesHard = 18;
        Assert.Equal(-ENFILE, CallAs(user, __NR_pipe2, (long)Buffer, 0));
    }

    [Fact]
    public void Stat_tells_a_pipe()
    {
        (int read, int _) = NewPipe();
        Assert.Equal(0, Call(__NR_fstat, read, (long)Buffer));
        Assert.Equal(0x1180u, Memory.Get<uint>(Buffer + 24));
        Assert.Equal(-EFAULT, Call(__NR_fstat, read, (long)BadAddress));
        Assert.Equal(-EBADF, Call(__NR_fstat, 99, (long)Buffer));
    }

    private void Segments(ulong vector, params (ulong Base, ulong Length)[] segments)
    {
        foreach ((ulong start, ulong length) in segments)
        {
            Memory.Put(vector, start);
            Memory.Put(vector + 8, length);
            vector += 16;
        }
    }
}
