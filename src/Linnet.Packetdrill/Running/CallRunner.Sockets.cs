using System.Buffers.Binary;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <content>Calls that make, connect and configure sockets.</content>
internal sealed partial class CallRunner
{
    private const int SockTypeMask = 0xf;

    private bool TryMakeSocketCall(Call call)
    {
        Action<Call>? make = call.Spec.Name switch
        {
            "socket" => Socket,
            "bind" => Bind,
            "listen" => Listen,
            "accept" => Accept,
            "accept4" => Accept,
            "connect" => Connect,
            "close" => Close,
            "shutdown" => Shutdown,
            "getsockopt" => Getsockopt,
            "setsockopt" => Setsockopt,
            _ => null,
        };
        make?.Invoke(call);
        return make != null;
    }

    private void Socket(Call call)
    {
        call.Arguments(3);
        int domain = call.IsEllipsis(0) ? AF_INET : call.Int(0);
        int type = call.Int(1);
        int protocol = call.Int(2);
        call.Invoke(__NR_socket, (ulong)domain, (ulong)type, (ulong)protocol);
        call.Check(isDescriptor: true);
        if (call.Result < 0)
            return;
        TrackedSocket socket = new()
        {
            ScriptFd = call.ExpectedFd,
            LiveFd = (int)call.Result,
            Type = type & SockTypeMask,
            Protocol = protocol,
        };
        descriptors.Add(socket.ScriptFd, socket.LiveFd);
        run.Sockets.Insert(0, socket);
        run.UnderTest = socket;
    }

