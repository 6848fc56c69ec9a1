using System.Runtime.InteropServices;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Trace;

/// <summary>What a trace says of messages and of options, behind the pointers of the calls.</summary>
public class TracedMessageTests : SocketFixture
{
    private const ulong Message = Buffer + 0x5000, Vector = Message + 0x400, Data = Message + 0x800;

    private readonly TraceTree tree = new();

    [Fact]
    public void Messages_are_shown_with_their_pieces()
    {
        (int a, int b) = NewPair();
        Memory.Put(Data, "abc\n"u8.ToArray());
        PutMessage(0, (Data, 3), (Data + 3, 1));
        TraceCall sent = Traced(__NR_sendmsg, a, (long)Message, MSG_DONTWAIT);
        Assert.Equal(@"{ .iov: [{ ""abc"", 3 }, { ""\n"", 1 }] }", sent.Arguments[1].Text);
        Assert.Equal("MSG_DONTWAIT", sent.Arguments[2].Text);
        PutMessage(0, (Data, 100));
        TraceCall received = Traced(__NR_recvmsg, b, (long)Message, 0);
        Assert.Equal(@"{ .iov: [{ ""abc\n"", 100 }] }", Assert.Single(received.Outputs).Text);
    }

    [Fact]
    public void Several_messages_are_shown_as_far_as_they_were_received()
    {
        (int a, int b) = NewPair(type: SOCK_DGRAM);
        Memory.Put(Data, "abcdef"u8.ToArray());
        PutMessage(0, (Data, 2));
        PutMessage(1, (Data + 2, 3));
        TraceCall sent = Traced(__NR_sendmmsg, a, (long)Message, 2, 0);
        Assert.Equal(@"[{ .iov: [{ ""ab"", 2 }] }, { .iov: [{ ""cde"", 3 }] }]", sent.Arguments[1].Text);
        PutMessage(0, (Data, 2));
        PutMessage(1, (Data + 9, 9));
        TraceCall received = Traced(__NR_recvmmsg, b, (long)Message, 2, MSG_DONTWAIT, 0);
        Assert.Equal(@"[{ .iov: [{ ""ab"", 2 }] }, { .iov: [{ ""cde"", 9 }] }]", Assert.Single(received.Outputs).Text);
    }

    [Fact]
    public void What_cannot_be_read_is_shown_as_a_pointer()
    {
        (int a, _) = NewPair();
        Assert.Equal("0x10", Traced(__NR_sendmsg, a, 0x10, 0).Arguments[1].Text);
    }

    [Fact]
    public void A_session_can_leave_out_what_recorded_calls_call()
    {
        TraceTree outermost = new();
        using (TraceSession.Start(tree, Beautifier.Instance, Machine))
        using (TraceSession.Start(outermost, Beautifier.Instance, Machine, onlyOutermost: true))
            Call(__NR_socket, Toy, SOCK_STREAM, 0);
        Assert.NotEmpty(Assert.Single(tree.Roots).Children);
        Assert.Empty(Assert.Single(outermost.Roots).Children);
    }

    [Theory]
    [InlineData(SOL_SOCKET, SO_LINGER, new byte[] { 1, 0, 0, 0, 5, 0, 0, 0 }, "{ .onoff: 1, .linger: 5 }")]
    [InlineData(SOL_SOCKET, SO_RCVTIMEO, new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 }, "{ 2.000001 s }")]
    [InlineData(SOL_TCP, TCP_CONGESTION, new byte[] { (byte)'r', (byte)'e', (byte)'n', (byte)'o', 0, 0 }, "\"reno\"")]
    [InlineData(SOL_TCP, TCP_NODELAY, new byte[] { 1, 0, 0, 0 }, "[1]")]
    [InlineData(SOL_IP, IP_TTL, new byte[] { 64 }, "[64]")]
    [InlineData(SOL_IP, 1234, new byte[] { 1, 2, 3 }, @"""\x01\x02\x03""")]
    public void Options_say_what_they_are(int level, int name, byte[] value, string text) =>
        Assert.Equal(text, OptionText.OfOption(level, name, value, value.Length));

    [Theory]
    [InlineData(SOL_IP, IP_PKTINFO, new byte[] { 2, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9 }, "{ .ifindex: 2, .spec_dst: 10.0.0.1, .addr: 10.0.0.9 }")]
    [InlineData(SOL_SOCKET, SO_TIMESTAMP, new byte[] { 3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0 }, "{ 3.000009 s }")]
    [InlineData(SOL_IP, IP_RECVERR, new byte[] { 111, 0, 0, 0, 2, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
        "{ .errno: ECONNREFUSED, .origin: SO_EE_ORIGIN_ICMP, .type: 3, .code: 3, .info: 0 }")]
    [InlineData(SOL_IP, IP_TTL, new byte[] { 64, 0, 0, 0 }, "[64]")]
    public void Control_messages_say_what_they_are(int level, int type, byte[] data, string text) =>
        Assert.Equal(text, OptionText.OfControl(level, type, data));

    private TraceCall Traced(int nr, params long[] arguments)
    {
        using (TraceSession.Start(tree, Beautifier.Instance, Machine))
            Call(nr, arguments);
        return tree.Take().Last(root => root.Call.Point.Symbol.StartsWith("__x64_sys_", StringComparison.Ordinal)).Call;
    }

    private void PutMessage(int index, params (ulong Base, ulong Length)[] pieces)
    {
        // A message alone is where the first of several is.
        ulong vector = Vector + ((ulong)index * 0x100);
        Iovec[] iov = [.. pieces.Select(piece => new Iovec { IovBase = piece.Base, IovLen = piece.Length })];
        Memory.Put(vector, MemoryMarshal.AsBytes(iov.AsSpan()).ToArray());
        Mmsghdr[] message = [new() { MsgHdr = new UserMsghdr { MsgIov = vector, MsgIovlen = (ulong)iov.Length } }];
        Memory.Put(Message + ((ulong)(index * Marshal.SizeOf<Mmsghdr>())), MemoryMarshal.AsBytes(message.AsSpan()).ToArray());
    }
}
