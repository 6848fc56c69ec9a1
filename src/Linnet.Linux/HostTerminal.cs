using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>The terminal that this process belongs to, for a picture on all of it: keys come one by one, unseen.</summary>
internal sealed unsafe class HostTerminal : IDisposable
{
    // struct termios of the C library, on x86-64.
    private const int TermiosSize = 60;
    private const int LocalFlags = 12;
    private const int ControlCharacters = 17;
    private const int Time = 5;
    private const int Least = 6;
    private const int Suspend = 10;
    private const uint Canonical = 2;
    private const uint Echo = 8;
    private const int Now = 0;

    private readonly int fd;
    private readonly int wakeUp;
    private readonly byte[] before = new byte[TermiosSize];
    private readonly Lock gate = new();
    private bool isPicture;
    private bool isClosed;

    private HostTerminal(int fd)
    {
        this.fd = fd;
        wakeUp = EventFd(0, O_CLOEXEC | O_NONBLOCK);
    }

    /// <summary>Its columns and rows.</summary>
    public (int Width, int Height) Size
    {
        get
        {
            ushort* size = stackalloc ushort[4];
            const int Usual = 80, UsualRows = 24;
            return Ioctl(fd, TIOCGWINSZ, size) == 0 && size[0] != 0 && size[1] != 0 ? (size[1], size[0]) : (Usual, UsualRows);
        }
    }

    /// <summary>Opens it.</summary>
    /// <returns>Null when there is none.</returns>
    public static HostTerminal? Open()
    {
        int fd = Native.Open("/dev/tty", O_RDWR | O_CLOEXEC);
        return fd < 0 ? null : new HostTerminal(fd);
    }

    /// <summary>Begins the picture: another screen than that of the lines so far.</summary>
    public void Begin()
    {
        lock (gate)
        {
            fixed (byte* saved = before)
            {
                if (Tcgetattr(fd, saved) != 0)
                    return;
                byte* changed = stackalloc byte[TermiosSize];
                new ReadOnlySpan<byte>(saved, TermiosSize).CopyTo(new Span<byte>(changed, TermiosSize));
                *(uint*)(changed + LocalFlags) &= ~(Canonical | Echo);
                changed[ControlCharacters + Time] = 0;
                changed[ControlCharacters + Least] = 1;

                // Who is stopped leaves the picture behind.
                changed[ControlCharacters + Suspend] = 0;
                _ = Tcsetattr(fd, Now, changed);
            }

            isPicture = true;
            WriteLocked("\e[?1049h\e[?25l\e[2J"u8);
        }
    }

    /// <summary>Writes to it, while there is a picture.</summary>
    public void Write(ReadOnlySpan<byte> text)
    {
        lock (gate)
        {
            if (isPicture)
                WriteLocked(text);
        }
    }

    /// <summary>Waits for keys.</summary>
    /// <param name="keys">Where their bytes go.</param>
    /// <param name="milliseconds">For how long.</param>
    /// <returns>How many bytes; 0 when none came; negative when the terminal is gone.</returns>
    public int Read(Span<byte> keys, int milliseconds)
    {
        PollFd* fds = stackalloc PollFd[2];
        fds[0] = new PollFd { Fd = fd, Events = POLLIN };
        fds[1] = new PollFd { Fd = wakeUp, Events = POLLIN };
        if (Poll(fds, 2, milliseconds) <= 0 || fds[0].Revents == 0)
            return 0;
        fixed (byte* buffer = keys)
            return Native.Read(fd, buffer, (nuint)keys.Length) is var count and > 0 ? (int)count : -1;
    }

    /// <summary>Ends a wait for keys, and all later ones.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = Native.Write(wakeUp, (byte*)&one, sizeof(ulong));
    }

    /// <summary>Ends the picture; the terminal is as it was.</summary>
    public void End()
    {
        lock (gate)
        {
            if (!isPicture)
                return;
            isPicture = false;
            WriteLocked("\e[?25h\e[?1049l"u8);
            fixed (byte* saved = before)
                _ = Tcsetattr(fd, Now, saved);
        }
    }

    public void Dispose()
    {
        End();
        lock (gate)
        {
            if (isClosed)
                return;
            isClosed = true;
            _ = Close(fd);
            _ = Close(wakeUp);
        }
    }

    private void WriteLocked(ReadOnlySpan<byte> text)
    {
        fixed (byte* start = text)
        {
            for (int at = 0; at < text.Length;)
            {
                nint written = Native.Write(fd, start + at, (nuint)(text.Length - at));
                if (written <= 0)
                    return;
                at += (int)written;
            }
        }
    }
}