    private void Bind(Call call)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        (ulong address, int length) = call.Sockaddr(1, run.Options.LocalIp, run.Options.BindPort);
        call.Ellipsis(2);
        call.Invoke(__NR_bind, (ulong)fd, address, (ulong)length);
        call.Check();
    }

    private void Listen(Call call)
    {
        call.Arguments(2);
        int fd = call.Fd(0);
        call.Invoke(__NR_listen, (ulong)fd, (ulong)call.Int(1));
        call.Check();
        FindSocket(call.Int(0)).State = TrackedState.Listening;
    }

    private void Accept(Call call)
    {
        bool hasFlags = call.Spec.Name == "accept4";
        call.Arguments(hasFlags ? 4 : 3);
        int fd = call.Fd(0);
        call.Ellipsis(1);
        call.Ellipsis(2);
        ulong address = call.Alloc(128);
        ulong length = call.Store(128);
        int flags = hasFlags ? call.Int(3) : 0;
        call.Invoke(__NR_accept4, (ulong)fd, address, length, (ulong)flags);
        call.Check(isDescriptor: true);
        if (call.Result < 0)
            return;
        ReadOnlySpan<byte> peer = call.Memory.At(address);
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(peer[2..]);
        uint remote = BinaryPrimitives.ReadUInt32BigEndian(peer[4..]);
        TrackedSocket socket = run.Sockets.Find(s => s.LiveFd < 0
                && s.State is TrackedState.SynAckSent or TrackedState.SynAckAcked
                && s.RemoteAddress == remote && s.RemotePort == port)
            ?? throw new CallFailure("unable to find socket matching accept() call");
        socket.ScriptFd = call.ExpectedFd;
        socket.LiveFd = (int)call.Result;
        descriptors.Add(socket.ScriptFd, socket.LiveFd);
    }

    private void Connect(Call call)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        (ulong address, int length) = Destination(call, 1);
        call.Ellipsis(2);
        call.Invoke(__NR_connect, (ulong)fd, address, (ulong)length);
        call.Check();
    }

    // Connects a socket, as far as the script is concerned: connect, or the first call that sends to an address.
    private (ulong Address, int Length) Destination(Call call, int index)
    {
        (ulong address, int length) = call.Sockaddr(index, run.Options.RemoteIp, run.Options.ConnectPort);
        NoteDestination(call, BinaryPrimitives.ReadUInt16LittleEndian(call.Memory.At(address)));
        return (address, length);
    }

    private void NoteDestination(Call call, int family)
    {
        TrackedSocket socket = FindSocket(call.Int(0));
        if (family == AF_UNSPEC)
        {
            socket.State = TrackedState.New;
            return;
        }

        if (socket.State != TrackedState.New)
            return;
        socket.State = TrackedState.Connecting;
        socket.RemoteAddress = TestBed.ToHostOrder(run.Options.RemoteIp);
        socket.RemotePort = run.Options.ConnectPort;
    }

    private void Close(Call call)
    {
        call.Arguments(1);
        int fd = call.Fd(0);
        call.Invoke(__NR_close, (ulong)fd);
        call.Check();
        int scriptFd = call.Int(0);
        descriptors.Remove(scriptFd);
        if (run.Sockets.Find(s => s.ScriptFd == scriptFd && !s.IsClosed) is { } socket)
            socket.IsClosed = true;
    }

    private void Shutdown(Call call)
    {
        call.Arguments(2);
        int fd = call.Fd(0);
        call.Invoke(__NR_shutdown, (ulong)fd, (ulong)call.Int(1));
        call.Check();
    }

    private void Setsockopt(Call call)
    {
        call.Arguments(5);
        int fd = call.Fd(0);
        int level = call.Int(1);
        int name = call.Int(2);
        ulong value = OptionValue(call, 3);
        int length = call.Int(4);
        call.Invoke(__NR_setsockopt, (ulong)fd, (ulong)level, (ulong)name, value, (ulong)length);
        call.Check();
    }

    private static ulong OptionValue(Call call, int index) => call.Argument(index) switch
    {
        LingerExpression linger => call.Store(new Linger { LOnoff = linger.OnOff, LLinger = linger.Linger }),
        StringExpression text => call.Store(Terminated(text)),
        Inet6AddrExpression address => call.Store(address.Address.AsSpan()),
        ListExpression => call.Store(call.BracketedInt(index)),
        IntegerExpression or WordExpression when call.Long(index) == 0 => 0,
        Expression other => throw new CallFailure($"unsupported setsockopt value type: {Call.TypeName(other)}"),
    };

    // As a C string is: an option that takes a name may be given a length that counts the final zero.
    private static byte[] Terminated(StringExpression text) => [.. text.Bytes, 0];

    private void Getsockopt(Call call)
    {
        call.Arguments(5);
        int fd = call.Fd(0);
        int level = call.Int(1);
        int name = call.Int(2);
        Expression expected = call.Argument(3);
        int expectedLength = call.BracketedInt(4);
        ulong value = call.Alloc(Math.Max(expectedLength, 0) + 1);
        ulong length = call.Store(expectedLength);
        call.Invoke(__NR_getsockopt, (ulong)fd, (ulong)level, (ulong)name, value, length);
        call.Check();
        int actualLength = call.Memory.Load<int>(length);
        if (actualLength != expectedLength)
            throw new CallFailure($"Bad getsockopt optlen: expected: {expectedLength} actual: {actualLength}");
        CheckOptionValue(call, expected, call.Memory.At(value)[..Math.Max(actualLength, 0)]);
    }

    private static void CheckOptionValue(Call call, Expression expected, ReadOnlySpan<byte> actual)
    {
        switch (expected)
        {
            case EllipsisExpression:
                return;
            case StringExpression text when text.Bytes.Length != actual.Length:
                throw new CallFailure(
                    $"Bad getsockopt optval: expected optlen ({actual.Length} bytes) does not match length of expected optval "
                    + $"string '{text.Text}' ({text.Bytes.Length} bytes)");
            case StringExpression text when !text.Bytes.AsSpan().SequenceEqual(actual):
                throw new CallFailure($"Bad getsockopt optval: expected: '{text.Text}' actual: '{Printable(actual)}'");
            case StringExpression:
                return;
            case ListExpression when actual.Length == sizeof(int):
                int number = BinaryPrimitives.ReadInt32LittleEndian(actual);
                if (number != call.BracketedInt(3))
                    throw new CallFailure($"Bad getsockopt optval: expected: {call.BracketedInt(3)} actual: {number}");
                return;
            case ListExpression:
                throw new CallFailure($"Unsupported getsockopt optlen: {actual.Length}");
            case LingerExpression linger:
                CheckLinger(linger, actual);
                return;
            default:
                throw new CallFailure($"unsupported getsockopt value type: {Call.TypeName(expected)}");
        }
    }

    private static void CheckLinger(LingerExpression expected, ReadOnlySpan<byte> actual)
    {
        if (actual.Length != 2 * sizeof(int))
            throw new CallFailure($"Unsupported getsockopt optlen: {actual.Length}");
        int onOff = BinaryPrimitives.ReadInt32LittleEndian(actual);
        int linger = BinaryPrimitives.ReadInt32LittleEndian(actual[sizeof(int)..]);
        if (onOff != expected.OnOff || linger != expected.Linger)
        {
            throw new CallFailure(
                $"Bad getsockopt optval: expected: {{onoff={expected.OnOff}, linger={expected.Linger}}} "
                + $"actual: {{onoff={onOff}, linger={linger}}}");
        }
    }

    private static string Printable(ReadOnlySpan<byte> bytes)
    {
        System.Text.StringBuilder text = new();
        foreach (byte b in bytes)
            text.Append(b is >= 0x20 and < 0x7f ? ((char)b).ToString() : $"\\x{b:x2}");
        return text.ToString();
    }

    private TrackedSocket FindSocket(int scriptFd) => run.Sockets.Find(s => s.ScriptFd == scriptFd && !s.IsClosed)
        ?? throw new CallFailure($"unable to find socket with script fd {scriptFd}");
}
