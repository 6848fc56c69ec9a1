using System.Buffers.Binary;
using System.Text;

namespace Linnet.Cli.Watch;

/// <summary>Keeps what programs write while there is a picture: the last lines to look at, and all of it to be printed afterwards.</summary>
internal sealed class OutputStore : IDisposable
{
    private const int KeptLines = 200;
    private const int LongestLine = 4096;
    private const int HeadSize = 5;

    private readonly Lock gate = new();
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("linnet-");
    private readonly FileStream file;
    private readonly Queue<string> lines = [];
    private readonly (Decoder Decoder, StringBuilder Begun)[] streams;
    private bool isClosed;

    /// <summary>Makes one.</summary>
    public OutputStore()
    {
        file = new FileStream(Path.Combine(folder.FullName, "output"), FileMode.CreateNew, FileAccess.ReadWrite);
        streams = [(Encoding.UTF8.GetDecoder(), new StringBuilder()), (Encoding.UTF8.GetDecoder(), new StringBuilder())];
    }

    /// <summary>Takes bytes.</summary>
    /// <param name="isError">Whether they are for standard error.</param>
    /// <param name="bytes">The bytes.</param>
    public void Add(bool isError, ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            if (isClosed)
                return;
            Span<byte> head = stackalloc byte[HeadSize];
            head[0] = isError ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteInt32LittleEndian(head[1..], bytes.Length);
            file.Write(head);
            file.Write(bytes);
            Split(streams[isError ? 1 : 0], bytes);
        }
    }

    /// <summary>The last lines; one that has not ended yet too.</summary>
    public IReadOnlyList<string> Last()
    {
        lock (gate)
            return [.. lines, .. streams.Where(stream => stream.Begun.Length > 0).Select(stream => stream.Begun.ToString())];
    }

    /// <summary>Writes all of it, in the order in which it came.</summary>
    public void CopyTo(Stream output, Stream error)
    {
        lock (gate)
        {
            file.Position = 0;
            byte[] head = new byte[HeadSize];
            while (file.ReadAtLeast(head, HeadSize, throwOnEndOfStream: false) == HeadSize)
            {
                byte[] bytes = new byte[BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(1))];
                file.ReadExactly(bytes);
                (head[0] == 0 ? output : error).Write(bytes);
            }
        }
    }

    /// <summary>Forgets it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isClosed = true;
            file.Dispose();
            folder.Delete(recursive: true);
        }
    }

    private void Split((Decoder Decoder, StringBuilder Begun) stream, ReadOnlySpan<byte> bytes)
    {
        char[] characters = new char[stream.Decoder.GetCharCount(bytes, flush: false)];
        stream.Decoder.GetChars(bytes, characters, flush: false);
        foreach (char character in characters)
        {
            if (character != '\n' && stream.Begun.Length < LongestLine)
            {
                stream.Begun.Append(character);
                continue;
            }

            lines.Enqueue(stream.Begun.ToString());
            stream.Begun.Clear();
            if (character != '\n')
                stream.Begun.Append(character);
            if (lines.Count > KeptLines)
                lines.Dequeue();
        }
    }
}

/// <summary>Writes into an <see cref="OutputStore"/>.</summary>
/// <param name="store">The store.</param>
/// <param name="isError">Whether it stands for standard error.</param>
internal sealed class StoreWriter(OutputStore store, bool isError) : TextWriter
{
    /// <inheritdoc/>
    public override Encoding Encoding => Encoding.UTF8;

    /// <inheritdoc/>
    public override void Write(char value) => Write(value.ToString());

    /// <inheritdoc/>
    public override void Write(string? value) => store.Add(isError, Encoding.GetBytes(value ?? ""));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Write(value + "\n");
}
