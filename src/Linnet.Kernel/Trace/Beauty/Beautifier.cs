using System.Globalization;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>
/// Prints values as <c>perf trace</c> does (tools/perf/trace/beauty): numbers by the names that they have in the place
/// where they stand, which their parameter's name and the function tell.
/// </summary>
public sealed class Beautifier : TraceFormatter
{
    private Beautifier()
    {
    }

    /// <summary>The one there is; it has no state.</summary>
    public static Beautifier Instance { get; } = new();

    /// <inheritdoc/>
    public override string Integer(TraceCall call, TraceParameter parameter, long value)
    {
        if (parameter.Type == "bool")
            return value != 0 ? "true" : "false";
        if (parameter.Name.Length == 0)
            return Result(call, parameter, value);
        string? named = Named(call, parameter.Name, parameter.Type, value);
        if (named != null)
            return named;
        if (parameter.Type.EndsWith('*'))
            return value == 0 ? "NULL" : Names.Hex(value);
        return parameter.Type == "ulong" ? ((ulong)value).ToString(CultureInfo.InvariantCulture) : Names.Number(value);
    }

    /// <inheritdoc/>
    public override string Object(TraceCall call, TraceParameter parameter, object? value) =>
        value is Sockptr pointer ? Pointer(call, parameter.Name, pointer) : Objects.Format(value);

