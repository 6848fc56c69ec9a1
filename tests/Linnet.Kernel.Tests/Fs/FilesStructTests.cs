using Linnet.Kernel.Fs;
using static Linnet.Kernel.Uapi.EventFdH;
using static Linnet.Kernel.Uapi.ResourceH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary>Descriptors: which one is taken, how many there may be, what copies of a table share.</summary>
public class FilesStructTests : FsFixture
{
    [Fact]
    public void The_lowest_free_descriptor_is_taken()
    {
        Assert.Equal([0, 1, 2, 3], Enumerable.Range(0, 4).Select(_ => NewEventfd()));
        Assert.Equal(0, Call(__NR_close, 1));
        Assert.Equal(0, Call(__NR_close, 2));
        Assert.Equal(1, NewEventfd());
        Assert.Equal(2, NewEventfd());
        Assert.Equal(4, NewEventfd());
    }

    [Fact]
    public void A_table_grows_and_stays_in_order()
    {
        Limit(10_000);
        for (int i = 0; i < 5000; i++)
            Assert.Equal(i, NewEventfd());
        Assert.Equal(0, Call(__NR_close, 4321));
        Assert.Equal(0, Call(__NR_close, 63));
        Assert.Equal(63, NewEventfd());
        Assert.Equal(4321, NewEventfd());
        Assert.Equal(5000, NewEventfd());
    }

    [Fact]
    public void The_limit_of_descriptors_is_EMFILE()
    {
        Limit(3);
        NewEventfd();
        NewEventfd();
        Assert.Equal(2, NewEventfd());
        Assert.Equal(-EMFILE, NewEventfd());
        Assert.Equal(-EMFILE, Call(__NR_dup, 0));
        Assert.Equal(-EBADF, Call(__NR_dup2, 0, 3));
        Assert.Equal(-EINVAL, Call(__NR_fcntl, 0, F_DUPFD, 3));
        Assert.Equal(-EMFILE, Call(__NR_fcntl, 0, F_DUPFD, 2));
        Assert.Equal(-EMFILE, Call(__NR_pipe2, (long)Buffer, 0));
    }

    [Fact]
    public void The_limit_of_files_is_ENFILE_except_for_the_administrator()
    {
        Test.Machine.FilesStat.MaxFiles = 2;
        TaskStruct user = NewUser();
        Assert.Equal(0, CallAs(user, __NR_eventfd2, 0, 0));
        Assert.Equal(-ENFILE, CallAs(user, __NR_pipe2, (long)Buffer, 0));
        Assert.Equal(1, CallAs(user, __NR_eventfd2, 0, 0));
        Assert.Equal(-ENFILE, CallAs(user, __NR_eventfd2, 0, 0));
        Assert.Equal([0, 1], user.Files.OpenDescriptors);
        Assert.Equal(0, Call(__NR_eventfd2, 0, 0));
        Assert.Equal(3, Test.Machine.FilesStat.NrFiles);
    }

