namespace Linnet.Kernel.Tests.Fs;

/// <summary><c>sendfile</c>, <c>splice</c>, <c>tee</c> and the files in memory that they take from.</summary>
public class SpliceTests : FsFixture
{
    private const ulong Offset = Buffer + 8192;

    [Fact]
    public void Sendfile_sends_from_a_position_or_the_files_own()
    {
        int mem = NewMem("0123456789");
        (int read, int write) = NewPipe();
        Memory.Put(Offset, 4L);
        Assert.Equal(3, Call(__NR_sendfile, write, mem, (long)Offset, 3));
        Assert.Equal(7, Memory.Get<long>(Offset));
        Assert.Equal("456", Read(read));
        Assert.Equal(0, Call(__NR_lseek, mem, 0, SEEK_SET));
        Assert.Equal(2, Call(__NR_sendfile, write, mem, 0, 2));
        Assert.Equal(8, Call(__NR_sendfile, write, mem, 0, 1000));
        Assert.Equal(0, Call(__NR_sendfile, write, mem, 0, 1000));
        Assert.Equal("0123456789", Read(read));
    }

    [Fact]
    public void Sendfile_refuses_what_has_no_positions()
    {
        int mem = NewMem("x");
        (int read, int write) = NewPipe();
        Assert.Equal(-EINVAL, Call(__NR_sendfile, write, read, 0, 1));
        Assert.Equal(-EBADF, Call(__NR_sendfile, write, write, 0, 1));
        Assert.Equal(-EBADF, Call(__NR_sendfile, read, mem, 0, 1));
        Assert.Equal(-ESPIPE, Call(__NR_sendfile, write, read, (long)Offset, 1));
        Assert.Equal(-EFAULT, Call(__NR_sendfile, write, mem, (long)BadAddress, 1));
        Assert.Equal(-EINVAL, Call(__NR_sendfile, write, mem, 0, -1));
    }

    [Fact]
    public void Splice_moves_between_pipes_and_tee_copies()
    {
        (int read1, int write1) = NewPipe();
        (int read2, int write2) = NewPipe(O_NONBLOCK);
        Write(write1, "abcdef");
        Assert.Equal(4, Call(__NR_tee, read1, write2, 4, 0));
        Assert.Equal(6, Write(write1, "ghijkl"));
        Assert.Equal("abcd", Read(read2));
        Assert.Equal(2, Call(__NR_splice, read1, 0, write2, 0, 2, 0));
        Assert.Equal("ab", Read(read2));
        Assert.Equal("cdefghijkl", Read(read1));
        Assert.Equal(-EAGAIN, Call(__NR_splice, read1, 0, write2, 0, 2, 0));
        Assert.Equal(-EAGAIN, Call(__NR_tee, read1, write2, 2, SPLICE_F_NONBLOCK));
        Assert.Equal(0, Call(__NR_close, write1));
        Assert.Equal(0, Call(__NR_splice, read1, 0, write2, 0, 2, 0));
    }

    [Fact]
    public void Splice_moves_between_files_and_pipes()
    {
        int from = NewMem("hello world");
        int to = NewMem("");
        (int read, int write) = NewPipe();
        Memory.Put(Offset, 6L);
        Assert.Equal(5, Call(__NR_splice, from, (long)Offset, write, 0, 100, 0));
        Assert.Equal(11, Memory.Get<long>(Offset));
        Memory.Put(Offset, 2L);
        Assert.Equal(5, Call(__NR_splice, read, 0, to, (long)Offset, 5, 0));
        Assert.Equal(0, Call(__NR_lseek, to, 0, SEEK_CUR));
        Assert.Equal("\0\0world", Read(to));
    }

    [Fact]
    public void Splice_checks_its_arguments()
    {
        int mem = NewMem("x");
        (int read, int write) = NewPipe();
        Assert.Equal(-EINVAL, Call(__NR_splice, mem, 0, mem, 0, 1, 0));
        Assert.Equal(-EINVAL, Call(__NR_splice, read, 0, write, 0, 1, 0));
        Assert.Equal(-ESPIPE, Call(__NR_splice, read, (long)Offset, mem, 0, 1, 0));
        Assert.Equal(-ESPIPE, Call(__NR_splice, mem, 0, write, (long)Offset, 1, 0));
        Assert.Equal(-EBADF, Call(__NR_splice, write, 0, mem, 0, 1, 0));
        Assert.Equal(-EBADF, Call(__NR_splice, 99, 0, mem, 0, 1, 0));
        Assert.Equal(-EINVAL, Call(__NR_splice, mem, 0, write, 0, 1, 16));
        Assert.Equal(0, Call(__NR_splice, 99, 0, 98, 0, 0, 16));
        Assert.Equal(-EINVAL, Call(__NR_tee, read, mem, 1, 0));
        Assert.Equal(-EINVAL, Call(__NR_tee, read, write, 1, 0));
    }

    [Fact]
    public void A_full_pipe_gives_back_what_splice_could_not_deliver()
    {
        (int read1, int write1) = NewPipe(O_NONBLOCK);
        (int read2, int write2) = NewPipe(O_NONBLOCK);
        Assert.Equal(65536, Call(__NR_write, write1, (long)Buffer, 65536));
        Assert.Equal(4096, Call(__NR_fcntl, write2, F_SETPIPE_SZ, 4096));
        Assert.Equal(4096, Call(__NR_splice, read1, 0, write2, 0, 65536, 0));
        Assert.Equal(61440, Call(__NR_read, read1, (long)Buffer, 100_000));
        Assert.Equal(4096, Call(__NR_read, read2, (long)Buffer, 100_000));
    }

    [Fact]
    public void A_file_in_memory_is_sparse_and_can_be_cut()
    {
        int mem = NewMem("");
        Memory.Put(Buffer, "end"u8.ToArray());
        Assert.Equal(3, Call(__NR_pwrite64, mem, (long)Buffer, 3, 200_000));
        Assert.Equal(0, Call(__NR_lseek, mem, 0, SEEK_CUR));
        Assert.Equal(200_003, Call(__NR_lseek, mem, 0, SEEK_END));
        Assert.Equal(5, Call(__NR_pread64, mem, (long)Buffer, 100, 199_998));
        Assert.Equal("\0\0end"u8.ToArray(), Memory.Bytes(Buffer, 5));
        Assert.Equal(0, Call(__NR_ftruncate, mem, 200_001));
        Assert.Equal(0, Call(__NR_ftruncate, mem, 200_010));
        Assert.Equal(10, Call(__NR_pread64, mem, (long)Buffer, 100, 200_000));
        Assert.Equal("e\0\0\0"u8.ToArray(), Memory.Bytes(Buffer, 4));
        Assert.Equal(-ENXIO, Call(__NR_lseek, mem, 300_000, SEEK_DATA));
        Assert.Equal(-EINVAL, Call(__NR_ftruncate, mem, -1));
        Assert.Equal(0, Call(__NR_fstat, mem, (long)Buffer));
        Assert.Equal((0x81ffu, 200_010L), (Memory.Get<uint>(Buffer + 24), Memory.Get<long>(Buffer + 48)));
    }

    private int NewMem(string content)
    {
        Memory.Put(Buffer, "test\0"u8.ToArray());
        int fd = (int)Call(__NR_memfd_create, (long)Buffer, 0);
        if (content.Length > 0)
        {
            Assert.Equal(content.Length, Write(fd, content));
            Assert.Equal(0, Call(__NR_lseek, fd, 0, SEEK_SET));
        }

        return fd;
    }
}
