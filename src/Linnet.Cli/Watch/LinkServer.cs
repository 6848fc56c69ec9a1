using System.Net.Sockets;
using System.Text;

namespace Linnet.Cli.Watch;

/// <summary>
/// Lets other terminals change the links: on a Unix socket it takes one line of words and answers with the status in a line and
/// what there is to say.
/// </summary>
internal sealed class LinkServer : IAsyncDisposable
{
    private const int LongestLine = 4096;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly LinkControl control;
    private readonly Socket listener;
    private readonly string path;
    private readonly CancellationTokenSource over = new();
    private readonly Task serving;

    private LinkServer(LinkControl control, Socket listener, string path)
    {
        this.control = control;
        this.listener = listener;
        this.path = path;
        serving = ServeAsync();
    }

    /// <summary>Begins to listen.</summary>
    /// <param name="control">Does what is said.</param>
    /// <param name="folder">Where the socket is.</param>
    /// <returns>Null where there can be no such socket; then nobody finds it.</returns>
    public static LinkServer? Start(LinkControl control, LinkFolder folder)
    {
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            folder.Prepare();
            string path = folder.PathOf(Environment.ProcessId);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            return new LinkServer(control, listener, path);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
        {
            listener.Dispose();
            return null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        listener.Dispose();
        File.Delete(path);
        await serving;
        over.Dispose();
    }

    private async Task ServeAsync()
    {
        while (true)
        {
            Socket connection;
            try
            {
                connection = await listener.AcceptAsync(over.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            await AnswerAsync(connection);
        }
    }

    // One after the other: who holds up the others is heard for a while only.
    private async Task AnswerAsync(Socket connection)
    {
        try
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
            limit.CancelAfter(Patience);
            await using NetworkStream stream = new(connection, ownsSocket: true);
            if (await ReadLineAsync(stream, limit.Token) is not { } line)
                return;
            LinkAnswer answer = control.Do(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            await stream.WriteAsync(Encoding.UTF8.GetBytes($"{answer.Status}\n{answer.Text}"), limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The other one went away, or is too slow.
        }
    }

    private static async Task<string?> ReadLineAsync(NetworkStream stream, CancellationToken cancellation)
    {
        byte[] buffer = new byte[LongestLine];
        int length = 0;
        while (length < buffer.Length)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(length), cancellation);
            if (read == 0)
                return null;
            length += read;
            if (Array.IndexOf(buffer, (byte)'\n', 0, length) is var end and >= 0)
                return Encoding.UTF8.GetString(buffer, 0, end);
        }

        return null;
    }
}
