using Linnet.Kernel.Fs;
using static Linnet.Kernel.Uapi.EventFdH;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary><c>fcntl</c>, the common <c>ioctl</c>s, signals of files, and eventfd.</summary>
public class FcntlTests : FsFixture
{
    [Fact]
    public void Setfl_changes_only_what_can_be_changed()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(O_WRONLY, Call(__NR_fcntl, write, F_GETFL));
        Assert.Equal(0, Call(__NR_fcntl, write, F_SETFL, O_NONBLOCK | O_APPEND | O_CREAT | O_RDWR));
        Assert.Equal(O_WRONLY | O_NONBLOCK | O_APPEND, Call(__NR_fcntl, write, F_GETFL));
        Assert.Equal(0, Call(__NR_fcntl, write, F_SETFL, O_DIRECT));
        Assert.Equal(O_WRONLY | O_DIRECT, Call(__NR_fcntl, write, F_GETFL));
        Assert.Equal(-EINVAL, Call(__NR_fcntl, NewEventfd(), F_SETFL, O_DIRECT));
        Assert.Equal(O_RDONLY, Call(__NR_fcntl, read, F_GETFL));
        Assert.Equal(-EINVAL, Call(__NR_fcntl, read, 4711));
        Assert.Equal(-EBADF, Call(__NR_fcntl, 99, F_GETFL));
    }

    [Fact]
    public void Dupfd_starts_where_it_is_told()
    {
        int fd = NewEventfd();
        Assert.Equal(10, Call(__NR_fcntl, fd, F_DUPFD, 10));
        Assert.Equal(11, Call(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 10));
        Assert.Equal(0, Call(__NR_fcntl, 10, F_GETFD));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, 11, F_GETFD));
        Assert.Equal(1, Call(__NR_fcntl, 10, F_DUPFD_QUERY, 11));
        Assert.Equal(0, Call(__NR_fcntl, 10, F_DUPFD_QUERY, NewEventfd()));
        Assert.Equal(-EBADF, Call(__NR_fcntl, 10, F_DUPFD_QUERY, 99));
    }

    [Fact]
    public void Common_ioctls()
    {
        (int read, int _) = NewPipe();
        Memory.Put(Buffer, 1);
        Assert.Equal(0, Call(__NR_ioctl, read, FIONBIO, (long)Buffer));
        Assert.Equal(O_NONBLOCK, Call(__NR_fcntl, read, F_GETFL));
        Assert.Equal(-EFAULT, Call(__NR_ioctl, read, FIONBIO, (long)BadAddress));
        Assert.Equal(0, Call(__NR_ioctl, read, FIOCLEX));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, read, F_GETFD));
        Assert.Equal(0, Call(__NR_ioctl, read, FIONCLEX));
        Assert.Equal(0, Call(__NR_fcntl, read, F_GETFD));
        Assert.Equal(0, Call(__NR_ioctl, read, FIOASYNC, (long)Buffer));
        Assert.Equal(O_NONBLOCK | FileTable.FASYNC, Call(__NR_fcntl, read, F_GETFL));
        Assert.Equal(-ENOTTY, Call(__NR_ioctl, NewEventfd(), FIOASYNC, (long)Buffer));
        Assert.Equal(-EBADF, Call(__NR_ioctl, 99, FIONBIO, (long)Buffer));
    }

    [Fact]
    public void An_owner_gets_the_signal_that_was_chosen()
    {
        (int read, int write) = NewPipe();
        Assert.Equal(0, Call(__NR_fcntl, read, F_SETOWN, Task.Pid));
        Assert.Equal(Task.Pid, Call(__NR_fcntl, read, F_GETOWN));
        Assert.Equal(0, Call(__NR_fcntl, read, F_SETFL, FileTable.FASYNC));
        Write(write, "x");
        Assert.Equal(SIGIO, Task.DequeueSignal());
        Assert.Equal(0, Call(__NR_fcntl, read, F_SETSIG, SIGUSR2));
        Assert.Equal(SIGUSR2, Call(__NR_fcntl, read, F_GETSIG));
        Read(read);
        Write(write, "y");
        Assert.Equal(SIGUSR2, Task.DequeueSignal());
        Assert.Equal(0, Call(__NR_fcntl, read, F_SETFL, 0));
        Read(read);
        Write(write, "z");
        Assert.Equal(0, Task.DequeueSignal());
        Assert.Equal(-EINVAL, Call(__NR_fcntl, read, F_SETSIG, 65));
        Assert.Equal(-ESRCH, Call(__NR_fcntl, read, F_SETOWN, 12345));
        Assert.Equal(-EINVAL, Call(__NR_fcntl, read, F_SETOWN, int.MinValue));
    }

    [Fact]
    public void Owners_have_types()
    {
        int fd = NewEventfd();
        Memory.Put(Buffer, new FOwnerEx { Type = F_OWNER_PGRP, Pid = Task.Pid });
        Assert.Equal(0, Call(__NR_fcntl, fd, F_SETOWN_EX, (long)Buffer));
        Assert.Equal(-Task.Pid, Call(__NR_fcntl, fd, F_GETOWN));
        Assert.Equal(0, Call(__NR_fcntl, fd, F_GETOWN_EX, (long)Buffer));
        Assert.Equal((F_OWNER_PGRP, Task.Pid), (Memory.Get<FOwnerEx>(Buffer).Type, Memory.Get<FOwnerEx>(Buffer).Pid));
        Memory.Put(Buffer, new FOwnerEx { Type = 3, Pid = Task.Pid });
        Assert.Equal(-EINVAL, Call(__NR_fcntl, fd, F_SETOWN_EX, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_fcntl, fd, F_SETOWN_EX, (long)BadAddress));
    }

    [Fact]
    public void A_stranger_gets_no_signal()
    {
        TaskStruct user = NewUser();
        TaskStruct other = NewTask(Cred.User(Test.Machine.InitUserNs, 2000, 2000));
        Assert.Equal(0, CallAs(user, __NR_pipe2, (long)Buffer, 0));
        Assert.Equal(0, CallAs(user, __NR_fcntl, 0, F_SETOWN, other.Pid));
        Assert.Equal(0, CallAs(user, __NR_fcntl, 0, F_SETFL, FileTable.FASYNC));
        Assert.Equal(1, CallAs(user, __NR_write, 1, (long)Buffer, 1));
        Assert.Equal(0, other.DequeueSignal());
    }

    [Fact]
    public void An_eventfd_counts()
    {
        int fd = NewEventfd(3);
        AddToEventfd(fd, 4);
        Assert.Equal(8, Call(__NR_read, fd, (long)Buffer, 8));
        Assert.Equal(7UL, Memory.Get<ulong>(Buffer));
        Assert.Equal(-EAGAIN, Call(__NR_read, fd, (long)Buffer, 8));
        Assert.Equal(-EINVAL, Call(__NR_read, fd, (long)Buffer, 7));
        Memory.Put(Buffer, ulong.MaxValue);
        Assert.Equal(-EINVAL, Call(__NR_write, fd, (long)Buffer, 8));
        AddToEventfd(fd, ulong.MaxValue - 1);
        Memory.Put(Buffer, 1UL);
        Assert.Equal(-EAGAIN, Call(__NR_write, fd, (long)Buffer, 8));
        int semaphore = NewEventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
        for (int i = 0; i < 2; i++)
        {
            Assert.Equal(8, Call(__NR_read, semaphore, (long)Buffer, 8));
            Assert.Equal(1UL, Memory.Get<ulong>(Buffer));
        }

        Assert.Equal(-EAGAIN, Call(__NR_read, semaphore, (long)Buffer, 8));
        Assert.Equal(-EINVAL, Call(__NR_eventfd2, 0, 2));
    }

    [Fact]
    public void A_reader_of_an_eventfd_waits()
    {
        int fd = NewEventfd(0, 0);
        long ret = 0;
        Thread(task => ret = CallAs(task, __NR_read, fd, (long)Buffer + 64, 8));
        Test.RunReady();
        AddToEventfd(fd, 5);
        Test.RunReady();
        Assert.Equal(8, ret);
        Assert.Equal(5UL, Memory.Get<ulong>(Buffer + 64));
    }
}
