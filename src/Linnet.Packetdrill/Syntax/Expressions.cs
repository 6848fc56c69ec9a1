using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <summary>An argument or a result of a call.</summary>
/// <param name="Line">The line on which it begins.</param>
public abstract record Expression(int Line);

/// <summary><c>...</c>: the runner's choice, or anything.</summary>
public sealed record EllipsisExpression(int Line) : Expression(Line);

/// <summary>A number.</summary>
/// <param name="Line">The line.</param>
/// <param name="Value">Its value.</param>
/// <param name="IsHex">Whether it was written with 0x.</param>
public sealed record IntegerExpression(int Line, long Value, bool IsHex) : Expression(Line);

/// <summary>A name, such as <c>SOL_SOCKET</c> or <c>NULL</c>.</summary>
public sealed record WordExpression(int Line, string Name) : Expression(Line);

/// <summary>A string.</summary>
/// <param name="Line">The line.</param>
/// <param name="Bytes">Its bytes, escapes resolved, adjacent strings joined; without a final zero.</param>
/// <param name="Text">As it was written, without quotes.</param>
/// <param name="IsPrefix">Whether <c>...</c> follows it.</param>
public sealed record StringExpression(int Line, ImmutableArray<byte> Bytes, string Text, bool IsPrefix) : Expression(Line);

/// <summary><c>A | B</c></summary>
public sealed record OrExpression(int Line, Expression Left, Expression Right) : Expression(Line);

/// <summary><c>name = value</c> inside a brace list.</summary>
public sealed record FieldExpression(int Line, string Name, Expression Value) : Expression(Line);

/// <summary><c>[a, b]</c></summary>
public sealed record ListExpression(int Line, ImmutableArray<Expression> Items) : Expression(Line);

/// <summary><c>{a, b}</c> where the braces are none of the structures below.</summary>
public sealed record StructExpression(int Line, ImmutableArray<Expression> Items) : Expression(Line);

/// <summary><c>inet_addr("1.2.3.4")</c></summary>
/// <param name="Line">The line.</param>
/// <param name="Address">The address in host order.</param>
public sealed record InetAddrExpression(int Line, uint Address) : Expression(Line);

/// <summary><c>inet6_addr("::1")</c>, 16 bytes.</summary>
public sealed record Inet6AddrExpression(int Line, ImmutableArray<byte> Address) : Expression(Line);

/// <summary><c>{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}</c></summary>
/// <param name="Line">The line.</param>
/// <param name="Family"><c>AF_INET</c> or <c>AF_INET6</c>.</param>
/// <param name="Port">The port in host order.</param>
/// <param name="Address">The address's 4 or 16 bytes, as on the wire.</param>
public sealed record SockaddrExpression(int Line, int Family, ushort Port, ImmutableArray<byte> Address) : Expression(Line);

/// <summary><c>{msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0, msg_control=[]}</c></summary>
public sealed record MsghdrExpression(
    int Line, long IovLength, ListExpression Iov, Expression Flags, ListExpression Control) : Expression(Line);

/// <summary><c>{..., 1000}</c> in the place of an iovec.</summary>
public sealed record IovecExpression(int Line, long Length) : Expression(Line);

/// <summary><c>{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data={...}}</c></summary>
public sealed record CmsgExpression(int Line, Expression Level, Expression Type, Expression Data) : Expression(Line);

/// <summary><c>{ee_errno=0, ee_origin=..., ee_type=0, ee_code=..., ee_info=0, ee_data=0}</c></summary>
public sealed record SockExtendedErrExpression(
    int Line, Expression Errno, Expression Origin, Expression Type, Expression Code, Expression Info, Expression Data)
    : Expression(Line);

/// <summary><c>{scm_sec=0, scm_nsec=1000000}</c>: a time stamp, since the script's start.</summary>
public sealed record ScmTimestampingExpression(int Line, long Seconds, long Nanoseconds) : Expression(Line);

/// <summary><c>{fd=4, events=POLLIN, revents=POLLIN}</c>; <paramref name="Revents"/> is the number 0 where it is left out.</summary>
public sealed record PollfdExpression(int Line, Expression Fd, Expression Events, Expression Revents) : Expression(Line);

/// <summary>Which member of an epoll event's data was written.</summary>
public enum EpollDataKind
{
    /// <summary><c>fd=</c></summary>
    Fd,

    /// <summary><c>ptr=</c></summary>
    Ptr,

    /// <summary><c>u32=</c></summary>
    U32,

    /// <summary><c>u64=</c></summary>
    U64,
}

/// <summary><c>{events=EPOLLIN, fd=4}</c></summary>
public sealed record EpollEventExpression(int Line, Expression Events, EpollDataKind DataKind, Expression Data)
    : Expression(Line);

/// <summary><c>{onoff=1, linger=0}</c></summary>
public sealed record LingerExpression(int Line, int OnOff, int Linger) : Expression(Line);
