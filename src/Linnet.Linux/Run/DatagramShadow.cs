using System.Runtime.InteropServices;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// A UDP, ping, raw or packet socket as a program has it. A copy of the first datagram in Linnet's queue lies in the program's
/// end, so that it is readable and plain reads find the data; the datagram itself stays in the queue, from where calls that
/// want its sender, its control messages or its flags take it, exactly as Linnet's socket gives it.
/// </summary>
internal sealed unsafe class DatagramShadow(Supervisor supervisor, Syscalls owner, int fd, int end, ulong inode)
    : ShadowSocket(supervisor, owner, fd, end, inode)
{
    private const int LargestDatagram = 65536;

    [ThreadStatic]
    private static byte[]? scratch;

    /// <summary>Whether it is a netlink socket, which makes answers of many messages as they are read.</summary>
    public bool IsNetlink { get; init; }

    private bool isShown;
    private bool isErrorShown;

    private static byte[] Scratch => scratch ??= GC.AllocateUninitializedArray<byte>(LargestDatagram, pinned: true);

    /// <inheritdoc/>
    /// <remarks>Room in the pair says that the program has read the copy.</remarks>
    public override uint Watched => EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

    /// <summary>Takes back the copy, or finds that the program has read it: afterwards Linnet's queue alone holds what is unread.</summary>
    /// <param name="theirs">The program's end.</param>
    public void TakeBack(int theirs)
    {
        if (!isShown)
            return;
        byte nothing;
        nint taken = Native.Recv(theirs, &nothing, 0, MSG_DONTWAIT | MSG_TRUNC);
        if (taken < 0)
            Consumed();
        isShown = isErrorShown = false;
    }

    /// <summary>Whether an error is pending, of which the program's end tells by an empty datagram.</summary>
    public bool IsErrorShown => isErrorShown;

    /// <summary>Puts a copy of the first datagram in the program's end.</summary>
    public void Show()
    {
        if (isShown)
            return;
        Span<byte> buffer = Scratch;
        uint ready = Readiness;
        if ((ready & EPOLLERR) != 0)
        {
            // An error makes the program look: plain reads find an empty datagram, other calls the error itself.
            isShown = isErrorShown = SendToProgram([]);
            return;
        }

        if ((ready & EPOLLIN) == 0)
            return;
        if (IsNetlink)
        {
            // How much is read into says how large the parts of a dump may be: the copy must not ask for more than it gets.
            long size = Owner.Recv(Fd, [], MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
            buffer = buffer[..(int)Math.Clamp(size, 0, LargestDatagram)];
        }

        // The program has not read it, of which SIOCGSTAMP tells.
        long stamp = Socket.Sk?.SkStamp ?? 0;
        long length = Owner.Recv(Fd, buffer, MSG_DONTWAIT | MSG_PEEK);
        if (Socket.Sk is { } sk)
            sk.SkStamp = stamp;
        if (length >= 0)
            isShown = SendToProgram(buffer[..(int)length]);
    }

    /// <summary>Sends what the program wrote to its end.</summary>
    public void Flush()
    {
        fixed (byte* buffer = Scratch)
        {
            while (!IsClosed)
            {
                nint read = Native.Recv(End, buffer, LargestDatagram, MSG_DONTWAIT);
                if (read < 0 && Marshal.GetLastPInvokeError() == EAGAIN)
                    return;
                if (read <= 0 && HasHungUp)
                {
                    Close();
                    return;
                }

                if (read < 0)
                    return;

                // What UDP's queue has no room for is lost, as it would be further on.
                _ = SendToNetwork(new ReadOnlySpan<byte>(buffer, (int)read));
            }
        }
    }

    /// <inheritdoc/>
    protected override void Carry()
    {
        // What Linnet lacks of netlink is what the program asked for.
        using UnsupportedRequests.ActingScope scope = UnsupportedRequests.ActFor(LastSeen.Process?.Task);
        if (MayHaveWritten)
            Flush();
        if (IsClosed)
            return;
        if (isShown && Unread() == 0)
        {
            Consumed();
            isShown = isErrorShown = false;
        }

        Show();
    }

    private bool SendToProgram(ReadOnlySpan<byte> datagram)
    {
        fixed (byte* data = datagram)
        {
            byte nothing;
            return Native.Send(End, datagram.IsEmpty ? &nothing : data, (nuint)datagram.Length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
        }
    }

    // The program has read the copy: the datagram goes too.
    private void Consumed()
    {
        if (isErrorShown)
            _ = Owner.Getsockopt(Fd, SOL_SOCKET, SO_ERROR, out _);
        else
            _ = ReceiveFromNetwork(Supervisor.Observer == null ? [] : Scratch, MSG_DONTWAIT | MSG_TRUNC);
    }

    private int Unread()
    {
        int unread = 0;
        return Ioctl(End, SIOCOUTQ, &unread) < 0 ? 0 : unread;
    }
}
