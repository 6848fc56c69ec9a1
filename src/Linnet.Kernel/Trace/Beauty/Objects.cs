using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>Objects of the kernel, each in a few words.</summary>
internal static class Objects
{
    public static string Format(object? value) => value switch
    {
        null => "NULL",
        string text => $"\"{text}\"",
        Socket socket => $"socket:[{Names.Number(socket.Ino)}]",
        Sock sk => FormatSock(sk),
        SockCommon sk => FormatAddresses(sk.GetType().Name, sk, isTcp: true),
        SkBuff skb => FormatPacket(skb),
        MsgHdr msg => FormatMessage(msg),
        Fs.File file => FormatFile(file),
        NetNamespace net => $"net:[{Names.Number(net.Inum)}]",
        NetDevice device => device.Name,
        Flowi4 flow => FormatFlow(flow),
        Rtable route => FormatRoute(route),
        FibResult result => FormatFib(result),
        InIfaddr address => $"{Names.Ipv4(address.IfaLocal)}/{Names.Number(address.IfaPrefixlen)}",
        Neighbour neighbour => $"neigh({Names.Ipv4((long)(uint)neighbour.Key)} dev {neighbour.Dev.Name})",
        TaskStruct task => $"{task.Comm}/{Names.Number(task.Pid)}",
        Proto proto => SnakeCase(proto.GetType().Name),
        ProtoOps ops => SnakeCase(ops.GetType().Name),
        NetProtoFamily family => SnakeCase(family.GetType().Name),
        Sockptr pointer => pointer.IsNull ? "NULL" : Names.Hex((long)pointer.Address),
        IovIter iter => $"iov[{Names.Number(iter.Count)}]",
        Enum number => number.ToString(),
        IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
        Delegate => "fn",
        _ => SnakeCase(value.GetType().Name),
    };

    /// <summary>The Linux name of a type or object by the naming rule: <c>InetStreamOps</c> is <c>inet_stream_ops</c>.</summary>
    public static string SnakeCase(string name)
    {
        int generic = name.IndexOf('`', StringComparison.Ordinal);
        if (generic >= 0)
            name = name[..generic];
        var text = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }

    private static string FormatSock(Sock sk)
    {
        // A sock that is being allocated has no protocol yet.
        string name = sk.SkcProt?.Name ?? sk.GetType().Name;
        return FormatAddresses(name, sk, sk.SkProtocol == IPPROTO_TCP);
    }

    private static string FormatAddresses(string name, SockCommon sk, bool isTcp)
    {
        var text = new StringBuilder(name);
        if (sk.SkcNum != 0 || sk.SkcRcvSaddr != 0)
            text.Append(' ').Append(Names.Ipv4(sk.SkcRcvSaddr)).Append(':').Append(sk.SkcNum);
        if (sk.SkcDaddr != 0 || sk.SkcDport != 0)
            text.Append("->").Append(Names.Ipv4(sk.SkcDaddr)).Append(':').Append(sk.SkcDport);
        // State 0 is that of a sock that is not initialised yet.
        if (isTcp && sk.SkcState != 0)
            text.Append(' ').Append(Names.TcpState(sk.SkcState).Replace("TCP_", "", StringComparison.Ordinal));
        return $"sk({text})";
    }

    private static string FormatPacket(SkBuff skb)
    {
        string length = Names.Number(skb.Len);
        return TcpFlags(skb) is { } flags ? $"skb(len {length}, {flags})" : $"skb(len {length})";
    }

    // The flags of a TCP segment whose headers are in place and in the linear part; others are told by their length.
    private static string? TcpFlags(SkBuff skb)
    {
        if (skb.NetworkHeader < 0 || skb.TransportHeader <= skb.NetworkHeader || skb.HeadLen == 0
            || skb.TransportHeader + 20 > skb.DataOffset + skb.HeadLen || skb.NetworkHeader + 20 > skb.TransportHeader)
            return null;
        ReadOnlySpan<byte> ip = skb.NetworkHeaderSpan;
        if (ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
            return null;
        ReadOnlySpan<byte> tcp = skb.TransportHeaderSpan;
        uint seq = BinaryPrimitives.ReadUInt32BigEndian(tcp[4..]);
        List<string> flags = [];
        string[] names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
        for (int i = 0; i < names.Length; i++)
        {
            if ((tcp[13] >> i & 1) != 0)
                flags.Add(names[i]);
        }

        return $"{string.Join('|', flags)} seq {seq}";
    }

    private static string FormatFlow(in Flowi4 flow)
    {
        var text = new StringBuilder("{ ");
        if (flow.Flowi4Proto != 0)
            text.Append(Names.Protocol(AF_INET, flow.Flowi4Proto)).Append(' ');
        text.Append(Names.Ipv4(flow.Saddr));
        if (flow.FlSport != 0)
            text.Append(':').Append(flow.FlSport);
        text.Append(" -> ").Append(Names.Ipv4(flow.Daddr));
        if (flow.FlDport != 0)
            text.Append(':').Append(flow.FlDport);
        if (flow.Flowi4Oif != 0)
            text.Append(" oif ").Append(flow.Flowi4Oif);
        return text.Append(" }").ToString();
    }

    private static string FormatRoute(Rtable route)
    {
        string type = Names.RouteType(route.RtType).Replace("RTN_", "", StringComparison.Ordinal).ToLowerInvariant();
        return route.RtGw4 != 0 ? $"rt({type} via {Names.Ipv4(route.RtGw4)} dev {route.Dev.Name})" : $"rt({type} dev {route.Dev.Name})";
    }

    private static string FormatFib(in FibResult result) =>
        result.Fi == null ? "{}" : $"{{ {Names.RouteType(result.Type)} {Names.Ipv4(result.Prefix)}/{Names.Number(result.Prefixlen)} }}";

    private static string FormatMessage(MsgHdr msg)
    {
        var text = new StringBuilder("{ ");
        if (msg.HasName)
            text.Append(".name: ").Append(SockaddrText.Format(msg.MsgName)).Append(", ");
        text.Append(".len: ").Append(msg.MsgIter.Count);
        if (msg.MsgControllen != 0)
            text.Append(", .controllen: ").Append(msg.MsgControllen);
        if (msg.MsgFlags != 0)
            text.Append(", .flags: ").Append(Names.MsgFlags(msg.MsgFlags));
        return text.Append(" }").ToString();
    }

    private static string FormatFile(Fs.File file)
    {
        string what = file.PrivateData is Socket socket ? Format(socket) : SnakeCase(file.FOp.GetType().Name);
        return $"file({what}, {Names.OpenFlags(file.FFlags)})";
    }
}
