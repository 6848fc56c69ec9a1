using System.Buffers.Binary;
using System.Globalization;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;

namespace Linnet.Cli.Programs;

/// <summary>Makes a system call: its number, and what is in the six registers.</summary>
/// <returns>What the kernel returns: a result, or a negative errno.</returns>
internal delegate long SystemCall(int number, ReadOnlySpan<ulong> registers);

/// <summary>What a call came to.</summary>
/// <param name="Result">What the kernel returned: a result, or a negative errno.</param>
/// <param name="Detail">What it put into the program's memory, for people; or null.</param>
internal sealed record CallOutcome(long Result, string? Detail);

/// <summary>
/// Makes the calls of a program: puts what they point to into the program's memory, and reads what the kernel put there.
/// </summary>
/// <param name="memory">The program's memory.</param>
/// <param name="invoke">The kernel.</param>
internal sealed class CallRunner(ProgramMemory memory, SystemCall invoke)
{
    private readonly Dictionary<string, long[]> variables = new(StringComparer.Ordinal);

    /// <summary>Makes one call.</summary>
    public CallOutcome Run(Statement statement)
    {
        memory.Reset();
        CallSpec spec = CallSpec.Find(statement.Call);
        var frame = new Frame();
        for (int i = 0; i < spec.Parameters.Count; i++)
            Push(frame, spec.Parameters[i], i < statement.Arguments.Count ? statement.Arguments[i] : null);
        Complete(frame, statement.Call);
        long result = invoke(spec.Number, frame.Registers.ToArray());
        string? detail = result < 0 ? null : Detail(statement.Call, frame, result);
        if (statement.Target != null)
            variables[statement.Target] = frame.Pair is { } pair && result == 0 ? [Int32At(pair), Int32At(pair + 4)] : [result];
        return new CallOutcome(result, detail);
    }

    /// <summary>The value of an expression that is a number.</summary>
    public long Evaluate(Expression expression)
    {
        switch (expression)
        {
            case NumberExpression number:
                return number.Value;
            case OrExpression or:
                return or.Parts.Aggregate(0L, (sum, part) => sum | Evaluate(part));
            case VariableExpression variable:
                long[] values = variables[variable.Name];
                if (values.Length > 1 && variable.Index == null)
                    throw new UsageException($"'{variable.Name}' is two descriptors: write {variable.Name}[0] or {variable.Name}[1]");
                if (values.Length == 1 && variable.Index > 0)
                    throw new UsageException($"'{variable.Name}' is one number and has no [{variable.Index}]");
                return values[variable.Index ?? 0];
            default:
                throw new UsageException($"{expression.Text} stands where a number is needed");
        }
    }

    private void Push(Frame frame, ParameterSpec parameter, Expression? expression)
    {
        switch (parameter.Kind)
        {
            case ArgumentKind.Address:
                byte[] address = Address(expression!);
                frame.Push(memory.Store(address)).Push((ulong)address.Length);
                break;
            case ArgumentKind.Data:
                byte[] data = expression is StringExpression text ? text.Bytes : new byte[Length(expression!)];
                frame.Push(memory.Store(data)).Push((ulong)data.Length);
                break;
            case ArgumentKind.Room:
                frame.Buffer = memory.Alloc(Length(expression!));
                frame.Push(frame.Buffer).Push((ulong)Length(expression!));
                break;
            case ArgumentKind.Option:
                byte[] value = OptionValue(expression!);
                frame.Push(memory.Store(value)).Push((ulong)value.Length);
                break;
            case ArgumentKind.OptionRoom:
                int room = expression == null ? (int)parameter.Default!.Value : Length(expression);
                frame.Buffer = memory.Alloc(room);
                frame.Length = memory.Store(BitConverter.GetBytes(room));
                frame.Push(frame.Buffer).Push(frame.Length);
                break;
            case ArgumentKind.Pointer:
                frame.Buffer = memory.Alloc(8);
                BitConverter.TryWriteBytes(memory.At(frame.Buffer, 8), expression == null ? 0 : Evaluate(expression));
                frame.Push(frame.Buffer);
                break;
            case ArgumentKind.Event:
                frame.Push(memory.Store(EpollEvent(frame, expression)));
                break;
            case ArgumentKind.PollFds:
                PushPollFds(frame, expression!);
                break;
            default:
                frame.Push((ulong)(expression == null ? parameter.Default!.Value : Evaluate(expression)));
                break;
        }
    }

    // Registers that a program does not write: room for addresses and descriptors that the call gives back.
    private void Complete(Frame frame, string call)
    {
        switch (call)
        {
            case "accept" or "getsockname" or "getpeername":
                PushAddressRoom(frame, 1);
                break;
            case "accept4":
                PushAddressRoom(frame, 1);
                break;
            case "recvfrom":
                PushAddressRoom(frame, 4);
                break;
            case "send" or "recv":
                frame.Push(0).Push(0);
                break;
            case "socketpair":
                frame.Pair = memory.Alloc(8);
                frame.Push(frame.Pair.Value);
                break;
            case "pipe" or "pipe2":
                frame.Pair = memory.Alloc(8);
                frame.Registers.Insert(0, frame.Pair.Value);
                break;
            case "epoll_wait":
                int count = (int)Math.Clamp((long)frame.Registers[1], 0, 1024);
                frame.Buffer = memory.Alloc(12 * Math.Max(count, 1));
                frame.Registers.Insert(1, frame.Buffer);
                break;
        }
    }

    private void PushAddressRoom(Frame frame, int position)
    {
        frame.Address = memory.Alloc(SockaddrStorage.Size);
        frame.AddressLength = memory.Store(BitConverter.GetBytes(SockaddrStorage.Size));
        frame.Registers.Insert(position, frame.Address);
        frame.Registers.Insert(position + 1, frame.AddressLength);
    }

