using Linnet.Kernel;
using Linnet.Kernel.Fs;

namespace Linnet;

/// <content>The calls that work on descriptors of every kind.</content>
public sealed unsafe partial class Syscalls
{
    /// <summary>Reads: <c>read</c>.</summary>
    /// <returns>Bytes read, 0 at the end of a stream, or a negative errno.</returns>
    public long Read(int fd, Span<byte> buf)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = buf)
            return Interrupted(ReadWrite.KsysRead(fd, Sockptr.Kernel(data), (ulong)buf.Length));
    }

    /// <summary>Writes: <c>write</c>.</summary>
    /// <returns>Bytes written or a negative errno.</returns>
    public long Write(int fd, ReadOnlySpan<byte> buf)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = buf)
            return Interrupted(ReadWrite.KsysWrite(fd, Sockptr.Kernel(data), (ulong)buf.Length));
    }

    /// <summary>Reads into several pieces: <c>readv</c>.</summary>
    /// <param name="fd">A descriptor.</param>
    /// <param name="iov">The pieces; pinned memory of the caller's.</param>
    public long Readv(int fd, ReadOnlySpan<Iovec> iov)
    {
        using KernelEntry entry = Task.Enter();
        fixed (Iovec* vec = iov)
            return Interrupted(ReadWrite.DoReadv(fd, Sockptr.Kernel(vec), (ulong)iov.Length));
    }

    /// <summary>Writes several pieces: <c>writev</c>.</summary>
    /// <param name="fd">A descriptor.</param>
    /// <param name="iov">The pieces; pinned memory of the caller's.</param>
    public long Writev(int fd, ReadOnlySpan<Iovec> iov)
    {
        using KernelEntry entry = Task.Enter();
        fixed (Iovec* vec = iov)
            return Interrupted(ReadWrite.DoWritev(fd, Sockptr.Kernel(vec), (ulong)iov.Length));
    }

    /// <summary>Closes a descriptor: <c>close</c>.</summary>
    public int Close(int fd)
    {
        using KernelEntry entry = Task.Enter();
        return Task.Files.CloseFd(fd);
    }

    /// <summary>Another descriptor for the same file: <c>dup</c>.</summary>
    public int Dup(int fd)
    {
        using KernelEntry entry = Task.Enter();
        return Task.Files.Dup(fd);
    }

    /// <summary>Another descriptor, of a given number, for the same file: <c>dup2</c>.</summary>
    public int Dup2(int oldfd, int newfd)
    {
        using KernelEntry entry = Task.Enter();
        return Task.Files.Dup2(oldfd, newfd);
    }

    /// <summary>Requests about a descriptor: <c>fcntl</c>.</summary>
    /// <param name="fd">A descriptor.</param>
    /// <param name="cmd"><c>F_*</c>, those whose argument is a number.</param>
    /// <param name="arg">The argument.</param>
    public long Fcntl(int fd, int cmd, long arg = 0)
    {
        using KernelEntry entry = Task.Enter();
        return FsFcntl.Fcntl(fd, (uint)cmd, (ulong)arg);
    }

    /// <summary>Requests to the device, protocol or file: <c>ioctl</c>.</summary>
    /// <param name="fd">A descriptor.</param>
    /// <param name="request">The request.</param>
    /// <param name="arg">What the argument points to.</param>
    public int Ioctl(int fd, uint request, Span<byte> arg)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = arg)
            return FsIoctl.Ioctl(fd, request, Sockptr.Kernel(data));
    }

    /// <summary>Waits until a descriptor is ready: <c>poll</c>.</summary>
    /// <param name="fds">The descriptors; each one's events are filled in.</param>
    /// <param name="timeout">Milliseconds; 0 not to wait, negative to wait for ever.</param>
    /// <returns>How many descriptors have events, or a negative errno.</returns>
    public int Poll(Span<Pollfd> fds, int timeout)
    {
        using KernelEntry entry = Task.Enter();
        fixed (Pollfd* p = fds)
            return (int)Interrupted(PollSelect.Poll(Sockptr.Kernel(p), (uint)fds.Length, timeout));
    }

    /// <summary>Makes an epoll: <c>epoll_create1</c>.</summary>
    /// <param name="flags"><c>EPOLL_CLOEXEC</c> or 0.</param>
    public int EpollCreate1(int flags)
    {
        using KernelEntry entry = Task.Enter();
        return Eventpoll.DoEpollCreate(flags);
    }

    /// <summary>Adds, changes or removes a descriptor of an epoll: <c>epoll_ctl</c>.</summary>
    public int EpollCtl(int epfd, int op, int fd, EpollEvent ev)
    {
        using KernelEntry entry = Task.Enter();
        return Eventpoll.EpollCtl(epfd, op, fd, Sockptr.Kernel(&ev));
    }

    /// <summary>Waits for events of an epoll: <c>epoll_wait</c>.</summary>
    /// <param name="epfd">An epoll.</param>
    /// <param name="events">Takes the events.</param>
    /// <param name="timeout">Milliseconds; 0 not to wait, negative to wait for ever.</param>
    /// <returns>How many events there are, or a negative errno.</returns>
    public int EpollWait(int epfd, Span<EpollEvent> events, int timeout)
    {
        using KernelEntry entry = Task.Enter();
        fixed (EpollEvent* e = events)
            return (int)Interrupted(Eventpoll.EpollWait(epfd, Sockptr.Kernel(e), events.Length, timeout));
    }

    /// <summary>Makes a pipe: <c>pipe2</c>.</summary>
    public int Pipe2(out int readEnd, out int writeEnd, int flags)
    {
        int* pair = stackalloc int[2];
        using KernelEntry entry = Task.Enter();
        int err = (int)Pipe.Pipe2(Sockptr.Kernel(pair), flags);
        (readEnd, writeEnd) = err < 0 ? (-1, -1) : (pair[0], pair[1]);
        return err;
    }

    /// <summary>Makes a counter behind a descriptor: <c>eventfd</c>.</summary>
    public int Eventfd(uint count, int flags)
    {
        using KernelEntry entry = Task.Enter();
        return EventFd.DoEventfd(count, flags);
    }

    /// <summary>Copies from a descriptor to another: <c>sendfile(outFd, inFd, NULL, count)</c>.</summary>
    public long Sendfile(int outFd, int inFd, long count)
    {
        using KernelEntry entry = Task.Enter();
        return Interrupted(FsSplice.Sendfile64(outFd, inFd, default, (ulong)count));
    }
}
