using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Uapi;

/// <summary>Ancillary messages: what fits, what is cut, what is refused.</summary>
public sealed class CmsgTests
{
    [Fact]
    public void Messages_are_read_as_they_were_written()
    {
        Span<byte> control = stackalloc byte[64];
        var writer = new CmsgWriter(control);
        Assert.True(writer.Put(SOL_IP, IP_TTL, 64));
        Assert.True(writer.Put(SOL_SOCKET, SCM_CREDENTIALS, new Ucred { Pid = 1, Uid = 2, Gid = 3 }));
        Assert.Equal((CMSG_SPACE(4) + CMSG_SPACE(12), 0), (writer.Written, writer.Flags));

        var reader = new CmsgReader(control[..writer.Written]);
        Assert.Equal(1, reader.Next());
        Assert.True(reader.TryRead(out int ttl));
        Assert.Equal((SOL_IP, IP_TTL, 64), (reader.Level, reader.Type, ttl));
        Assert.Equal(1, reader.Next());
        Assert.True(reader.TryRead(out Ucred ucred));
        Assert.False(reader.TryRead(out long _));
        Assert.Equal((1, 2u, 3u), (ucred.Pid, ucred.Uid, ucred.Gid));
        Assert.Equal(0, reader.Next());
    }

    [Fact]
    public void Data_that_does_not_fit_is_cut_and_reported()
    {
        Span<byte> control = stackalloc byte[22];
        var writer = new CmsgWriter(control);

        Assert.False(writer.Put(SOL_SOCKET, SCM_TIMESTAMP, new Timeval { TvSec = 0x0807060504030201 }));

        Assert.Equal((22, MSG_CTRUNC), (writer.Written, writer.Flags));
        Assert.Equal(22, control[0]);
        Assert.Equal([1, 2, 3, 4, 5, 6], control[16..].ToArray());
    }

    [Fact]
    public void The_last_message_may_lack_its_padding()
    {
        Span<byte> control = stackalloc byte[20];
        var writer = new CmsgWriter(control);

        Assert.True(writer.Put(SOL_IP, IP_TOS, 0x10));

        Assert.Equal((20, 0), (writer.Written, writer.Flags));
        var reader = new CmsgReader(control);
        Assert.Equal((1, 0), (reader.Next(), reader.Next()));
    }

    [Fact]
    public void A_message_whose_head_does_not_fit_is_left_out()
    {
        Span<byte> control = stackalloc byte[15];
        var writer = new CmsgWriter(control);

        Assert.False(writer.Put(SOL_IP, IP_TTL, 64));

        Assert.Equal((0, MSG_CTRUNC), (writer.Written, writer.Flags));
        Assert.Equal(new byte[15], control.ToArray());
    }

    [Theory]
    [InlineData(15)]
    [InlineData(25)]
    [InlineData(0)]
    public void An_impossible_length_is_refused(int length)
    {
        var control = new byte[24];
        control[0] = (byte)length;

        var reader = new CmsgReader(control);

        Assert.Equal(-EINVAL, reader.Next());
    }
}
