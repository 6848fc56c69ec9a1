using System.Text;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Which program a process is at the moment: <c>exec</c> makes it another, and it may name itself.</summary>
/// <param name="pid">The process.</param>
/// <remarks>For one thread at a time.</remarks>
internal sealed unsafe class ProgramName(int pid)
{
    private const int MostComm = 64;
    private const int MostPath = 4096;

    private readonly byte[] exe = Encoding.ASCII.GetBytes($"/proc/{pid}/exe\0");
    private readonly int file = Open($"/proc/{pid}/comm", O_RDONLY | O_CLOEXEC);
    private byte[] commBytes = [];
    private byte[] pathBytes = [];

    /// <summary>Its short name; null when it is unknown.</summary>
    public string? Comm { get; private set; }

    /// <summary>The file that it runs; null when it is unknown.</summary>
    public string? Path { get; private set; }

    /// <summary>Looks again. What cannot be found out, as when it has ended, stays.</summary>
    public void Read()
    {
        byte* buffer = stackalloc byte[MostPath];
        nint length = file < 0 ? -1 : PreadOfProc(file, buffer, MostComm, 0);
        if (length > 0 && Changes(ref commBytes, new ReadOnlySpan<byte>(buffer, (int)length)))
            Comm = Encoding.UTF8.GetString(commBytes).TrimEnd('\n');
        fixed (byte* link = exe)
            length = Readlink(link, buffer, MostPath);
        if (length > 0 && Changes(ref pathBytes, new ReadOnlySpan<byte>(buffer, (int)length)))
            Path = Encoding.UTF8.GetString(pathBytes);
    }

    /// <summary>Looks no more.</summary>
    public void Close()
    {
        if (file >= 0)
            _ = Native.Close(file);
    }

    private static bool Changes(ref byte[] known, ReadOnlySpan<byte> now)
    {
        if (now.SequenceEqual(known))
            return false;
        known = now.ToArray();
        return true;
    }
}
