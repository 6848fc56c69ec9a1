using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Arch.X86;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>A call that is being made: reads its arguments, holds its memory, and checks what it returns.</summary>
/// <param name="run">The run.</param>
/// <param name="spec">The call in the script.</param>
/// <param name="task">Who makes it.</param>
/// <param name="descriptors">The script's descriptors.</param>
internal sealed class Call(ScriptRun run, SyscallAction spec, TaskStruct task, DescriptorTable descriptors)
{
    private readonly List<ulong> allocated = [];

    /// <summary>The call in the script.</summary>
    public SyscallAction Spec { get; } = spec;

    /// <summary>What the call returned.</summary>
    public long Result { get; private set; }

    /// <summary>When it returned: microseconds of the script.</summary>
    public long EndedAt { get; private set; }

    /// <summary>The memory of the call's arguments.</summary>
    public ScriptMemory Memory => run.Bed.Memory;

    /// <summary>How many arguments there are.</summary>
    public int Count => Spec.Arguments.Length;

    /// <summary>Demands a number of arguments.</summary>
    public void Arguments(int expected)
    {
        if (Count != expected)
            throw new CallFailure($"Expected {expected} args but got {Count}");
    }

    /// <summary>An argument.</summary>
    public Expression Argument(int index) =>
        index < Count ? Spec.Arguments[index] : throw new CallFailure("Argument list too short");

    /// <summary>A number of 32 bits, signed or not.</summary>
    public int Int(int index) => Int(Argument(index));

    /// <summary>A number.</summary>
    public long Long(int index) => Number(Argument(index));

    /// <summary>The only number in brackets.</summary>
    public int BracketedInt(int index) => Int(Bracketed(index));

    /// <summary>The only number in brackets.</summary>
    public long BracketedLong(int index) => Number(Bracketed(index));

    /// <summary>Whether the argument is left to the runner.</summary>
    public bool IsEllipsis(int index) => Argument(index) is EllipsisExpression;

    /// <summary>Demands that the argument is left to the runner.</summary>
    public void Ellipsis(int index)
    {
        if (!IsEllipsis(index))
            throw new CallFailure($"Bad type; actual: {TypeName(Argument(index))} expected: ellipsis");
    }

    /// <summary>The live descriptor for one of the script.</summary>
    public int Fd(int index) => descriptors.ToLive(Int(index));

    /// <summary>A buffer: <c>...</c> for zeros, or <c>NULL</c>.</summary>
    public ulong Buffer(int index, int length)
    {
        if (IsEllipsis(index))
            return Alloc(Math.Max(length, 0));
        if (Argument(index) is IntegerExpression or WordExpression && Number(Argument(index)) == 0)
            return 0;
        throw new CallFailure("Expected ... or NULL for buffer");
    }

    /// <summary>Room that is given back when the call is over.</summary>
    public ulong Alloc(int length) => Keep(Memory.Alloc(length));

    /// <summary>A copy of bytes, given back when the call is over.</summary>
    public ulong Store(ReadOnlySpan<byte> bytes) => Keep(Memory.Store(bytes));

    /// <summary>A copy of a structure, given back when the call is over.</summary>
    public ulong Store<T>(in T value)
        where T : unmanaged => Keep(Memory.Store(value));

    /// <summary>Makes the call, and notes when it ends.</summary>
    public long Invoke(int number, params ReadOnlySpan<ulong> arguments)
    {
        Result = SyscallTable.Invoke(task, number, arguments);
        EndedAt = run.Bed.NowUsecs;
        return Result;
    }

    /// <summary>Takes a result that did not come from one call.</summary>
    public void Return(long result)
    {
        Result = result;
        EndedAt = run.Bed.NowUsecs;
    }

