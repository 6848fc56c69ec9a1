using System.Buffers.Text;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Says what the numbers of a process's descriptors mean at the moment, by files of <c>/proc/PID/fdinfo</c> that are kept open:
/// such a file belongs to the number, and each read looks up anew what is there. It takes one call of the host's where a copy of
/// the descriptor takes three, and holds nothing open of the program's.
/// </summary>
/// <param name="pid">The process. Files of one that has ended say nothing any more, even when its number has come to another.</param>
/// <remarks>For one thread at a time.</remarks>
internal sealed unsafe class DescriptorFiles(int pid)
{
    private const int Places = 128;

    // Opening a file takes as long as several reads; numbers that are asked for once or twice are not worth it.
    private const int TimesBefore = 4;
    private const int MostText = 128;

    // Of all processes together: descriptors of this process are for the programs' sockets in the first place.
    private const int MostOpen = 512;

    // All sockets of the host are on one mount, so that no other file's inode can be taken for a socket's.
    private static readonly Lazy<ulong?> MountOfSockets = new(FindMountOfSockets);

    private static int open;

    private readonly Place[] places = new Place[Places];
    private bool isClosed;

    /// <summary>Says what a number means.</summary>
    /// <param name="fd">The number.</param>
    /// <param name="inode">The inode of the socket there; 0 when it is another file.</param>
    /// <param name="flags">The flags of the open file (<c>O_*</c>).</param>
    /// <returns>Whether it is known: otherwise a copy of the descriptor has to tell.</returns>
    public bool TryRead(int fd, out ulong inode, out int flags)
    {
        (inode, flags) = (0, 0);
        if (fd < 0 || isClosed)
            return false;
        ref Place place = ref places[fd % Places];
        if (place.Fd != fd)
        {
            Close(ref place);
            place.Fd = fd;
        }

        if (place.File == null && ++place.Times >= TimesBefore)
            place.File = Open(pid, fd);
        if (place.File is not >= 0)
            return false;
        if (TryRead(place.File.Value, out ulong mount, out inode, out flags))
        {
            if (mount != MountOfSockets.Value)
                inode = 0;
            return true;
        }

        // Nothing is at the number, or the host does not say its inode.
        Close(ref place);
        return false;
    }

    /// <summary>Closes the files.</summary>
    public void Close()
    {
        isClosed = true;
        foreach (ref Place place in places.AsSpan())
            Close(ref place);
    }

    private static int Open(int pid, int fd)
    {
        if (MountOfSockets.Value == null || Volatile.Read(ref open) >= MostOpen)
            return -1;
        int file = Native.Open($"/proc/{pid}/fdinfo/{fd}", O_RDONLY | O_CLOEXEC);
        if (file >= 0)
            Interlocked.Increment(ref open);
        return file;
    }

    private static void Close(ref Place place)
    {
        if (place.File is >= 0 and var file)
        {
            _ = Native.Close(file);
            Interlocked.Decrement(ref open);
        }

        place = default;
    }

    private static bool TryRead(int file, out ulong mount, out ulong inode, out int flags)
    {
        byte* text = stackalloc byte[MostText];
        nint length = PreadOfProc(file, text, MostText, 0);
        ReadOnlySpan<byte> rest = new(text, (int)Math.Max(0, length));
        (mount, inode, flags) = (0, 0, 0);
        return TryTake(ref rest, "pos:\t"u8, out _)
            && TryTake(ref rest, "flags:\t"u8, out ReadOnlySpan<byte> octal) && TryParseOctal(octal, out flags)
            && TryTake(ref rest, "mnt_id:\t"u8, out ReadOnlySpan<byte> number) && Utf8Parser.TryParse(number, out mount, out _)
            && TryTake(ref rest, "ino:\t"u8, out number) && Utf8Parser.TryParse(number, out inode, out _);
    }

    private static bool TryTake(ref ReadOnlySpan<byte> text, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        int end = text.IndexOf((byte)'\n');
        if (end < 0 || !text.StartsWith(name))
        {
            value = default;
            return false;
        }

        value = text[name.Length..end];
        text = text[(end + 1)..];
        return true;
    }

    private static bool TryParseOctal(ReadOnlySpan<byte> digits, out int value)
    {
        value = 0;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'7')
                return false;
            value = (value << 3) | (digit - '0');
        }

        return true;
    }

    private static ulong? FindMountOfSockets()
    {
        int socket = Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket < 0)
            return null;
        int file = Native.Open($"/proc/self/fdinfo/{socket}", O_RDONLY | O_CLOEXEC);
        bool isKnown = TryRead(file, out ulong mount, out _, out _);
        _ = Native.Close(file);
        _ = Native.Close(socket);
        return isKnown ? mount : null;
    }

    private struct Place
    {
        public int Fd;
        // Negative where it cannot be opened.
        public int? File;
        public int Times;
    }
}