    private string? Detail(string call, Frame frame, long result)
    {
        switch (call)
        {
            case "read" or "recv" or "recvfrom":
                string data = Beautifier.Quote(memory.At(frame.Buffer, (int)result), (int)result);
                return frame.Address == 0 || Int32At(frame.AddressLength) == 0 ? data : $"{data} from {ReadAddress(frame)}";
            case "accept" or "accept4":
                return "from " + ReadAddress(frame);
            case "getsockname" or "getpeername":
                return ReadAddress(frame);
            case "getsockopt":
                int length = Int32At(frame.Length);
                ReadOnlySpan<byte> value = memory.At(frame.Buffer, length);
                return length == 4
                    ? BinaryPrimitives.ReadInt32LittleEndian(value).ToString(CultureInfo.InvariantCulture)
                    : Beautifier.Quote(value, length);
            case "socketpair" or "pipe" or "pipe2":
                return string.Create(CultureInfo.InvariantCulture, $"[{Int32At(frame.Pair!.Value)}, {Int32At(frame.Pair.Value + 4)}]");
            case "ioctl":
                return string.Create(CultureInfo.InvariantCulture, $"arg: {Int32At(frame.Buffer)}");
            case "poll" when result > 0:
                return PollResult(frame);
            case "epoll_wait" when result > 0:
                return EpollResult(frame, (int)result);
            default:
                return null;
        }
    }

    private string ReadAddress(Frame frame) =>
        SockaddrText.Format(memory.At(frame.Address, Math.Min(Int32At(frame.AddressLength), SockaddrStorage.Size)));

    private int Int32At(ulong address) => BinaryPrimitives.ReadInt32LittleEndian(memory.At(address, 4));

    private int Length(Expression expression)
    {
        long length = Evaluate(expression);
        return length is >= 0 and <= 1 << 20
            ? (int)length
            : throw new UsageException($"{expression.Text} bytes are more than the program's memory holds, 1048576");
    }

    private static byte[] Address(Expression expression)
    {
        switch (expression)
        {
            case AddressExpression address:
                byte[] bytes = new byte[SockaddrIn.Size];
                SockaddrIn.Write(bytes, address.Address, address.Port);
                return bytes;
            // The raw bytes of a sockaddr, for addresses that are meant to be wrong.
            case StringExpression raw:
                return raw.Bytes;
            case NumberExpression { Text: "NULL" }:
                return [];
            default:
                throw new UsageException($"{expression.Text} is no address; write 127.0.0.1:80, :80, or the bytes of a sockaddr as a string");
        }
    }

    private byte[] OptionValue(Expression expression) => expression switch
    {
        StringExpression text => text.Bytes,
        AddressExpression { Port: 0 } address => [.. BitConverter.GetBytes(address.Address).Reverse()],
        ListExpression list => [.. list.Items.SelectMany(OptionValue)],
        _ => BitConverter.GetBytes((int)Evaluate(expression)),
    };

    // struct epoll_event is packed: 32 bits of events, 64 of data, which is the descriptor here as in most programs.
    private byte[] EpollEvent(Frame frame, Expression? expression)
    {
        byte[] bytes = new byte[12];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, expression == null ? 0 : (uint)Evaluate(expression));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(4), frame.Registers[2]);
        return bytes;
    }

    private void PushPollFds(Frame frame, Expression expression)
    {
        IReadOnlyList<Expression> items = expression is ListExpression { Items: [ListExpression, ..] } array ? array.Items : [expression];
        frame.Buffer = memory.Alloc(8 * items.Count);
        for (int i = 0; i < items.Count; i++)
        {
            if (items[i] is not ListExpression { Items: [var fd, var events] })
                throw new UsageException($"{items[i].Text} is not {{fd, events}}");
            Span<byte> entry = memory.At(frame.Buffer + (ulong)(8 * i), 8);
            BinaryPrimitives.WriteInt32LittleEndian(entry, (int)Evaluate(fd));
            BinaryPrimitives.WriteInt16LittleEndian(entry[4..], (short)Evaluate(events));
        }

        frame.Push(frame.Buffer).Push((ulong)items.Count);
    }

    private string PollResult(Frame frame)
    {
        List<string> texts = [];
        for (int i = 0; i < (int)frame.Registers[1]; i++)
        {
            ReadOnlySpan<byte> entry = memory.At(frame.Buffer + (ulong)(8 * i), 8);
            int revents = BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]);
            if (revents != 0)
                texts.Add(string.Create(CultureInfo.InvariantCulture, $"{BinaryPrimitives.ReadInt32LittleEndian(entry)}: {Names.PollMask(revents)}"));
        }

        return string.Join(", ", texts);
    }

    private string EpollResult(Frame frame, int count)
    {
        List<string> texts = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = memory.At(frame.Buffer + (ulong)(12 * i), 12);
            texts.Add(string.Create(CultureInfo.InvariantCulture,
                $"{BinaryPrimitives.ReadUInt64LittleEndian(entry[4..])}: {Names.PollMask(BinaryPrimitives.ReadUInt32LittleEndian(entry))}"));
        }

        return string.Join(", ", texts);
    }

    // The registers of a call, and where in memory its results will be.
    private sealed class Frame
    {
        public List<ulong> Registers { get; } = [];

        public ulong Buffer { get; set; }

        public ulong Length { get; set; }

        public ulong Address { get; set; }

        public ulong AddressLength { get; set; }

        public ulong? Pair { get; set; }

        public Frame Push(ulong value)
        {
            Registers.Add(value);
            return this;
        }
    }
}
