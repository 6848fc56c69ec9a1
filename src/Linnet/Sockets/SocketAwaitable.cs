using System.Net;
using System.Threading.Tasks.Sources;
using Linnet.Kernel;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using File = Linnet.Kernel.Fs.File;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet;

/// <summary>What a pending call does when it is tried again.</summary>
internal enum SocketCall
{
    Receive,
    Send,
    Accept,
    Connect,
    Poll,
}

/// <summary>How a call that failed ends.</summary>
internal enum FailureStyle
{
    /// <summary>The result is a negative errno.</summary>
    Errno,

    /// <summary><see cref="LinnetSocketException"/>.</summary>
    SocketException,

    /// <summary><see cref="IOException"/> around one, as streams have it.</summary>
    IOException,
}

/// <summary>
/// A call on a socket as a <see cref="ValueTask{TResult}"/>: the non-blocking call, tried again whenever the socket's wait
/// queue is woken. It is the awaitable, the entry in the wait queue and the queued work in one reusable object, so that
/// waiting allocates nothing.
/// </summary>
/// <remarks>
/// A wake-up comes with locks of the kernel held, so it only queues the next try; the awaiter's continuation runs in that
/// queued work, with no lock held.
/// </remarks>
internal sealed partial class SocketAwaitable : WaitQueueEntry, IValueTaskSource<int>, IValueTaskSource, IThreadPoolWorkItem
{
    // Where the operation is: somebody tries it; it waits; it was woken while somebody tried it.
    private const int Trying = 0;
    private const int Waiting = 1;
    private const int Woken = 2;

    private static readonly Action<object?> CancelCallback = static operation => ((SocketAwaitable)operation!).Cancel();

    private readonly SocketAwaitablePool pool;
    private readonly MsgHdr message = new();
    private ManualResetValueTaskSourceCore<int> completion;
    private CancellationTokenRegistration registration;
    private CancellationToken token;
    private int state;
    private volatile bool cancelled;

    private TaskStruct task = null!;
    private File file = null!;
    private KernelSocket socket = null!;
    private LinnetSocket? owner;
    private SocketCall call;
    private FailureStyle style;
    private Memory<byte> buffer;
    private ReadOnlyMemory<byte> data;
    private int flags;
    private SenderAddress? sender;
    private int done;
    private int addressLength;

    internal SocketAwaitable(SocketAwaitablePool pool) => this.pool = pool;

    internal SocketAwaitable? NextFree { get; set; }

    /// <summary>Begins a receive.</summary>
    /// <param name="caller">Who calls.</param>
    /// <param name="into">Where the data goes.</param>
    /// <param name="messageFlags"><c>MSG_*</c></param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <param name="from">Takes the sender's address, where it is wanted.</param>
    public ValueTask<int> Receive(
        in Caller caller, Memory<byte> into, int messageFlags, CancellationToken cancellation, SenderAddress? from = null)
    {
        buffer = into;
        flags = messageFlags;
        sender = from;
        return Begin(SocketCall.Receive, caller, cancellation);
    }

    /// <summary>Begins a send; on a stream it ends when all is sent.</summary>
    public ValueTask<int> Send(
        in Caller caller, ReadOnlyMemory<byte> from, int messageFlags, ReadOnlySpan<byte> to, CancellationToken cancellation)
    {
        data = from;
        flags = messageFlags;
        SetAddress(to);
        return Begin(SocketCall.Send, caller, cancellation);
    }

    /// <summary>Begins an accept; the result is a descriptor.</summary>
    public ValueTask<int> Accept(in Caller caller, int acceptFlags, CancellationToken cancellation)
    {
        flags = acceptFlags;
        return Begin(SocketCall.Accept, caller, cancellation);
    }

    /// <summary>Begins to connect.</summary>
    public ValueTask<int> Connect(in Caller caller, ReadOnlySpan<byte> to, CancellationToken cancellation)
    {
        SetAddress(to);
        return Begin(SocketCall.Connect, caller, cancellation);
    }

    /// <summary>Waits until one of some events holds; the result is those that do.</summary>
    public ValueTask<int> Poll(in Caller caller, uint events, CancellationToken cancellation)
    {
        flags = (int)events;
        return Begin(SocketCall.Poll, caller, cancellation);
    }

    /// <summary>Tries again: the wake-up's queued work.</summary>
    public void Execute() => Try();

    /// <inheritdoc/>
    public ValueTaskSourceStatus GetStatus(short token) => completion.GetStatus(token);

    /// <inheritdoc/>
    public void OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        completion.OnCompleted(continuation, state, token, flags);

    /// <inheritdoc/>
    public int GetResult(short token)
    {
        FailureStyle failureStyle = style;
        int result;
        try
        {
            result = completion.GetResult(token);
        }
        finally
        {
            completion.Reset();
            pool.Return(this);
        }

        return result >= 0 ? result : Fail(result, failureStyle);
    }

    void IValueTaskSource.GetResult(short token) => GetResult(token);

    /// <summary>Forgets the call, so that nothing is kept alive.</summary>
    internal void Clear()
    {
        (task, file, socket, owner) = (null!, null!, null!, null);
        (buffer, data) = (default, default);
        (done, addressLength) = (0, 0);
        sender = null;
        cancelled = false;
    }

    /// <summary>Called with the wait queue's lock held.</summary>
    protected override bool Wake(uint key)
    {
        while (true)
        {
            int seen = Volatile.Read(ref state);
            if (seen == Woken)
                return true;
            int next = seen == Waiting ? Trying : Woken;
            if (Interlocked.CompareExchange(ref state, next, seen) != seen)
                continue;
            if (seen == Waiting)
                task.Machine.Scheduler.Queue(this);
            return true;
        }
    }