    [Fact]
    public void Dup3_replaces_and_dup2_onto_itself_does_nothing()
    {
        (int read, int write) = NewPipe();
        int other = NewEventfd();
        Assert.Equal(other, Call(__NR_dup2, write, other));
        Assert.Equal(0, Call(__NR_fcntl, other, F_GETFD));
        Assert.Equal(other, Call(__NR_dup3, write, other, O_CLOEXEC));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, other, F_GETFD));
        Assert.Equal(other, Call(__NR_dup2, other, other));
        Assert.Equal(-EBADF, Call(__NR_dup2, 77, 77));
        Assert.Equal(-EINVAL, Call(__NR_dup3, other, other, 0));
        Assert.Equal(-EINVAL, Call(__NR_dup3, write, other, O_NONBLOCK));
        Assert.Equal(-EBADF, Call(__NR_dup3, 77, other, 0));

        // All of them write to the pipe until the last is closed.
        Assert.Equal(0, Call(__NR_close, write));
        Assert.Equal(2, Write(other, "hi"));
        Assert.Equal("hi", Read(read));
        Assert.Equal(0, Call(__NR_close, other));
        Assert.Equal("", Read(read));
    }

    [Fact]
    public void A_table_is_shared_or_copied_on_fork()
    {
        int fd = NewEventfd();
        TaskStruct thread = NewTask();
        FilesStruct.CopyFiles(Task, thread, share: true);
        TaskStruct child = NewTask();
        FilesStruct.CopyFiles(Task, child, share: false);
        Assert.Equal(0, CallAs(thread, __NR_close, fd));
        Assert.Equal(-EBADF, Call(__NR_close, fd));
        Assert.Equal(0, CallAs(child, __NR_fcntl, fd, F_GETFD));
        As(thread, () => FilesStruct.UnshareFd(thread));
        Assert.Equal(0, CallAs(thread, __NR_eventfd2, 0, 0));
        Assert.Empty(Files.OpenDescriptors);
        Assert.Equal(1, Files.Sharers);
    }

    [Fact]
    public void Exec_closes_what_is_marked()
    {
        int kept = NewEventfd();
        int marked = NewEventfd(0, EFD_CLOEXEC);
        int unmarked = NewEventfd(0, EFD_CLOEXEC);
        int later = NewEventfd();
        Assert.Equal(0, Call(__NR_fcntl, unmarked, F_SETFD, 0));
        Assert.Equal(0, Call(__NR_ioctl, later, FIOCLEX));
        As(Task, Files.DoCloseOnExec);
        Assert.Equal([kept, unmarked], Files.OpenDescriptors);
        Assert.Equal(-EBADF, Call(__NR_close, marked));
    }

    [Fact]
    public void Close_range_closes_or_marks()
    {
        for (int i = 0; i < 6; i++)
            NewEventfd();
        Assert.Equal(-EINVAL, Call(__NR_close_range, 3, 2, 0));
        Assert.Equal(-EINVAL, Call(__NR_close_range, 0, 1, 8));
        Assert.Equal(0, Call(__NR_close_range, 1, 2, 4));
        Assert.Equal(FD_CLOEXEC, Call(__NR_fcntl, 2, F_GETFD));
        Assert.Equal(0, Call(__NR_fcntl, 3, F_GETFD));
        Assert.Equal(0, Call(__NR_close_range, 3, uint.MaxValue, 0));
        Assert.Equal([0, 1, 2], Files.OpenDescriptors);
    }

    [Fact]
    public void Limits_are_raised_only_as_far_as_allowed()
    {
        TaskStruct user = NewUser();
        PutLimit(100, 200);
        Assert.Equal(0, CallAs(user, __NR_setrlimit, RLIMIT_NOFILE, (long)Buffer));
        PutLimit(201, 200);
        Assert.Equal(-EINVAL, CallAs(user, __NR_setrlimit, RLIMIT_NOFILE, (long)Buffer));
        PutLimit(100, 201);
        Assert.Equal(-EPERM, CallAs(user, __NR_setrlimit, RLIMIT_NOFILE, (long)Buffer));
        Assert.Equal(-EPERM, CallAs(user, __NR_prlimit64, Task.Pid, RLIMIT_NOFILE, 0, (long)Buffer));
        PutLimit(100, 1 << 21);
        Assert.Equal(-EPERM, Call(__NR_setrlimit, RLIMIT_NOFILE, (long)Buffer));
        Assert.Equal(-EINVAL, Call(__NR_getrlimit, 16, (long)Buffer));
        Assert.Equal(-EFAULT, Call(__NR_getrlimit, RLIMIT_NOFILE, 0));
        Assert.Equal(-ESRCH, Call(__NR_prlimit64, 9999, RLIMIT_NOFILE, 0, 0));
        Assert.Equal(0, Call(__NR_prlimit64, user.Pid, RLIMIT_NOFILE, 0, (long)Buffer));
        Assert.Equal((100UL, 200UL), (Memory.Get<ulong>(Buffer), Memory.Get<ulong>(Buffer + 8)));
    }

    [Fact]
    public void A_call_keeps_its_file_while_another_thread_closes_the_descriptor()
    {
        (int read, int write) = NewPipe();
        string got = "";
        Thread(task => got = Convert.ToString(CallAs(task, __NR_read, read, (long)Buffer + 512, 16)));
        Test.RunReady();
        Assert.Equal(0, Call(__NR_close, read));
        Assert.Equal(read, NewEventfd());
        Assert.Equal(3, Write(write, "abc"));
        Test.RunReady();
        Assert.Equal("3", got);
    }

    private void Limit(ulong descriptors)
    {
        PutLimit(descriptors, Math.Max(descriptors, 4096));
        Assert.Equal(0, Call(__NR_setrlimit, RLIMIT_NOFILE, (long)Buffer));
    }

    private void PutLimit(ulong soft, ulong hard)
    {
        Memory.Put(Buffer, soft);
        Memory.Put(Buffer + 8, hard);
    }
}
