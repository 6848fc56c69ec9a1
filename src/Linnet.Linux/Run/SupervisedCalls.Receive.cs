using System.Buffers;
using System.Runtime.InteropServices;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Receiving on TCP sockets, as far as the program's end does not do it alone.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    private const int MsghdrSize = 56;
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
        PendingCall? earlier = shadow.TakeEarlier(call);
        StreamReceive receive = earlier?.Progress as StreamReceive ?? new StreamReceive(call, process, flags);
        int err = receive.ReadShape();
        if (err < 0)
            return err;
        bool mayWait = end.IsBlocking && (flags & MSG_DONTWAIT) == 0;
        return receive.Take(end.Number, mayWait) is { } result
            ? result
            : Wait(call, process, shadow, SO_RCVTIMEO, -EAGAIN, () => WithEnd(shadow, process, fd, theirs => receive.Take(theirs, mayWait: true) ?? -EAGAIN), receive, earlier);
    }

    /// <summary>A receive that is made for the program, whose descriptor is read here and whose memory is written.</summary>
    private sealed class StreamReceive(SeccompCall call, HostProcess process, int flags) : CallProgress
    {
        private readonly List<(ulong Address, int Length)> pieces = [];
        private long wanted;
        private long done;

        /// <summary>Finds out where the data goes.</summary>
        /// <returns>0 or a negative errno.</returns>
        public int ReadShape()
        {
            if (done > 0)
                return 0;
            pieces.Clear();
            wanted = 0;
            if (call.Nr == __NR_recvfrom)
            {
                Add(call.Arguments[1], Math.Min(call.Arguments[2], (ulong)Uaccess.MaxRwCount));
                return IsInReach(call) ? 0 : -EFAULT;
            }

            const int NamelenOffset = 8, IovOffset = 16, IovlenOffset = 24;
            Span<byte> msghdr = stackalloc byte[MsghdrSize];
            if (process.Memory.CopyFromUser(msghdr, call.Arguments[1]) != 0)
                return -EFAULT;
            if (MemoryMarshal.Read<ulong>(msghdr) != 0 && MemoryMarshal.Read<int>(msghdr[NamelenOffset..]) < 0)
                return -EINVAL;
            ulong count = MemoryMarshal.Read<ulong>(msghdr[IovlenOffset..]);
            if (count > UIO_MAXIOV)
                return -EMSGSIZE;
            Iovec[] vector = [];
            Sockptr iov = new(process.Memory, MemoryMarshal.Read<ulong>(msghdr[IovOffset..]));
            long total = Uaccess.ImportIovec(iov, count, ref vector, out _);
            foreach (Iovec piece in vector.AsSpan(0, total < 0 ? 0 : (int)count))
                Add(piece.IovBase, piece.IovLen);
            return (int)Math.Min(total, 0);
        }

        /// <inheritdoc/>
        public override long? Stop() => done > 0 ? Finish() : null;

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
            pieces.Add((address, (int)length));
            wanted += (int)length;
        }

        private long TakePiece(int theirs, int length)
        {
            byte[] buffer = received ??= GC.AllocateUninitializedArray<byte>(MostAtOnce, pinned: true);
            fixed (byte* bytes = buffer)
            {
                if ((flags & MSG_TRUNC) != 0)
                    return Receive(theirs, bytes, length, flags & (MSG_PEEK | MSG_TRUNC));
                long peeked = Receive(theirs, bytes, length, MSG_PEEK);
                if (peeked < 0)
                    return peeked;

                // What cannot be written stays to be read, as does what nobody waits for any more.
                if (!HostProcess.IsCallerWaiting)
                    return -EAGAIN;
                if (!Scatter(buffer.AsSpan(0, (int)peeked)))
                    return -EFAULT;
                if (peeked == 0 || (flags & MSG_PEEK) != 0)
                    return peeked;
                byte[] taken = ArrayPool<byte>.Shared.Rent((int)peeked);
                try
                {
                    fixed (byte* room = taken)
                    {
                        // Who reads at the same time may have taken some of it.
                        long n = Receive(theirs, room, (int)peeked, 0);
                        ReadOnlySpan<byte> data = taken.AsSpan(0, (int)Math.Max(0, n));
                        return n <= 0 || data.SequenceEqual(buffer.AsSpan(0, data.Length)) || Scatter(data) ? n : -EFAULT;
                    }
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(taken);
                }
            }
        }

        private static long Receive(int theirs, byte* bytes, int length, int how)
        {
            nint n = Native.Recv(theirs, bytes, (nuint)length, how | MSG_DONTWAIT);
            return n < 0 ? -Marshal.GetLastPInvokeError() : n;
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