    /// <summary>Checks result and errno.</summary>
    /// <param name="isDescriptor">Whether any descriptor will do where the script has one.</param>
    public void Check(bool isDescriptor = false)
    {
        run.LogCall(Spec.Name);
        if (Spec.Result is EllipsisExpression)
            return;
        long expected = Int(Spec.Result);
        long actual = Result < 0 ? -1 : Result;
        string but = Result < 0 ? $"-1 with errno {-Result} ({Errno.Describe((int)-Result)})" : $"{Result}";
        if (isDescriptor && expected >= 0)
        {
            if (actual < 0)
                throw new CallFailure($"Expected non-negative result but got {but}");
        }
        else if (actual != expected)
        {
            throw new CallFailure($"Expected result {expected} but got {but}");
        }

        if (Spec.Error is not { } error)
            return;
        long errno = Symbols.Value(error.Name);
        if (-Result != errno)
        {
            throw new CallFailure(
                $"Expected errno {errno} ({Errno.Describe((int)errno)}) but got {-Result} ({Errno.Describe((int)-Result)})");
        }
    }

    /// <summary>The descriptor that the script says is returned.</summary>
    public int ExpectedFd => Spec.Result is EllipsisExpression
        ? throw new CallFailure("a call that makes a descriptor has to say which")
        : Int(Spec.Result);

    /// <summary>The number that an expression stands for.</summary>
    public static long Number(Expression expression) => expression switch
    {
        IntegerExpression integer => integer.Value,
        WordExpression word => Symbols.Value(word.Name),
        OrExpression or => Number(or.Left) | Number(or.Right),
        _ => throw new CallFailure($"Bad type; actual: {TypeName(expression)} expected: integer"),
    };

    /// <summary>The number that an expression stands for, in 32 bits.</summary>
    public static int Int(Expression expression)
    {
        long value = Number(expression);
        return value is >= int.MinValue and <= uint.MaxValue
            ? unchecked((int)value)
            : throw new CallFailure($"Value out of range for 32-bit integer: {value}");
    }

    /// <summary>What a message calls an expression.</summary>
    public static string TypeName(Expression expression) => expression switch
    {
        EllipsisExpression => "ellipsis",
        IntegerExpression => "integer",
        WordExpression => "word",
        StringExpression => "string",
        OrExpression or FieldExpression => "binary_expression",
        ListExpression => "list",
        SockaddrExpression => "sockaddr",
        MsghdrExpression => "msghdr",
        IovecExpression => "iovec",
        CmsgExpression => "cmsg",
        PollfdExpression => "pollfd",
        EpollEventExpression => "epollev",
        LingerExpression => "linger",
        SockExtendedErrExpression => "sock_extended_err",
        ScmTimestampingExpression => "scm_timestamping",
        _ => expression.GetType().Name,
    };

    /// <summary>Gives the call's memory back.</summary>
    public void Free()
    {
        foreach (ulong address in allocated)
            Memory.Free(address);
        allocated.Clear();
    }

    /// <summary>A sockaddr, where the script has none the given address.</summary>
    public (ulong Address, int Length) Sockaddr(int index, IPAddress address, ushort port)
    {
        switch (Argument(index))
        {
            case EllipsisExpression:
                byte[] bytes = Syscalls.Sockaddr(new IPEndPoint(address, port));
                return (Store(bytes), bytes.Length);
            case SockaddrExpression literal:
                byte[] written = Syscalls.Sockaddr(new IPEndPoint(new IPAddress(literal.Address.AsSpan()), literal.Port));
                return (Store(written), written.Length);
            default:
                // A family alone, as AF_UNSPEC: the rest is zero, and as long as sockaddr_storage.
                Span<byte> storage = stackalloc byte[SockaddrStorageSize];
                storage.Clear();
                System.Buffers.Binary.BinaryPrimitives.WriteUInt16LittleEndian(storage, (ushort)Int(index));
                return (Store(storage), SockaddrStorageSize);
        }
    }

    private const int SockaddrStorageSize = 128;

    private ulong Keep(ulong address)
    {
        allocated.Add(address);
        return address;
    }

    private Expression Bracketed(int index) => Argument(index) is ListExpression list
        ? list.Items.Length == 1 ? list.Items[0] : throw new CallFailure("Expected [<element>] but got multiple elements")
        : throw new CallFailure($"Bad type; actual: {TypeName(Argument(index))} expected: list");
}
