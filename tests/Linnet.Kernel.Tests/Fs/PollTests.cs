using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary><c>poll</c>, <c>ppoll</c>, <c>select</c> and <c>pselect6</c>.</summary>
public class PollTests : FsFixture
{
    private const ulong Sets = Buffer + 1024;
    private const ulong Time = Buffer + 2048;

    [Fact]
    public void Each_descriptor_says_what_it_has()
    {
        (int read, int write) = NewPipe();
        int closed = 50;
        Assert.Equal(2, Poll(0, (read, POLLIN), (write, POLLOUT), (-1, POLLIN), (closed, 0)));
        Assert.Equal([0, POLLOUT, 0, POLLNVAL], Results(4));
        Write(write, "x");
        Assert.Equal(1, Poll(0, (read, POLLIN | POLLRDNORM | POLLOUT)));
        Assert.Equal([POLLIN | POLLRDNORM], Results(1));
        Assert.Equal(0, Poll(0, (read, POLLOUT)));
    }

    [Fact]
    public void Hang_ups_and_errors_are_reported_unasked()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(0, Call(__NR_close, write));
        Assert.Equal(1, Poll(-1, (read, 0)));
        Assert.Equal([POLLHUP], Results(1));
        (read, write) = NewPipe();
        Assert.Equal(0, Call(__NR_close, read));
        Assert.Equal(1, Poll(-1, (write, 0)));
        Assert.Equal([POLLERR], Results(1));
    }

    [Fact]
    public void A_timeout_takes_as_long_as_asked()
    {
        (int read, int _) = NewPipe();
        long ret = -1, ended = 0;
        Thread(task =>
        {
            PutPollfds((read, POLLIN));
            ret = CallAs(task, __NR_poll, (long)Buffer, 1, 250);
            ended = Test.Now;
        });
        long start = Test.Now;
        Test.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(0, ret);
        Assert.Equal(250_000_000, ended - start);
    }

    [Fact]
    public void Data_ends_the_wait_and_the_rest_of_the_time_is_written_back()
    {
        (int read, int write) = NewPipe();
        long ret = -1;
        Thread(task =>
        {
            PutTime(2, 0);
            PutPollfds((read, POLLIN));
            ret = CallAs(task, __NR_ppoll, (long)Buffer, 1, (long)Time, 0, 8);
        });
        Test.RunFor(TimeSpan.FromMilliseconds(500));
        Assert.Equal(-1, ret);
        As(Task, () => Assert.Equal(1, CallAs(Task, __NR_write, write, (long)Buffer, 1)));
        Test.RunReady();
        Assert.Equal(1, ret);
        Assert.Equal((1L, 500_000_000L), (Memory.Get<long>(Time), Memory.Get<long>(Time + 8)));
    }

    [Fact]
    public void A_signal_ends_the_wait_unless_the_mask_of_the_call_blocks_it()
    {
        (int read, int _) = NewPipe();
        long ret = 0;
        TaskStruct task = Thread(task =>
        {
            PutPollfds((read, POLLIN));
            Memory.Put(Time, 1UL << (SIGUSR1 - 1));
            ret = CallAs(task, __NR_ppoll, (long)Buffer, 1, 0, (long)Time, 8);
        });
        Test.RunReady();
        task.SendSignal(SIGUSR1);
        Test.RunReady();
        Assert.Equal(0, ret);
        task.SendSignal(SIGUSR2);
        Test.RunReady();
        Assert.Equal(-EINTR, ret);

        // The mask of the call lasts until its signal is taken; then the other comes through.
        Assert.Equal(SIGUSR2, task.DequeueSignal());
        Assert.Equal(SIGUSR1, task.DequeueSignal());
        Assert.Equal(0, task.DequeueSignal());
    }

    [Fact]
    public void Bad_arguments_of_poll()
    {
        Memory.Put(Buffer, 4096UL);
        Assert.Equal(-EINVAL, Call(__NR_poll, (long)Buffer, 1025, 0));
        Assert.Equal(-EFAULT, Call(__NR_poll, (long)BadAddress, 1, 0));
        PutTime(-1, 0);
        Assert.Equal(-EINVAL, Call(__NR_ppoll, (long)Buffer, 0, (long)Time, 0, 8));
        PutTime(0, 1_000_000_000);
        Assert.Equal(-EINVAL, Call(__NR_ppoll, (long)Buffer, 0, (long)Time, 0, 8));
        Assert.Equal(-EFAULT, Call(__NR_ppoll, (long)Buffer, 0, (long)BadAddress, 0, 8));
        PutTime(0, 0);
        Assert.Equal(-EINVAL, Call(__NR_ppoll, (long)Buffer, 0, (long)Time, (long)Buffer, 4));
        Assert.Equal(0, Call(__NR_poll, 0, 0, 0));
    }

    [Fact]
    public void Select_finds_the_bits()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(1, Select(8, (1 << read) | (1 << write), 1 << write, 0));
        Assert.Equal((0UL, 1UL << write, 0UL), Found());
        Write(write, "x");
        Assert.Equal(2, Select(8, 1 << read, (1 << write) | (1 << read), 1 << read));
        Assert.Equal((1UL << read, 1UL << write, 0UL), Found());

        // A reader whose writers are gone is readable: the end is to be read.
        Assert.Equal("x", Read(read));
        Assert.Equal(0, Call(__NR_close, write));
        Assert.Equal(1, Select(8, 1 << read, 0, 0));
    }

    [Fact]
    public void Bad_arguments_of_select()
    {
        NewPipe();
        Assert.Equal(-EBADF, Select(8, 1 << 5, 0, 0));
        Assert.Equal(0, Select(5, 1 << 5, 0, 0));
        Assert.Equal(-EINVAL, Call(__NR_select, -1, 0, 0, 0, 0));
        Assert.Equal(-EFAULT, Call(__NR_select, 8, (long)BadAddress, 0, 0, 0));
        PutTime(0, -1);
        Assert.Equal(-EINVAL, Call(__NR_select, 0, 0, 0, 0, (long)Time));
        PutTime(0, 0);
        Assert.Equal(0, Call(__NR_select, 100_000, 0, 0, 0, (long)Time));
        Memory.Put(Buffer, 0UL);
        Memory.Put(Buffer + 8, 4UL);
        Assert.Equal(0, Call(__NR_pselect6, 0, 0, 0, 0, (long)Time, (long)Buffer));
        Memory.Put(Buffer, Buffer);
        Assert.Equal(-EINVAL, Call(__NR_pselect6, 0, 0, 0, 0, (long)Time, (long)Buffer));
    }

    [Fact]
    public void Select_waits_and_writes_the_rest_of_the_time_back()
    {
        (int read, int write) = NewPipe();
        long ret = -1;
        Thread(task =>
        {
            Memory.Put(Sets, 1UL << read);
            PutTime(3, 1_500_000);
            ret = CallAs(task, __NR_select, 64, (long)Sets, 0, 0, (long)Time);
        });
        Test.RunFor(TimeSpan.FromMilliseconds(1250));
        Write(write, "x");
        Test.RunReady();
        Assert.Equal(1, ret);
        Assert.Equal((3L, 250_000L), (Memory.Get<long>(Time), Memory.Get<long>(Time + 8)));
    }

    private long Poll(int timeout, params (int Fd, int Events)[] fds)
    {
        PutPollfds(fds);
        return Call(__NR_poll, (long)Buffer, fds.Length, timeout);
    }

    private void PutPollfds(params (int Fd, int Events)[] fds)
    {
        for (int i = 0; i < fds.Length; i++)
            Memory.Put(Buffer + 8 * (ulong)i, new Pollfd { Fd = fds[i].Fd, Events = (short)fds[i].Events, Revents = -1 });
    }

    private int[] Results(int count) => [.. Enumerable.Range(0, count).Select(i => (int)Memory.Get<Pollfd>(Buffer + 8 * (ulong)i).Revents)];

    private long Select(int n, long reads, long writes, long exceptions)
    {
        Memory.Put(Sets, reads);
        Memory.Put(Sets + 8, writes);
        Memory.Put(Sets + 16, exceptions);
        PutTime(0, 0);
        return Call(__NR_select, n, (long)Sets, (long)Sets + 8, (long)Sets + 16, (long)Time);
    }

    private (ulong, ulong, ulong) Found() => (Memory.Get<ulong>(Sets), Memory.Get<ulong>(Sets + 8), Memory.Get<ulong>(Sets + 16));

    private void PutTime(long seconds, long fraction)
    {
        Memory.Put(Time, seconds);
        Memory.Put(Time + 8, fraction);
    }
}
