using System.Runtime.InteropServices;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Sending on TCP sockets, as far as the program's end does not do it alone.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    // What the pair cannot say is sent by Linnet's socket itself, behind all that was written before.
    private long SendOnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        (int flags, bool plain) = Shape(call, process);
        if (plain && (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR)) == 0 && shadow.State == StreamState.Connected)
            return AskAboutData(call, process, shadow, (int)call.Arguments[0]);
        long result = FlushFor(shadow) ? -EAGAIN : 0;
        if (!end.IsBlocking || (flags & MSG_DONTWAIT) != 0)
            return result < 0 ? result : Ask(call, process, shadow);
        PendingCall? earlier = shadow.TakeEarlier(call);
        StreamSend send = earlier?.Progress as StreamSend ?? new StreamSend(this, call, process, shadow);
        return send.Go() ?? Wait(call, process, shadow, SO_SNDTIMEO, -EAGAIN, send.Go, send, earlier);
    }

    /// <summary>Carries what the program wrote.</summary>
    /// <returns>Whether some of it has to wait.</returns>
    private static bool FlushFor(StreamShadow shadow)
    {
        if (shadow.State == StreamState.Connected)
            shadow.Flush();
        return !shadow.IsDrained;
    }

    /// <summary>A send that may wait, and so goes on until all is sent.</summary>
    private sealed class StreamSend(SupervisedCalls calls, SeccompCall call, HostProcess process, StreamShadow shadow) : CallProgress
    {
        private const int MmsghdrLength = 56;

        // One message at a time: what is behind it comes when all of it is sent, or with the program's next call.
        private readonly bool isOfMany = call.Nr == __NR_sendmmsg && call.Arguments[2] != 0;
        private (ulong Address, long Length)[] pieces = [];
        private long total;
        private long done;

        /// <summary>Sends what can be sent.</summary>
        /// <returns>The call's result; null while it has to wait.</returns>
        public long? Go()
        {
            if (FlushFor(shadow))
                return null;
            if (done == 0)
            {
                long result = Begin();
                if (result == -EAGAIN)
                    return null;
                if (result <= 0)
                    return result;
                (pieces, total) = Read();
                done = isOfMany ? ReadLength() : result;
            }

            while (done < total)
            {
                long sent = Continue();
                if (sent == -EAGAIN)
                    return null;
                if (sent <= 0)
                    break;
                done += sent;
            }

            return Stop();
        }

        /// <inheritdoc/>
        public override long? Stop()
        {
            if (done == 0 || !isOfMany)
                return done == 0 ? null : done;
            int length = (int)done;
            return process.Memory.CopyToUser(call.Arguments[1] + MmsghdrLength, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in length))) == 0
                ? 1
                : -EFAULT;
        }

        private long Begin() => isOfMany
            ? Invoke(process, call.Nr, (ulong)shadow.Fd, call.Arguments[1], 1, call.Arguments[3])
            : calls.Ask(call, process, shadow);

        private long ReadLength()
        {
            int length = 0;
            _ = process.Memory.CopyFromUser(MemoryMarshal.AsBytes(new Span<int>(ref length)), call.Arguments[1] + MmsghdrLength);
            return length;
        }

        private long Continue()
        {
            long before = done;
            foreach ((ulong address, long length) in pieces)
            {
                if (before < length)
                {
                    int flags = (int)call.Arguments[call.Nr is __NR_sendmsg ? 2 : 3] & ~MSG_FASTOPEN;
                    return Invoke(
                        process, __NR_sendto, (ulong)shadow.Fd, address + (ulong)before, (ulong)(length - before),
                        (ulong)(uint)(flags | MSG_NOSIGNAL), 0, 0);
                }

                before -= length;
            }

            return 0;
        }

        // Where the data lies. The host's program may change that meanwhile, but not what has been sent.
        private ((ulong Address, long Length)[] Pieces, long Total) Read()
        {
            if (call.Nr == __NR_sendto)
            {
                long length = (long)Math.Min(call.Arguments[2], (ulong)Uaccess.MaxRwCount);
                return ([(call.Arguments[1], length)], length);
            }

            const int IovOffset = 16, IovlenOffset = 24;
            Span<byte> msghdr = stackalloc byte[MsghdrSize];
            Iovec[] vector = [];
            if (process.Memory.CopyFromUser(msghdr, call.Arguments[1]) != 0)
                return ([], 0);
            ulong count = MemoryMarshal.Read<ulong>(msghdr[IovlenOffset..]);
            Sockptr iov = new(process.Memory, MemoryMarshal.Read<ulong>(msghdr[IovOffset..]));
            long sum = Uaccess.ImportIovec(iov, count, ref vector, out _);
            return sum < 0 ? ([], 0) : ([.. vector.Take((int)count).Select(piece => (piece.IovBase, (long)piece.IovLen))], sum);
        }
    }
}
