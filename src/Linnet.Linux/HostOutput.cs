using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Writes to a descriptor as programs in C do. .NET's own streams for standard output and error send a terminal control characters
/// first, which would change it for the programs that run beside.
/// </summary>
/// <param name="fd">The descriptor, which is not closed.</param>
/// <param name="isLastResort">Whether errors are told there, so that nobody can be told of its own.</param>
internal sealed unsafe class HostOutput(int fd, bool isLastResort = false) : Stream
{
    /// <summary>Whether it leads to a pipe that nobody reads any more.</summary>
    public bool IsBroken { get; private set; }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> text)
    {
        fixed (byte* start = text)
        {
            for (int at = 0; at < text.Length;)
            {
                nint written = Native.Write(fd, start + at, (nuint)(text.Length - at));
                if (written >= 0)
                    at += (int)written;
                else if (!MayGoOn(Marshal.GetLastPInvokeError()))
                    return;
            }
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
        // Nothing is held back.
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    // Others that have the open file may have made it non-blocking.
    private bool MayGoOn(int error)
    {
        switch (error)
        {
            case EINTR:
                return true;
            case EAGAIN:
                PollFd ready = new() { Fd = fd, Events = POLLOUT };
                _ = Poll(&ready, 1, -1);
                return true;
            case EPIPE:
                // That is no reason to end what runs, unless somebody says so.
                IsBroken = true;
                return false;
            case var _ when isLastResort:
                return false;
            default:
                throw new IOException(Marshal.GetPInvokeErrorMessage(error));
        }
    }
}