    /// <inheritdoc/>
    public override string Bytes(TraceCall call, TraceParameter parameter, ReadOnlySpan<byte> bytes, int length)
    {
        bool isBuffer = parameter.Type.StartsWith("Span<", StringComparison.Ordinal);
        if (isBuffer && !call.HasEntered)
            return $"[{Names.Number(length)}]";
        if (parameter.Name is "addr" or "uaddr" or "kaddr" or "address" or "name" or "sockaddr")
            return SockaddrText.Format(bytes);
        if (length == 0 && IsLinkAddress(parameter.Name))
            return "NULL";
        if (length == 6 && IsLinkAddress(parameter.Name))
            return string.Join(':', bytes.ToArray().Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));
        return parameter.Name is "optval" or "value"
            ? OptionText.OfOption(call.Argument("level"), call.Argument("optname"), bytes, length)
            : Quote(bytes, length);
    }

    /// <inheritdoc/>
    public override string? Written(TraceCall call, TraceParameter parameter, Sockptr pointer)
    {
        if (!LeadsOut(call.Point.Symbol, parameter.Name) || call.Result?.Raw is not (>= 0 and var result) || pointer.IsNull)
            return null;
        if (IsMessage(parameter.Name))
        {
            if (TaskStruct.Current.InCompatSyscall)
                return null;
            return parameter.Name == "msg"
                ? MessageText.OfReceived(pointer, result)
                : MessageText.OfSeveral(pointer, result, isReceived: true);
        }

        if (IsLength(parameter.Name))
            return pointer.Get(out int written) < 0 ? null : $"[{Names.Number(written)}]";
        string? lengthName = parameter.Name switch
        {
            "optval" => "optlen",
            _ when IsSockaddr(parameter.Name) => call.Arguments.Select(argument => argument.Parameter.Name).FirstOrDefault(IsSockaddrLength),
            _ => null,
        };
        if (lengthName == null)
            return Contents(call, parameter.Name, pointer, result);
        Span<byte> length = stackalloc byte[sizeof(int)];
        return call.Argument(lengthName) is { } address and not 0 && Uaccess.User((ulong)address).CopyFrom(length) >= 0
            ? Contents(call, parameter.Name, pointer, BitConverter.ToInt32(length))
            : null;
    }

    /// <summary>Bytes as a C string, at most 32 of them.</summary>
    public static string Quote(ReadOnlySpan<byte> bytes, int length)
    {
        const int Shown = 32;
        var text = new System.Text.StringBuilder("\"");
        foreach (byte b in bytes[..Math.Min(bytes.Length, Shown)])
        {
            text.Append(b switch
            {
                (byte)'\n' => "\\n",
                (byte)'\r' => "\\r",
                (byte)'\t' => "\\t",
                (byte)'"' => "\\\"",
                (byte)'\\' => "\\\\",
                >= 0x20 and < 0x7f => ((char)b).ToString(),
                _ => "\\x" + b.ToString("x2", CultureInfo.InvariantCulture),
            });
        }

        text.Append('"');
        if (length > Shown)
            text.Append("...");
        return text.ToString();
    }

    /// <summary>Whether a symbol is the entry of a system call, whose errors a program sees as -1 and errno.</summary>
    public static bool IsSyscall(string symbol) =>
        symbol.StartsWith("__sys_", StringComparison.Ordinal) && !symbol.EndsWith("_create", StringComparison.Ordinal)
            && !symbol.EndsWith("_file", StringComparison.Ordinal)
        || symbol.StartsWith("__x64_sys_", StringComparison.Ordinal)
        || symbol.StartsWith("sys_", StringComparison.Ordinal)
        || symbol.StartsWith("ksys_", StringComparison.Ordinal);

    private static string Result(TraceCall call, TraceParameter parameter, long value)
    {
        string symbol = call.Point.Symbol;
        if (parameter.Type is "int" or "long" && value is < 0 and >= -4095)
        {
            return IsSyscall(symbol) && call.Depth == 0
                ? $"-1 {Names.ErrnoName(value)} ({Errno.Describe((int)value)})"
                : "-" + Names.ErrnoName(value);
        }

        if (parameter.Type == "uint" && symbol.Contains("poll", StringComparison.Ordinal))
            return Names.PollMask(value);
        switch (symbol)
        {
            case "update_socket_protocol":
                return Names.Protocol(call.Argument("family"), value);
            case "eth_type_trans":
                return Names.EtherType(value);
        }

        if (symbol.Contains("addr_type", StringComparison.Ordinal))
            return Names.RouteType(value);
        return parameter.Type == "ulong" ? ((ulong)value).ToString(CultureInfo.InvariantCulture) : Names.Number(value);
    }

    // Whether a system call writes where one of its arguments points.
    private static bool LeadsOut(string symbol, string name) => name switch
    {
        "optval" or "optlen" => symbol.Contains("getsockopt", StringComparison.Ordinal),
        "msg" or "mmsg" => symbol.Contains("recvm", StringComparison.Ordinal),
        "ubuf" or "buf" => symbol.Contains("recvfrom", StringComparison.Ordinal) || symbol.EndsWith("_read", StringComparison.Ordinal),
        _ => (IsSockaddr(name) || IsSockaddrLength(name)) && (symbol.Contains("recvfrom", StringComparison.Ordinal) || symbol.Contains("accept", StringComparison.Ordinal)
            || symbol.Contains("name", StringComparison.Ordinal)),
    };

    private static bool IsSockaddr(string name) => name == "addr" || name.EndsWith("sockaddr", StringComparison.OrdinalIgnoreCase);

    private static bool IsSockaddrLength(string name) =>
        name is "addrLen" or "addrlen" or "upeerAddrlen" || name.EndsWith("sockaddrLen", StringComparison.Ordinal);

    private static bool IsLength(string name) => name == "optlen" || IsSockaddrLength(name);

    private static bool IsMessage(string name) => name is "msg" or "mmsg";

    private static string? Contents(TraceCall call, string name, Sockptr pointer, long length)
    {
        byte[] bytes = new byte[Math.Min(length, 128)];
        if (pointer.IsNull || length <= 0 || pointer.CopyFrom(bytes) < 0)
            return null;
        if (IsSockaddr(name))
            return SockaddrText.Format(bytes);
        return name == "optval"
            ? OptionText.OfOption(call.Argument("level"), call.Argument("optname"), bytes, (int)length)
            : Quote(bytes, (int)Math.Min(length, int.MaxValue));
    }

    // What a pointer of a system call leads to, where the call reads from there; perf does that for some of them, too.
    private static string Pointer(TraceCall call, string name, Sockptr pointer)
    {
        string symbol = call.Point.Symbol;
        if (IsMessage(name))
            return MessageOf(call, name, pointer) ?? Objects.Format(pointer);
        bool isAddress = name.EndsWith("addr", StringComparison.Ordinal);
        bool isOption = name == "optval";
        long? length = isAddress
            ? call.Argument("addrlen") ?? call.Argument("addrLen")
            : isOption ? call.Argument("optlen") : call.Argument("count") ?? call.Argument("len");
        bool isReadFrom = isAddress || isOption || symbol.Contains("write", StringComparison.Ordinal)
            || symbol.Contains("send", StringComparison.Ordinal);
        if (pointer.IsNull || !isReadFrom || LeadsOut(symbol, name) || length is null or <= 0)
            return Objects.Format(pointer);
        byte[] bytes = new byte[Math.Min(length.Value, 128)];
        if (pointer.CopyFrom(bytes) < 0)
            return Objects.Format(pointer);
        if (isAddress)
            return SockaddrText.Format(bytes);
        return isOption
            ? OptionText.OfOption(call.Argument("level"), call.Argument("optname"), bytes, (int)Math.Min(length.Value, int.MaxValue))
            : Quote(bytes, (int)Math.Min(length.Value, int.MaxValue));
    }

    // Layouts of the 32-bit interface are others.
    private static string? MessageOf(TraceCall call, string name, Sockptr pointer)
    {
        string symbol = call.Point.Symbol;
        if (pointer.IsNull || !symbol.Contains("send", StringComparison.Ordinal) || TaskStruct.Current.InCompatSyscall)
            return null;
        return name == "msg" ? MessageText.OfSent(pointer) : MessageText.OfSeveral(pointer, call.Argument("vlen") ?? 0, isReceived: false);
    }

    private static string? Named(TraceCall call, string name, string type, long value)
    {
        string symbol = call.Point.Symbol;
        switch (name)
        {
            case "family" or "domain" or "pf":
                return Names.Family(value);
            case "type" when symbol.Contains("icmp", StringComparison.Ordinal):
                return Names.IcmpType(value);
            case "type" when symbol.Contains("sock", StringComparison.Ordinal):
                return Names.SockType(value);
            case "type" when IsDevice(call):
                return Names.EtherType(value);
            case "protocol" or "proto" when !IsDevice(call):
                return Names.Protocol(call.Argument("family") ?? call.Argument("domain") ?? call.Argument("pf"), value);
            case "protocol" or "proto":
                return Names.EtherType(value);
            case "level":
                return Names.Level(value);
            case "optname":
                return Names.Option(call.Argument("level") ?? LevelOf(symbol), value);
            case "how" when symbol.Contains("shutdown", StringComparison.Ordinal):
                return Names.Shutdown(value);
            case "cmd" or "request" when symbol.Contains("fcntl", StringComparison.Ordinal):
                return Names.Fcntl(value);
            case "cmd" or "request" when symbol.Contains("ioctl", StringComparison.Ordinal):
                return Names.Ioctl(value);
            case "op" when symbol.Contains("epoll", StringComparison.Ordinal):
                return Names.EpollOp(value);
            case "call" when symbol.Contains("socketcall", StringComparison.Ordinal):
                return Names.SocketCall(value);
            case "events" or "mask" or "pollFlags" or "key":
                return Names.PollMask(value);
            case "cap" or "capability" when !symbol.Contains("filter", StringComparison.Ordinal):
                return Names.Capability(value);
            case "state" or "oldstate" or "newstate" when symbol.Contains("tcp_ca", StringComparison.Ordinal)
                || symbol.Contains("tcp_set_ca", StringComparison.Ordinal):
                return Names.CongestionState(value);
            case "state" or "oldstate" or "newstate" when type is "int" or "byte":
                return Names.TcpState(value);
            case "err" or "error" when value is > 0 and < 4096:
                return Names.ErrnoName(value);
            case "err" or "error" when value is < 0 and > -4096:
                return "-" + Names.ErrnoName(value);
            case "flags" or "msgFlags" or "fileFlags":
                return Flags(symbol, value);
        }

        return type == "uint" && IsAddress(name) ? Names.Ipv4(value) : null;
    }

    private static string? Flags(string symbol, long value)
    {
        if (symbol.Contains("accept", StringComparison.Ordinal))
            return Names.SockFlags(value);
        if (symbol.Contains("send", StringComparison.Ordinal) || symbol.Contains("recv", StringComparison.Ordinal))
            return Names.MsgFlags(value);
        // connect is given the flags of the socket's file.
        if (symbol.EndsWith("stream_connect", StringComparison.Ordinal) || symbol.EndsWith("dgram_connect", StringComparison.Ordinal))
            return Names.OpenFlags(value);
        bool isOfFile = symbol.Contains("fd", StringComparison.Ordinal) || symbol.Contains("file", StringComparison.Ordinal)
            || symbol.Contains("pipe", StringComparison.Ordinal) || symbol.Contains("dup", StringComparison.Ordinal)
            || symbol.Contains("epoll_create", StringComparison.Ordinal);
        if (isOfFile)
            return Names.OpenFlags(value);
        return value == 0 ? "0" : Names.Hex(value);
    }

    private static long? LevelOf(string symbol)
    {
        if (symbol.Contains("tcp_", StringComparison.Ordinal))
            return SocketH.SOL_TCP;
        if (symbol.Contains("udp_", StringComparison.Ordinal))
            return SocketH.SOL_UDP;
        return symbol.Contains("ip_", StringComparison.Ordinal) ? SocketH.SOL_IP : null;
    }

    private static bool IsDevice(TraceCall call) =>
        call.Point.File is "net/core/dev.c" or "net/ipv4/arp.c" || call.Point.File.StartsWith("net/ethernet/", StringComparison.Ordinal)
        || call.Point.File.StartsWith("drivers/", StringComparison.Ordinal);

    private static bool IsLinkAddress(string name) => name is "saddr" or "daddr" or "haddr" or "lladdr" or "mac";

    private static bool IsAddress(string name) =>
        name is "addr" or "saddr" or "daddr" or "rcvSaddr" or "raddr" or "laddr" or "address" or "local" or "remote" or "bound"
            or "sip" or "tip" or "gw" or "nexthop" or "dst" or "src" or "mask" or "group" or "newSaddr" or "oldSaddr";
}
