using System.Net.Sockets;

namespace Linnet.Packetdrill.Syntax;

/// <content>What stands in braces: the first member's name says which structure it is.</content>
public sealed partial class ScriptParser
{
    private Expression ParseBraces(int line)
    {
        Expression structure;
        switch (Current.Kind == TokenKind.Word ? Current.Text : "")
        {
            case "fd" when Next.Is('='): structure = ParsePollfd(line); break;
            case "events" when Next.Is('='): structure = ParseEpollEvent(line); break;
            case "onoff" when Next.Is('='): structure = ParseLinger(line); break;
            case "sa_family" when Next.Is('='): structure = ParseSockaddr(line); break;
            case "msg_name" when Next.Is('('): structure = ParseMsghdr(line); break;
            case "cmsg_level" when Next.Is('='): structure = ParseCmsg(line); break;
            case "ee_errno" when Next.Is('='): structure = ParseExtendedErr(line); break;
            case "scm_sec" when Next.Is('='): structure = ParseTimestamping(line); break;
            default:
                if (Current.Kind != TokenKind.Ellipsis)
                    return new StructExpression(line, ParseExpressions('}'));
                structure = ParseIovec(line);
                break;
        }
        Expect('}');
        return structure;
    }

    /// <summary><c>name=value</c>, after a comma unless it is the first.</summary>
    private Expression ParseMember(string name, bool isFirst = false)
    {
        ExpectMember(name, isFirst);
        return ParseExpression();
    }

    private void ExpectMember(string name, bool isFirst = false)
    {
        if (!isFirst)
            Expect(',');
        Expect(name);
        Expect('=');
    }

    private IovecExpression ParseIovec(int line)
    {
        ExpectEllipsis();
        Expect(',');
        return new IovecExpression(line, ExpectInteger(0, int.MaxValue, "iovec length"));
    }

    private PollfdExpression ParsePollfd(int line)
    {
        Expression fd = ParseMember("fd", isFirst: true);
        Expression events = ParseMember("events");
        Expression revents = Current.Is(',') ? ParseMember("revents") : new IntegerExpression(line, 0, false);
        return new PollfdExpression(line, fd, events, revents);
    }

    private EpollEventExpression ParseEpollEvent(int line)
    {
        Expression events = ParseMember("events", isFirst: true);
        Expect(',');
        EpollDataKind kind = ExpectWord("fd, ptr, u32 or u64") switch
        {
            "fd" => EpollDataKind.Fd,
            "ptr" => EpollDataKind.Ptr,
            "u32" => EpollDataKind.U32,
            "u64" => EpollDataKind.U64,
            _ => throw UnexpectedLast("fd, ptr, u32 or u64"),
        };
        Expect('=');
        return new EpollEventExpression(line, events, kind, ParseExpression());
    }

    private LingerExpression ParseLinger(int line)
    {
        ExpectMember("onoff", isFirst: true);
        long onoff = ExpectInteger(int.MinValue, int.MaxValue, "onoff");
        ExpectMember("linger");
        return new LingerExpression(line, (int)onoff, (int)ExpectInteger(int.MinValue, int.MaxValue, "linger"));
    }

    private SockaddrExpression ParseSockaddr(int line)
    {
        ExpectMember("sa_family", isFirst: true);
        int family = ExpectWord("AF_INET or AF_INET6") switch
        {
            "AF_INET" => AF_INET,
            "AF_INET6" => AF_INET6,
            _ => throw UnexpectedLast("AF_INET or AF_INET6"),
        };
        ExpectMember("sin_port");
        Expect("htons");
        Expect('(');
        var port = (ushort)ExpectInteger(0, ushort.MaxValue, "port");
        Expect(')');
        ExpectMember("sin_addr");
        Expect("inet_addr");
        byte[] address = ParseQuotedAddress(family == AF_INET ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6);
        return new SockaddrExpression(line, family, port, [.. address]);
    }

    private MsghdrExpression ParseMsghdr(int line)
    {
        Expect("msg_name");
        Expect('(');
        ExpectEllipsis();
        Expect(')');
        Expect('=');
        ExpectEllipsis();
        Expect(',');
        Expect("msg_iov");
        Expect('(');
        long count = ExpectInteger(0, int.MaxValue, "msg_iov length");
        Expect(')');
        Expect('=');
        ListExpression iov = ParseList();
        Expression flags = ParseMember("msg_flags");
        ListExpression control = new(line, []);
        if (Current.Is(','))
        {
            ExpectMember("msg_control");
            control = ParseList();
        }
        return new MsghdrExpression(line, count, iov, flags, control);
    }

    private CmsgExpression ParseCmsg(int line)
    {
        Expression level = ParseMember("cmsg_level", isFirst: true);
        Expression type = ParseMember("cmsg_type");
        return new CmsgExpression(line, level, type, ParseMember("cmsg_data"));
    }

    private SockExtendedErrExpression ParseExtendedErr(int line)
    {
        Expression errno = ParseMember("ee_errno", isFirst: true);
        Expression origin = ParseMember("ee_origin");
        Expression type = ParseMember("ee_type");
        Expression code = ParseMember("ee_code");
        Expression info = ParseMember("ee_info");
        return new SockExtendedErrExpression(line, errno, origin, type, code, info, ParseMember("ee_data"));
    }

    private ScmTimestampingExpression ParseTimestamping(int line)
    {
        ExpectMember("scm_sec", isFirst: true);
        long seconds = ExpectInteger(0, int.MaxValue, "scm_sec");
        ExpectMember("scm_nsec");
        return new ScmTimestampingExpression(line, seconds, ExpectInteger(0, 999_999_999, "scm_nsec"));
    }
}
