namespace Linnet.Linux.Tests.Run;

/// <summary>What a process's descriptors mean, by the host's files about them.</summary>
public sealed unsafe class DescriptorFilesTests : IDisposable
{
    private readonly DescriptorFiles files = new(Environment.ProcessId);
    private readonly List<int> open = [];

    public void Dispose()
    {
        files.Close();
        open.ForEach(fd => Native.Close(fd));
    }

    [Fact]
    public void A_number_that_is_asked_for_often_is_known_without_a_copy()
    {
        int socket = Keep(Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        Assert.False(files.TryRead(socket, out _, out _));
        Assert.Equal((Inode(socket), O_RDWR | O_CLOEXEC), Learn(socket));
        _ = Native.Fcntl(socket, F_SETFL, O_RDWR | O_NONBLOCK);
        Assert.Equal((Inode(socket), O_RDWR | O_NONBLOCK | O_CLOEXEC), Learn(socket));
    }

    [Fact]
    public void What_comes_to_a_number_is_seen_at_once()
    {
        int socket = Keep(Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        int other = Keep(Native.Socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        int file = Keep(Native.Open("/dev/null", O_RDONLY | O_CLOEXEC));
        Learn(socket);
        ulong inode = Inode(other);
        Assert.NotEqual(inode, Inode(socket));
        Native.Dup3(other, socket, O_CLOEXEC);
        Assert.True(files.TryRead(socket, out ulong now, out _));
        Assert.Equal(inode, now);

        // Another file's inode might be any number.
        Native.Dup3(file, socket, O_CLOEXEC);
        Assert.True(files.TryRead(socket, out now, out _));
        Assert.Equal(0ul, now);
    }

    [Fact]
    public void A_number_without_a_file_is_unknown()
    {
        int socket = Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int high = Keep(Native.Fcntl(socket, F_DUPFD_CLOEXEC, 900));
        Native.Close(socket);
        Learn(high);
        Native.Close(high);
        Assert.False(files.TryRead(high, out _, out _));
        Assert.False(files.TryRead(-1, out _, out _));
    }

    private int Keep(int fd)
    {
        Assert.True(fd >= 0);
        open.Add(fd);
        return fd;
    }

    private (ulong Inode, int Flags) Learn(int fd)
    {
        for (int i = 0; i < 10; i++)
        {
            if (files.TryRead(fd, out ulong inode, out int flags))
                return (inode, flags);
        }

        throw new InvalidOperationException($"descriptor {fd} stays unknown");
    }

    private static ulong Inode(int fd)
    {
        HostStat stat;
        Assert.Equal(0, Native.Fstat(fd, &stat));
        return stat.Inode;
    }
}
