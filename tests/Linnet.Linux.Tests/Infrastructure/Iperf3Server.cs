using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>
/// The server's side of one iperf3 test, on Linnet: iperf3's control protocol over one TCP connection (a byte for each change of
/// state, JSON with its length before it), and the TCP streams of the test, in the direction that the client asks for.
/// </summary>
internal sealed class Iperf3Server : IDisposable
{
    private const int CookieLength = 37;
    private const byte TestStart = 1;
    private const byte TestRunning = 2;
    private const byte TestEnd = 4;
    private const byte ParamExchange = 9;
    private const byte CreateStreams = 10;
    private const byte ExchangeResults = 13;
    private const byte DisplayResults = 14;
    private const byte IperfDone = 16;

    private readonly LinnetSocket listener;
    private readonly List<(LinnetStream Stream, long[] Bytes)> streams = [];

    public Iperf3Server(Host host) => listener = host.Listen(5201);

    /// <summary>Bytes that the client says it sent or received.</summary>
    public long ClientBytes { get; private set; }

    /// <summary>Bytes that were received or sent here.</summary>
    public long Bytes => streams.Sum(stream => Volatile.Read(ref stream.Bytes[0]));

    /// <summary>Serves one test to its end.</summary>
    public async Task RunOnce()
    {
        using LinnetStream control = (await listener.AcceptAsync()).GetStream();
        byte[] cookie = new byte[CookieLength];
        await control.ReadExactlyAsync(cookie);
        await Tell(control, ParamExchange);
        JsonNode parameters = await ReadJson(control);
        bool sends = parameters["reverse"]?.GetValue<bool>() == true;
        int count = parameters["parallel"]?.GetValue<int>() ?? 1;
        int block = parameters["len"]?.GetValue<int>() ?? 128 * 1024;
        await Tell(control, CreateStreams);
        for (int i = 0; i < count; i++)
        {
            LinnetStream stream = (await listener.AcceptAsync()).GetStream();
            byte[] same = new byte[CookieLength];
            await stream.ReadExactlyAsync(same);
            Assert.Equal(cookie, same);
            streams.Add((stream, new long[1]));
        }

        await Tell(control, TestStart);
        await Tell(control, TestRunning);
        using CancellationTokenSource over = new();
        Task[] running = [.. streams.Select(s => sends ? Send(s.Stream, s.Bytes, block, over.Token) : Receive(s.Stream, s.Bytes, block))];
        Assert.Equal(TestEnd, await Listen(control));
        over.Cancel();

        // A client that receives waits for a whole block or the end.
        if (sends)
        {
            await Task.WhenAll(running);
            foreach ((LinnetStream stream, _) in streams)
                stream.Dispose();
        }

        await Tell(control, ExchangeResults);
        JsonNode theirs = await ReadJson(control);
        ClientBytes = theirs["streams"]!.AsArray().Sum(stream => stream!["bytes"]!.GetValue<long>());
        await WriteJson(control, Results(sends));
        await Tell(control, DisplayResults);
        Assert.Equal(IperfDone, await Listen(control));
        await Task.WhenAll(running);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((LinnetStream stream, _) in streams)
            stream.Dispose();
        listener.Dispose();
    }

    private static async Task Send(LinnetStream stream, long[] bytes, int block, CancellationToken over)
    {
        byte[] data = new byte[block];
        try
        {
            while (!over.IsCancellationRequested)
            {
                await stream.WriteAsync(data, over);
                Interlocked.Add(ref bytes[0], block);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client has had enough.
        }
    }

    private static async Task Receive(LinnetStream stream, long[] bytes, int block)
    {
        byte[] data = new byte[block];
        for (int n; (n = await stream.ReadAsync(data)) > 0;)
            Interlocked.Add(ref bytes[0], n);
    }

    private JsonObject Results(bool sends) => new()
    {
        ["cpu_util_total"] = 0.0,
        ["cpu_util_user"] = 0.0,
        ["cpu_util_system"] = 0.0,
        ["sender_has_retransmits"] = sends ? 0 : -1,
        ["streams"] = new JsonArray([.. streams.Select((stream, i) => (JsonNode)new JsonObject
        {
            ["id"] = i == 0 ? 1 : i + 2,
            ["bytes"] = Volatile.Read(ref stream.Bytes[0]),
            ["retransmits"] = sends ? 0 : -1,
            ["jitter"] = 0.0,
            ["errors"] = 0,
            ["packets"] = 0,
            ["start_time"] = 0.0,
            ["end_time"] = 1.0,
        })]),
    };

    private static async Task Tell(LinnetStream control, byte state) => await control.WriteAsync(new[] { state });

    private static async Task<byte> Listen(LinnetStream control)
    {
        byte[] state = new byte[1];
        await control.ReadExactlyAsync(state);
        return state[0];
    }

    private static async Task<JsonNode> ReadJson(LinnetStream control)
    {
        byte[] head = new byte[4];
        await control.ReadExactlyAsync(head);
        byte[] text = new byte[BinaryPrimitives.ReadInt32BigEndian(head)];
        await control.ReadExactlyAsync(text);
        return JsonNode.Parse(text) ?? throw new JsonException("no JSON");
    }

    private static async Task WriteJson(LinnetStream control, JsonObject value)
    {
        byte[] text = Encoding.UTF8.GetBytes(value.ToJsonString());
        byte[] head = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(head, text.Length);
        await control.WriteAsync(head);
        await control.WriteAsync(text);
    }
}