    private static int Fail(int result, FailureStyle style) => style switch
    {
        FailureStyle.Errno => result,
        FailureStyle.SocketException => throw new LinnetSocketException(-result),
        _ => throw ToIOException(-result),
    };

    private static IOException ToIOException(int errno)
    {
        LinnetSocketException inner = new(errno);
        return new IOException(inner.Message, inner);
    }

    private ValueTask<int> Begin(SocketCall what, in Caller caller, CancellationToken cancellation)
    {
        call = what;
        task = caller.Task;
        style = caller.Style;
        if (cancellation.IsCancellationRequested)
        {
            pool.Return(this);
            return ValueTask.FromCanceled<int>(cancellation);
        }

        // The file stays until the call ends, whoever closes its descriptor meanwhile.
        if (!caller.File.TryGet())
            return Finished(-EBADF);
        file = caller.File;
        socket = caller.Socket;
        owner = caller.Owner;
        int result;
        using (task.Enter())
        {
            result = Attempt();
            if (!IsPending(result))
                PutFile();
        }

        return IsPending(result) ? Wait(cancellation) : Finished(result);
    }

    // Nothing had to wait: the result without any source.
    private ValueTask<int> Finished(int result)
    {
        FailureStyle failureStyle = style;
        pool.Return(this);
        if (result >= 0 || failureStyle == FailureStyle.Errno)
            return new ValueTask<int>(result);
        Exception exception = failureStyle == FailureStyle.IOException
            ? ToIOException(-result)
            : new LinnetSocketException(-result);
        return ValueTask.FromException<int>(exception);
    }

    private ValueTask<int> Wait(CancellationToken cancellation)
    {
        token = cancellation;
        Volatile.Write(ref state, Trying);
        short version = completion.Version;
        Events = call switch
        {
            SocketCall.Receive or SocketCall.Accept => EPOLLIN | EPOLLRDNORM | EPOLLPRI | EPOLLERR | EPOLLHUP | EPOLLRDHUP,
            SocketCall.Send or SocketCall.Connect => EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP,
            _ => (uint)flags | EPOLLERR | EPOLLHUP,
        };
        socket.Wq.Wait.Add(this);
        if (cancellation.CanBeCanceled)
            registration = cancellation.UnsafeRegister(CancelCallback, this);
        Try();
        return new ValueTask<int>(this, version);
    }

    // Everything that happened before the entry was added, or before the last try ended, is seen by another try.
    private void Try()
    {
        while (true)
        {
            if (cancelled || owner is { IsClosed: true })
            {
                Complete(-ECANCELED);
                return;
            }

            int result;
            using (task.Enter())
                result = Attempt();
            if (!IsPending(result))
            {
                Complete(result);
                return;
            }

            if (Interlocked.CompareExchange(ref state, Waiting, Trying) == Trying)
                return;
            Volatile.Write(ref state, Trying);
        }
    }

    private void Complete(int result)
    {
        // After this nobody wakes the operation any more, and no cancellation reaches it.
        socket.Wq.Wait.Remove(this);
        registration.Dispose();
        registration = default;
        bool isCancelled = result == -ECANCELED && token.IsCancellationRequested;
        using (task.Enter())
            PutFile();
        if (isCancelled && style != FailureStyle.Errno)
            completion.SetException(new OperationCanceledException(token));
        else
            completion.SetResult(result);
    }

    private void PutFile()
    {
        File held = file;
        file = null!;
        held.Fput();
    }

    // A try outside of this call's own stack follows, so that the canceller never runs the awaiter.
    private void Cancel()
    {
        cancelled = true;
        Wake(0);
    }

    private void SetAddress(ReadOnlySpan<byte> address)
    {
        addressLength = address.Length;
        address.CopyTo(message.NameBuffer);
    }
}

/// <summary>Who makes a call, on what, and how failures are to be told.</summary>
/// <param name="task">The task.</param>
/// <param name="file">The socket's file.</param>
/// <param name="socket">The socket.</param>
/// <param name="style">How a failure is told.</param>
/// <param name="owner">The object whose closing ends the call, or null.</param>
internal readonly ref struct Caller(
    TaskStruct task, File file, KernelSocket socket, FailureStyle style, LinnetSocket? owner = null)
{
    public readonly TaskStruct Task = task;
    public readonly File File = file;
    public readonly KernelSocket Socket = socket;
    public readonly FailureStyle Style = style;
    public readonly LinnetSocket? Owner = owner;
}

/// <summary>Takes the address of a message's sender.</summary>
internal sealed class SenderAddress
{
    /// <summary>The address, or null when the family has none that .NET knows.</summary>
    public IPEndPoint? EndPoint { get; set; }
}

/// <summary>Operations that are not in use.</summary>
internal sealed class SocketAwaitablePool
{
    private const int MostFree = 1024;

    private readonly Lock gate = new();
    private SocketAwaitable? free;
    private int count;

    public SocketAwaitable Rent()
    {
        lock (gate)
        {
            if (free is { } operation)
            {
                free = operation.NextFree;
                operation.NextFree = null;
                count--;
                return operation;
            }
        }

        return new SocketAwaitable(this);
    }

    public void Return(SocketAwaitable operation)
    {
        operation.Clear();
        lock (gate)
        {
            if (count == MostFree)
                return;
            operation.NextFree = free;
            free = operation;
            count++;
        }
    }
}
