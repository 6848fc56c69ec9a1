using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Makes the Unix sockets that programs hold in place of Linnet's. Those of TCP sockets have a name, by which it is known
/// whether anybody has them open where no pair tells: a name is free again when its socket is closed.
/// </summary>
internal static unsafe class UnixEnds
{
    // The host doubles it, and takes 32 bytes off for a message's largest size: one byte more than UDP's 65507.
    private const int LargestDatagram = (65508 + 32) / 2;

    private const int FamilySize = 2;
    private const int MostName = 108;

    // Nobody else knows it, and so nobody can take a name or connect where only this process is to.
    private static readonly string Secret = Guid.NewGuid().ToString("N");

    private static long connections;

    /// <summary>Makes the two ends of a socket.</summary>
    /// <param name="type"><c>SOCK_STREAM</c> or <c>SOCK_SEQPACKET</c>, which both tell of the other's end.</param>
    /// <param name="nonBlocking">Whether the program's end is to have <c>O_NONBLOCK</c>.</param>
    /// <param name="theirs">The program's end.</param>
    /// <param name="ours">The supervisor's end.</param>
    /// <param name="inode">The identity of the program's end.</param>
    /// <returns>0 or a negative errno.</returns>
    public static int MakePair(int type, bool nonBlocking, out int theirs, out int ours, out ulong inode)
    {
        (theirs, ours, inode) = (-1, -1, 0);
        int* pair = stackalloc int[2];
        if (Socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
            return -Marshal.GetLastPInvokeError();
        (theirs, ours) = (pair[0], pair[1]);
        if (type == SOCK_SEQPACKET)
        {
            // A datagram that is larger than IP can carry is refused at once, with EMSGSIZE.
            int half = LargestDatagram;
            _ = Setsockopt(theirs, SOL_SOCKET, SO_SNDBUF, &half, sizeof(int));
        }

        if (!nonBlocking)
            _ = Fcntl(theirs, F_SETFL, O_RDWR);
        inode = Identify(theirs);
        return type == SOCK_STREAM ? Name(theirs, NameOf(inode)) : 0;
    }

    /// <summary>Makes the program's end alone, as a socket that is not connected has it: poll, read and write say so.</summary>
    /// <param name="nonBlocking">Whether it is to have <c>O_NONBLOCK</c>.</param>
    /// <param name="theirs">The program's end.</param>
    /// <param name="inode">Its identity.</param>
    /// <returns>0 or a negative errno.</returns>
    public static int MakeAlone(bool nonBlocking, out int theirs, out ulong inode)
    {
        inode = 0;
        theirs = Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (nonBlocking ? SOCK_NONBLOCK : 0), 0);
        if (theirs < 0)
            return -Marshal.GetLastPInvokeError();
        inode = Identify(theirs);
        return Name(theirs, NameOf(inode));
    }

    /// <summary>Connects a program's end that was made alone.</summary>
    /// <returns>The supervisor's end, or a negative errno.</returns>
    public static int Connect(int theirs)
    {
        int door = Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (door < 0)
            return -Marshal.GetLastPInvokeError();
        try
        {
            string name = $"linnet-{Secret}-door-{Interlocked.Increment(ref connections)}";
            byte* address = stackalloc byte[FamilySize + MostName];
            uint length = WriteAddress(name, address);
            if (Native.Bind(door, address, length) < 0 || Native.Listen(door, 1) < 0
                || Native.Connect(theirs, address, length) < 0)
                return -Marshal.GetLastPInvokeError();
            int ours = Accept4(door, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK);
            return ours < 0 ? -Marshal.GetLastPInvokeError() : ours;
        }
        finally
        {
            _ = Close(door);
        }
    }

    /// <summary>Whether anybody has a program's end of a TCP socket open.</summary>
    public static bool IsOpen(ulong inode)
    {
        int probe = Native.Socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe < 0)
            return true;
        bool isFree = Name(probe, NameOf(inode)) == 0;
        _ = Close(probe);
        return !isFree;
    }

    private static ulong Identify(int fd)
    {
        HostStat stat;
        if (Fstat(fd, &stat) < 0)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), "cannot identify a socket");
        return stat.Inode;
    }

    private static string NameOf(ulong inode) => string.Create(CultureInfo.InvariantCulture, $"linnet-{Secret}-{inode}");

    private static int Name(int fd, string name)
    {
        byte* address = stackalloc byte[FamilySize + MostName];
        uint length = WriteAddress(name, address);
        return Native.Bind(fd, address, length) < 0 ? -Marshal.GetLastPInvokeError() : 0;
    }

    // An abstract name: it begins with a zero and is no file.
    private static uint WriteAddress(string name, byte* address)
    {
        *(ushort*)address = AF_UNIX;
        address[FamilySize] = 0;
        int length = Encoding.ASCII.GetBytes(name, new Span<byte>(address + FamilySize + 1, MostName - 1));
        return (uint)(FamilySize + 1 + length);
    }
}
