using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Receiving on TCP sockets, as far as the program's end does not do it alone.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    private const int MsghdrSize = 56;
    private const int MostIovecs = 1024;
    private const int MostAtOnce = 256 * 1024;

    [ThreadStatic]
    private static byte[]? received;

    private long ReceiveOnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        (int flags, bool plain) = Shape(call, process);
        if ((flags & MSG_ERRQUEUE) != 0 || shadow.State is StreamState.Fresh or StreamState.Listening)
            return Ask(call, process, shadow);
        int fd = (int)call.Arguments[0];
        if (AskAboutData(call, process, shadow, fd) is var refusal and not LeftToHost)
            return refusal;
        if ((plain && (flags & MSG_TRUNC) == 0) || (flags & MSG_OOB) != 0 || call.Nr == __NR_recvmmsg)
            return LeftToHost;

        // The pair has a name that is nobody's business, and does not throw data away unread.
        StreamReceive receive = new(call, process, flags);
        int err = receive.ReadShape();
        if (err < 0)
            return err;
        bool mayWait = end.IsBlocking && (flags & MSG_DONTWAIT) == 0;
        return receive.Take(end.Number, mayWait) is { } result
            ? result
            : Wait(call, process, shadow, SO_RCVTIMEO, -EAGAIN, () => WithEnd(shadow, process, fd, theirs => receive.Take(theirs, mayWait: true) ?? -EAGAIN));
    }

    /// <summary>A receive that is made for the program, whose descriptor is read here and whose memory is written.</summary>
    private sealed class StreamReceive(SeccompCall call, HostProcess process, int flags)
    {
        private readonly List<(ulong Address, int Length)> pieces = [];
        private long wanted;
        private long done;

        /// <summary>Finds out where the data goes.</summary>
        /// <returns>0 or a negative errno.</returns>
        public int ReadShape()
        {
            if (call.Nr == __NR_recvfrom)
            {
                Add(call.Arguments[1], call.Arguments[2]);
                return 0;
            }

            Span<byte> msghdr = stackalloc byte[MsghdrSize];
            if (process.Memory.CopyFromUser(msghdr, call.Arguments[1]) != 0)
                return -EFAULT;
            ulong iov = MemoryMarshal.Read<ulong>(msghdr[16..]), count = MemoryMarshal.Read<ulong>(msghdr[24..]);
            if (count > MostIovecs)
                return -EMSGSIZE;
            ulong[] vector = new ulong[count * 2];
            if (process.Memory.CopyFromUser(MemoryMarshal.AsBytes(vector.AsSpan()), iov) != 0)
                return -EFAULT;
            for (int i = 0; i < vector.Length; i += 2)
                Add(vector[i], vector[i + 1]);
            return 0;
        }

        /// <summary>Takes what is there.</summary>
        /// <returns>The call's result; null when it has to wait.</returns>
        public long? Take(int theirs, bool mayWait)
        {
            bool all = (flags & MSG_WAITALL) != 0 && (flags & MSG_PEEK) == 0;
            while (true)
            {
                long taken = TakePiece(theirs, (int)Math.Min(wanted - done, MostAtOnce));
                if (taken == -EAGAIN && mayWait && (done == 0 || all))
                    return null;
                if (taken < 0)
                    return done > 0 ? Finish() : taken;
                done += taken;
                if (taken == 0 || done == wanted || (flags & MSG_PEEK) != 0)
                    return Finish();
            }
        }

        private void Add(ulong address, ulong length)
        {
            int size = (int)Math.Min(length, int.MaxValue);
            pieces.Add((address, size));
            wanted += size;
        }

        private long TakePiece(int theirs, int length)
        {
            byte[] buffer = received ??= GC.AllocateUninitializedArray<byte>(MostAtOnce, pinned: true);
            fixed (byte* bytes = buffer)
            {
                nint n = Native.Recv(theirs, bytes, (nuint)length, (flags & (MSG_PEEK | MSG_TRUNC)) | MSG_DONTWAIT);
                if (n < 0)
                    return -Marshal.GetLastPInvokeError();
                return (flags & MSG_TRUNC) != 0 || Scatter(buffer.AsSpan(0, (int)Math.Min(n, length))) ? n : -EFAULT;
            }
        }

        private bool Scatter(ReadOnlySpan<byte> data)
        {
            long before = done;
            foreach ((ulong address, int length) in pieces)
            {
                if (before >= length)
                {
                    before -= length;
                    continue;
                }

                int n = (int)Math.Min(data.Length, length - before);
                if (process.Memory.CopyToUser(address + (ulong)before, data[..n]) != 0)
                    return false;
                data = data[n..];
                before = 0;
                if (data.IsEmpty)
                    break;
            }

            return true;
        }

        // TCP tells no sender: what is known of it is known of the socket.
        private long Finish()
        {
            const int NamelenOffset = 8, ControllenOffset = 40, FlagsOffset = 48;
            ReadOnlySpan<byte> nothing = stackalloc byte[sizeof(ulong)];
            if (call.Nr == __NR_recvfrom && call.Arguments[4] == 0)
                return done;
            if (call.Nr == __NR_recvfrom)
                return process.Memory.CopyToUser(call.Arguments[5], nothing[..sizeof(int)]) == 0 ? done : -EFAULT;
            ulong msghdr = call.Arguments[1];
            return process.Memory.CopyToUser(msghdr + NamelenOffset, nothing[..sizeof(int)]) == 0
                && process.Memory.CopyToUser(msghdr + ControllenOffset, nothing) == 0
                && process.Memory.CopyToUser(msghdr + FlagsOffset, nothing[..sizeof(int)]) == 0
                ? done
                : -EFAULT;
        }
    }
}
