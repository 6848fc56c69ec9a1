using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CsCheck;

namespace Linnet.Linux.Tests.Egress;

/// <summary>The answers to questions for names.</summary>
public sealed class DnsTests
{
    private const ushort TypeMx = 15;
    private const int FlagsOffset = 2;
    private const int AnswersOffset = 6;
    private const int CodeMask = 0xF;

    private readonly NameTable names = new();

    public DnsTests() => names.Add("Web", IPAddress.Parse("10.0.0.7"));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("web", DnsMessage.TypeA, 0, 1, "0A-00-00-07")]
    [InlineData("WEB", DnsMessage.TypeA, 0, 1, "0A-00-00-07")]
    [InlineData("web", DnsMessage.TypeAaaa, 0, 0, null)]
    [InlineData("7.0.0.10.in-addr.arpa", DnsMessage.TypePtr, 0, 1, "03-57-65-62-00")]
    [InlineData("8.0.0.10.in-addr.arpa", DnsMessage.TypePtr, DnsMessage.NameError, 0, null)]
    [InlineData("x.in-addr.arpa", DnsMessage.TypePtr, DnsMessage.NameError, 0, null)]
    [InlineData("nowhere", DnsMessage.TypeA, DnsMessage.NameError, 0, null)]
    public async Task A_question_about_the_inside(string name, ushort type, int code, int records, string? data)
    {
        byte[] query = Query(name, type);
        byte[]? answer = await names.AnswerAsync(query, askOutside: false, streamed: false, Token);
        Assert.NotNull(answer);
        int flags = BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(FlagsOffset));
        Assert.Equal((code, records), (flags & CodeMask, BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(AnswersOffset))));
        Assert.Equal(query[..2], answer[..2]);
        Assert.Equal(query[DnsMessage.HeaderSize..], answer[DnsMessage.HeaderSize..query.Length]);
        if (data != null)
            Assert.EndsWith(data, BitConverter.ToString(answer));
        Assert.Equal(data != null || type == DnsMessage.TypeAaaa, (flags & DnsMessage.Authoritative) != 0);
    }

    [Fact]
    public async Task What_is_no_query_gets_no_answer()
    {
        byte[] query = Query("web", DnsMessage.TypeA);
        Assert.Null(await names.AnswerAsync(query[..^1], askOutside: false, streamed: false, Token));
        query[FlagsOffset] |= 0x80;
        Assert.Null(await names.AnswerAsync(query, askOutside: false, streamed: false, Token));
        Gen.Byte.Array[0, 64].Sample(
            bytes => names.AnswerAsync(bytes, askOutside: false, streamed: false, Token).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task Other_questions_are_carried_to_the_server_outside()
    {
        using Socket server = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        byte[] query = Query("linnet.test", TypeMx);
        Task<byte[]> asking = OutsideResolver.AskAsync((IPEndPoint)server.LocalEndPoint!, query, streamed: false, Token);
        byte[] buffer = new byte[512];
        SocketReceiveFromResult got = await server.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), Token);
        Assert.Equal(query, buffer[..got.ReceivedBytes]);
        byte[] forged = [.. query];
        forged[0] ^= 1;
        await server.SendToAsync(forged, SocketFlags.None, got.RemoteEndPoint, Token);
        byte[] answer = DnsMessage.Answer(query, query.Length, flags: 0, ttl: 60, [[0, 10, .. DnsMessage.WriteName("mail")]]);
        await server.SendToAsync(answer, SocketFlags.None, got.RemoteEndPoint, Token);
        Assert.Equal(answer, await asking);
    }

    [Fact]
    public async Task A_question_by_TCP_is_carried_by_TCP()
    {
        using TcpListener server = new(IPAddress.Loopback, 0);
        server.Start();
        byte[] query = Query("linnet.test", TypeMx);
        Task<byte[]> asking = OutsideResolver.AskAsync((IPEndPoint)server.LocalEndpoint, query, streamed: true, Token);
        using TcpClient client = await server.AcceptTcpClientAsync(Token);
        Assert.Equal(query, await DnsStream.ReadAsync(client.GetStream(), Token));
        byte[] answer = [.. query, .. new byte[2000]];
        await DnsStream.WriteAsync(client.GetStream(), answer, Token);
        Assert.Equal(answer, await asking);
    }

    private static byte[] Query(string name, ushort type) =>
    [
        0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0,
        .. DnsMessage.WriteName(name), (byte)(type >> 8), (byte)type, 0, 1,
    ];
}
