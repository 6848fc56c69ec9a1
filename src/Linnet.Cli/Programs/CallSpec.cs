using static Linnet.Kernel.Uapi.SyscallH;

namespace Linnet.Cli.Programs;

/// <summary>How an argument becomes what the system call takes.</summary>
internal enum ArgumentKind
{
    /// <summary>A number.</summary>
    Number,

    /// <summary>A socket address: a pointer and a length.</summary>
    Address,

    /// <summary>Bytes to send: a pointer and a length.</summary>
    Data,

    /// <summary>How many bytes to receive: a pointer to room for them, and the number.</summary>
    Room,

    /// <summary>Value of an option: a pointer and a length.</summary>
    Option,

    /// <summary>How much room there is for an option's value: a pointer and a pointer to the length.</summary>
    OptionRoom,

    /// <summary>A number behind a pointer, that the call reads or writes.</summary>
    Pointer,

    /// <summary>What epoll is to watch for: a pointer to an <c>epoll_event</c>.</summary>
    Event,

    /// <summary>Descriptors to poll: an array of <c>{fd, events}</c>.</summary>
    PollFds,

    /// <summary>Milliseconds of the machine's time.</summary>
    Milliseconds,
}

/// <summary>A parameter of a call.</summary>
/// <param name="Name">Its name in the manual page.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Default">What is taken when it is left out; null for one that must be given.</param>
internal sealed record ParameterSpec(string Name, ArgumentKind Kind, long? Default = null);

/// <summary>A call that programs can make.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Number">Number of the system call; -1 for <c>sleep</c>, which lets the machine's time pass.</param>
/// <param name="Parameters">What it takes.</param>
internal sealed record CallSpec(string Name, int Number, IReadOnlyList<ParameterSpec> Parameters)
{
    private static readonly Dictionary<string, CallSpec> ByName = Table().ToDictionary(c => c.Name, StringComparer.Ordinal);

    /// <summary>All of them, by name.</summary>
    public static IEnumerable<CallSpec> All => ByName.Values.OrderBy(c => c.Name, StringComparer.Ordinal);

    /// <summary>How many arguments must be given.</summary>
    public int Required => Parameters.Count(p => p.Default == null);

    /// <summary>How it is written, <c>(fd, backlog)</c>.</summary>
    public string Signature => "(" + string.Join(", ", Parameters.Select(p => p.Default == null ? p.Name : $"[{p.Name}]")) + ")";

    /// <summary>Finds a call.</summary>
    /// <exception cref="UsageException">There is none of that name.</exception>
    public static CallSpec Find(string name) => ByName.TryGetValue(name, out CallSpec? spec)
        ? spec
        : throw new UsageException($"there is no call '{name}'" + Suggestion.For(name, ByName.Keys) + "; see linnet trace --help");

    private static CallSpec[] Table() =>
    [
        Call("socket", __NR_socket, N("family"), N("type"), N("protocol", 0)),
        Call("socketpair", __NR_socketpair, N("family"), N("type"), N("protocol", 0)),
        Call("bind", __NR_bind, N("fd"), P("address", ArgumentKind.Address)),
        Call("connect", __NR_connect, N("fd"), P("address", ArgumentKind.Address)),
        Call("listen", __NR_listen, N("fd"), N("backlog", 128)),
        Call("accept", __NR_accept, N("fd")),
        Call("accept4", __NR_accept4, N("fd"), N("flags")),
        Call("getsockname", __NR_getsockname, N("fd")),
        Call("getpeername", __NR_getpeername, N("fd")),
        Call("shutdown", __NR_shutdown, N("fd"), N("how")),
        Call("send", __NR_sendto, N("fd"), P("data", ArgumentKind.Data), N("flags", 0)),
        Call("sendto", __NR_sendto, N("fd"), P("data", ArgumentKind.Data), N("flags"), P("address", ArgumentKind.Address)),
        Call("recv", __NR_recvfrom, N("fd"), P("count", ArgumentKind.Room), N("flags", 0)),
        Call("recvfrom", __NR_recvfrom, N("fd"), P("count", ArgumentKind.Room), N("flags", 0)),
        Call("write", __NR_write, N("fd"), P("data", ArgumentKind.Data)),
        Call("read", __NR_read, N("fd"), P("count", ArgumentKind.Room)),
        Call("setsockopt", __NR_setsockopt, N("fd"), N("level"), N("option"), P("value", ArgumentKind.Option)),
        Call("getsockopt", __NR_getsockopt, N("fd"), N("level"), N("option"), P("length", ArgumentKind.OptionRoom, 4)),
        Call("close", __NR_close, N("fd")),
        Call("dup", __NR_dup, N("fd")),
        Call("dup2", __NR_dup2, N("fd"), N("newfd")),
        Call("dup3", __NR_dup3, N("fd"), N("newfd"), N("flags")),
        Call("fcntl", __NR_fcntl, N("fd"), N("command"), N("arg", 0)),
        Call("ioctl", __NR_ioctl, N("fd"), N("request"), P("arg", ArgumentKind.Pointer, 0)),
        Call("pipe", __NR_pipe2, N("flags", 0)),
        Call("pipe2", __NR_pipe2, N("flags")),
        Call("poll", __NR_poll, P("[{fd, events}, ...]", ArgumentKind.PollFds), N("timeout", 0)),
        Call("epoll_create1", __NR_epoll_create1, N("flags", 0)),
        Call("epoll_ctl", __NR_epoll_ctl, N("epfd"), N("op"), N("fd"), P("events", ArgumentKind.Event, 0)),
        Call("epoll_wait", __NR_epoll_wait, N("epfd"), N("maxevents", 16), N("timeout", 0)),
        Call("sleep", -1, P("milliseconds", ArgumentKind.Milliseconds)),
    ];

    private static CallSpec Call(string name, int number, params ParameterSpec[] parameters) => new(name, number, parameters);

    private static ParameterSpec N(string name, long? @default = null) => new(name, ArgumentKind.Number, @default);

    private static ParameterSpec P(string name, ArgumentKind kind, long? @default = null) => new(name, kind, @default);
}
