namespace Linnet.Kernel.Trace;

/// <summary>A value in a trace, as it was when the call began or ended.</summary>
/// <param name="Parameter">What it is the value of.</param>
/// <param name="Text">The value for people.</param>
/// <param name="Raw">The number, for values that are one.</param>
public readonly record struct TraceValue(TraceParameter Parameter, string Text, long? Raw);

/// <summary>One call of a traced function.</summary>
public sealed class TraceCall
{
    private static readonly string[] NumbersOfCalls = ["len", "size", "count", "vlen", "nr", "arg", "sigsetsize"];

    private readonly List<TraceValue> arguments = [];
    private readonly List<TraceValue> outputs = [];
    private readonly List<(int Index, object? Value)> objects = [];
    private readonly List<(TraceParameter Parameter, Sockptr Pointer)> pointers = [];
    private readonly Machine? machine;
    private int next;
    private bool hasEntered;

    internal TraceCall(TracePoint point, Cpu cpu, TraceSession[] sessions, TraceCall? parent)
    {
        Point = point;
        Sessions = sessions;
        Parent = parent;
        Depth = parent == null ? 0 : parent.Depth + 1;
        machine = cpu.Machine;
        InSoftirq = cpu.InSoftirq;
        Comm = cpu.Task?.Comm;
        Pid = cpu.Task?.Pid ?? 0;
        EnteredAt = machine?.Clock.Now ?? 0;
    }

    /// <summary>The function.</summary>
    public TracePoint Point { get; }

    /// <summary>The recorded call that made this one, or null.</summary>
    public TraceCall? Parent { get; }

    /// <summary>How many recorded calls are around this one.</summary>
    public int Depth { get; }

    /// <summary>The machine, or null for a call outside of any.</summary>
    public Machine? Machine => machine;

    /// <summary>Name of the task, or null where there is none.</summary>
    public string? Comm { get; }

    /// <summary>Number of the task, or 0 where there is none.</summary>
    public int Pid { get; }

    /// <summary>Whether a packet or timer is being processed, rather than a system call itself.</summary>
    public bool InSoftirq { get; }

    /// <summary>The machine's time at the beginning, ns.</summary>
    public long EnteredAt { get; }

    /// <summary>The machine's time at the end, ns.</summary>
    public long LeftAt { get; private set; }

    /// <summary>Whether the call has ended.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>Values of the parameters that lead into the function.</summary>
    public IReadOnlyList<TraceValue> Arguments => arguments;

    /// <summary>Values of the parameters that lead out, once the call has ended.</summary>
    public IReadOnlyList<TraceValue> Outputs => outputs;

    /// <summary>The result, once the call has ended; null for a void function.</summary>
    public TraceValue? Result { get; private set; }

    /// <summary>Type of the exception that ended the call, or null.</summary>
    public string? Exception { get; internal set; }

    /// <summary>The errno that the call ended with, positive, or 0 for any other result.</summary>
    public int Errno => Result is { Raw: >= -4095 and < 0, Parameter.Type: "int" or "long" } result ? (int)-result.Raw.Value : 0;

    internal TraceSession[] Sessions { get; }

    // Whether what is being recorded is what the function gives back.
    internal bool HasEntered => hasEntered;

    private TraceFormatter Formatter => Sessions[0].Formatter;

    /// <summary>The number that an argument had, or null where it has no such argument or it is no number.</summary>
    public long? Argument(string name)
    {
        foreach (TraceValue value in arguments)
        {
            if (value.Parameter.Name == name)
                return value.Raw;
        }

        return null;
    }

    internal void AddInteger(long value) => Add(p => new TraceValue(p, IntegerText(p, value), value));

    internal void AddObject(object? value)
    {
        // A pointer's length is an argument after it, so objects are printed when all arguments are known.
        if (!hasEntered)
            objects.Add((arguments.Count, value));
        Add(p => hasEntered ? FromObject(p, value) : new TraceValue(p, "", value is Enum number ? RawOf(number) : null));
    }

    internal void AddOpaque() => Add(p => new TraceValue(p, p.Type, null));

    internal void AddBytes(ReadOnlySpan<byte> value)
    {
        Snapshot copy = new(value);
        Add(p => new TraceValue(p, Formatter.Bytes(this, p, copy.Bytes, copy.Length), null));
    }

    internal void ResultInteger(long value) =>
        Result = FunctionTracer.Quietly(() => new TraceValue(Point.Result, Formatter.Integer(this, Point.Result, value), value));

    internal void ResultObject(object? value) => Result = FunctionTracer.Quietly(() => FromObject(Point.Result, value));

    internal void ResultOpaque() => Result = new TraceValue(Point.Result, Point.Result.Type, null);

    internal void ResultBytes(ReadOnlySpan<byte> value)
    {
        Snapshot copy = new(value);
        Result = FunctionTracer.Quietly(
            () => new TraceValue(Point.Result, Formatter.Bytes(this, Point.Result, copy.Bytes, copy.Length), null));
    }

    internal void BeginOutputs()
    {
        List<TraceParameter> inputs = [.. Point.Parameters.Where(p => p.Direction != TraceDirection.Out)];
        foreach ((int index, object? value) in objects)
            arguments[index] = FunctionTracer.Quietly(() => FromObject(inputs[index], value) with { Raw = arguments[index].Raw });
        objects.Clear();
        hasEntered = true;
        next = 0;
    }

    internal void End()
    {
        foreach ((TraceParameter parameter, Sockptr pointer) in pointers)
        {
            if (FunctionTracer.Quietly(() => Formatter.Written(this, parameter, pointer)) is { } text)
                outputs.Add(new TraceValue(parameter, text, null));
        }

        LeftAt = machine?.Clock.Now ?? 0;
        HasLeft = true;
    }

    // The twin reports the values in the order of the parameters: first those that lead in, then those that lead out.
    private void Add(Func<TraceParameter, TraceValue> make)
    {
        TraceDirection other = hasEntered ? TraceDirection.In : TraceDirection.Out;
        while (Point.Parameters[next].Direction == other)
            next++;
        TraceParameter parameter = Point.Parameters[next++];
        (hasEntered ? outputs : arguments).Add(FunctionTracer.Quietly(() => make(parameter)));
    }

    // The entries of system calls have pointers as numbers; these are printed as the pointers of inner functions are.
    private string IntegerText(TraceParameter parameter, long value)
    {
        bool isPointer = !hasEntered && parameter.Type == "ulong" && Point.Symbol.StartsWith("__x64_sys_", StringComparison.Ordinal) && !NumbersOfCalls.Contains(parameter.Name);
        if (isPointer && value == 0)
            return "NULL";
        if (!isPointer)
            return Formatter.Integer(this, parameter, value);
        Sockptr pointer = Uaccess.User((ulong)value);
        objects.Add((arguments.Count, pointer));
        pointers.Add((parameter, pointer));
        return "";
    }

    private TraceValue FromObject(TraceParameter parameter, object? value)
    {
        long? raw = value is Enum number ? RawOf(number) : null;
        return new TraceValue(parameter, Formatter.Object(this, parameter, value), raw);
    }

    private static long RawOf(Enum number) => ((IConvertible)number).ToInt64(null);

    private readonly struct Snapshot(ReadOnlySpan<byte> value)
    {
        public const int MaxLength = 128;

        public byte[] Bytes { get; } = value[..Math.Min(value.Length, MaxLength)].ToArray();

        public int Length { get; } = value.Length;
    }
}
