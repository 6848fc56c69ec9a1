using System.Buffers.Binary;
using System.Net;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Security;

/// <summary>A request that the policy refused.</summary>
/// <param name="Request">What was asked for, by whom.</param>
/// <param name="Rule">The rule that refused it.</param>
public readonly record struct PolicyRefusal(PolicyRequest Request, PolicyRule Rule)
{
    /// <summary>The refusal in a line, as it is logged.</summary>
    public override string ToString()
    {
        string address = Request.Address == null ? "" : $" {new IPEndPoint(Request.Address, Request.Port)}";
        string operation = Request.Operation.ToString().ToLowerInvariant();
        int pid = Request.Task.PidOutside != 0 ? Request.Task.PidOutside : Request.Task.Pid;
        string kind = PolicyWords.Describe(Request.Family, Request.Type, Request.Protocol);
        return $"policy: {Request.Task.Comm}[{pid}] may not {operation}{address} ({kind}): {Rule.Name}";
    }
}

/// <summary>
/// The security module that enforces a <see cref="Policy"/> on the sockets of tasks. The kernel's own sockets, and what its
/// own tasks do (<see cref="TaskStruct.IsKthread"/>), are not asked about. A policy can be replaced while the machine runs; sockets that exist are held to the new one.
/// </summary>
/// <remarks>
/// Rules see, as address and port: for bind the address to take, for connect the destination, for listen and accept the
/// local address, for send the destination (the message's, else the peer), for receive the peer. A rule with an address or
/// a port matches no operation that has none.
/// </remarks>
public sealed class PolicyModule(Policy policy) : SecurityModule
{
    private long refused;

    /// <inheritdoc/>
    public override string Name => "policy";

    /// <summary>The policy in force.</summary>
    public Policy Policy { get; set; } = policy;

    /// <summary>Requests refused so far.</summary>
    public long Refused => Interlocked.Read(ref refused);

    /// <summary>Called for each refusal, in the refused task, outside of locks.</summary>
    public event Action<PolicyRefusal>? Refusing;

    /// <inheritdoc/>
    public override int SocketCreate(Machine machine, int family, int type, int protocol, bool kern) =>
        kern ? 0 : Decide(PolicyOperation.Create, family, type, ProtocolOf(family, type, protocol), []);

    /// <inheritdoc/>
    public override int SocketBind(Socket sock, ReadOnlySpan<byte> address) => Decide(PolicyOperation.Bind, sock, address);

    /// <inheritdoc/>
    public override int SocketConnect(Socket sock, ReadOnlySpan<byte> address) => Decide(PolicyOperation.Connect, sock, address);

    /// <inheritdoc/>
    public override int SocketListen(Socket sock, int backlog) => DecideByName(PolicyOperation.Listen, sock, peer: 0);

    /// <inheritdoc/>
    public override int SocketAccept(Socket sock, Socket newsock) => DecideByName(PolicyOperation.Accept, sock, peer: 0);

    /// <inheritdoc/>
    public override int SocketSendmsg(Socket sock, MsgHdr msg, long size) =>
        msg.HasName && msg.MsgNamelen > 0
            ? Decide(PolicyOperation.Send, sock, msg.MsgName)
            : DecideByName(PolicyOperation.Send, sock, peer: 1);

    /// <inheritdoc/>
    public override int SocketRecvmsg(Socket sock, MsgHdr msg, long size, int flags) =>
        DecideByName(PolicyOperation.Receive, sock, peer: 1);

    private int DecideByName(PolicyOperation operation, Socket sock, int peer)
    {
        if ((Policy.Mentioned & operation) == 0)
            return 0;
        Span<byte> address = stackalloc byte[SockaddrStorage.Size];
        int length = sock.Ops!.Getname(sock, address, peer);
        return Decide(operation, sock, length < 0 ? [] : address[..length]);
    }

    private int Decide(PolicyOperation operation, Socket sock, ReadOnlySpan<byte> address)
    {
        Sock sk = sock.Sk!;
        return Decide(operation, sk.SkcFamily, sock.Type, sk.SkProtocol, address);
    }

    private int Decide(PolicyOperation operation, int family, int type, int protocol, ReadOnlySpan<byte> address)
    {
        Policy current = Policy;
        if ((current.Mentioned & operation) == 0 || Cpu.This.Task is not { IsKthread: false } task)
            return 0;
        IPAddress? ip = Parse(address, out int port);
        PolicyRequest request = new(task, operation, family, type, protocol, ip, port);
        PolicyRule rule = current.Decide(request);
        if (rule.Allows)
            return 0;
        Interlocked.Increment(ref refused);
        PolicyRefusal refusal = new(request, rule);
        task.Machine.Log.Write(LogLevel.Notice, refusal.ToString());
        Refusing?.Invoke(refusal);
        return -rule.Errno;
    }

    // What socket(family, type, 0) means, so that a rule for TCP is one for it too.
    private static int ProtocolOf(int family, int type, int protocol) => (family, type, protocol) switch
    {
        (AF_INET or AF_INET6, SOCK_STREAM, 0) => IPPROTO_TCP,
        (AF_INET or AF_INET6, SOCK_DGRAM, 0) => IPPROTO_UDP,
        _ => protocol,
    };

    private static IPAddress? Parse(ReadOnlySpan<byte> address, out int port)
    {
        port = 0;
        if (address.Length < SockaddrIn.Size / 2)
            return null;
        int family = BinaryPrimitives.ReadUInt16LittleEndian(address);
        port = BinaryPrimitives.ReadUInt16BigEndian(address[2..]);
        return family switch
        {
            AF_INET => new IPAddress(address.Slice(4, 4)),
            AF_INET6 when address.Length >= SockaddrIn6.SizeRfc2133 => new IPAddress(address.Slice(8, 16)),
            _ => null,
        };
    }
}
