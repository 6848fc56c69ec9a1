using System.Runtime.InteropServices;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <content>Calls that move data through sockets.</content>
internal sealed partial class CallRunner
{
    private bool TryMakeDataCall(Call call)
    {
        Action<Call>? make = call.Spec.Name switch
        {
            "read" => c => Transfer(c, __NR_read),
            "write" => c => Transfer(c, __NR_write),
            "readv" => c => Vectored(c, __NR_readv),
            "writev" => c => Vectored(c, __NR_writev),
            "recv" => c => Message(c, __NR_recvfrom),
            "send" => c => Message(c, __NR_sendto),
            "recvfrom" => Recvfrom,
            "sendto" => Sendto,
            "recvmsg" => Recvmsg,
            "sendmsg" => Sendmsg,
            _ => null,
        };
        make?.Invoke(call);
        return make != null;
    }

    private static void Transfer(Call call, int number)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        int count = call.Int(2);
        ulong buffer = call.Buffer(1, count);
        call.Invoke(number, (ulong)fd, buffer, (ulong)count);
        call.Check();
    }

    private static void Vectored(Call call, int number)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        (ulong vector, int pieces) = Iovecs(call, call.Argument(1));
        int count = call.Int(2);
        if (count != pieces)
            throw new CallFailure($"iov_count {count} does not match {pieces}-element iovec array");
        call.Invoke(number, (ulong)fd, vector, (ulong)count);
        call.Check();
    }

    // recv and send are recvfrom and sendto without an address.
    private static void Message(Call call, int number)
    {
        call.Arguments(4);
        int fd = call.Fd(0);
        int count = call.Int(2);
        ulong buffer = call.Buffer(1, count);
        call.Invoke(number, (ulong)fd, buffer, (ulong)count, (ulong)call.Int(3), 0, 0);
        call.Check();
    }

    private static void Recvfrom(Call call)
    {
        call.Arguments(6);
        int fd = call.Fd(0);
        int count = call.Int(2);
        ulong buffer = call.Buffer(1, count);
        int flags = call.Int(3);
        call.Ellipsis(4);
        call.Ellipsis(5);
        ulong address = call.Alloc(128);
        ulong length = call.Store(128);
        call.Invoke(__NR_recvfrom, (ulong)fd, buffer, (ulong)count, (ulong)flags, address, length);
        call.Check();
    }

    private void Sendto(Call call)
    {
        call.Arguments(6);
        int fd = call.Fd(0);
        int count = call.Int(2);
        ulong buffer = call.Buffer(1, count);
        int flags = call.Int(3);
        call.Ellipsis(5);
        (ulong address, int length) = Destination(call, 4);
        if (buffer != 0 && count >= 8 && FindSocket(call.Int(0)) is { Type: SOCK_DGRAM, Protocol: IPPROTO_ICMP })
            call.Memory.At(buffer)[0] = ICMP_ECHO;
        call.Invoke(__NR_sendto, (ulong)fd, buffer, (ulong)count, (ulong)flags, address, (ulong)length);
        call.Check();
    }

    private void Sendmsg(Call call)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        MsghdrExpression expression = Msghdr(call, 1);
        if (Call.Int(expression.Flags) != 0)
            throw new CallFailure("sendmsg ignores msg_flags field in msghdr");
        byte[] name = Syscalls.Sockaddr(new System.Net.IPEndPoint(run.Options.RemoteIp, run.Options.ConnectPort));
        NoteDestination(call, AF_INET);
        (ulong vector, int pieces) = Iovecs(call, expression.Iov);
        byte[] control = Structures.EncodeCmsgs(expression.Control);
        UserMsghdr msg = new()
        {
            MsgName = call.Store(name),
            MsgNamelen = name.Length,
            MsgIov = vector,
            MsgIovlen = (ulong)pieces,
            MsgControl = control.Length > 0 ? call.Store(control) : 0,
            MsgControllen = (ulong)control.Length,
        };
        call.Invoke(__NR_sendmsg, (ulong)fd, call.Store(msg), (ulong)call.Int(2));
        call.Check();
    }

    private void Recvmsg(Call call)
    {
        call.Arguments(3);
        int fd = call.Fd(0);
        MsghdrExpression expression = Msghdr(call, 1);
        (ulong vector, int pieces) = Iovecs(call, expression.Iov);

        // There is room for the control messages that are expected, and for no more.
        byte[] expected = Structures.EncodeCmsgs(expression.Control);
        ulong control = call.Alloc(expected.Length);
        ulong msg = call.Store(new UserMsghdr
        {
            MsgName = call.Alloc(128),
            MsgNamelen = 128,
            MsgIov = vector,
            MsgIovlen = (ulong)pieces,
            MsgControl = control,
            MsgControllen = (ulong)expected.Length,
        });
        call.Invoke(__NR_recvmsg, (ulong)fd, msg, (ulong)call.Int(2));
        call.Check();
        UserMsghdr received = call.Memory.Load<UserMsghdr>(msg);
        if (call.Result < 0)
            return;
        uint flags = (uint)Call.Int(expression.Flags);
        if (received.MsgFlags != flags)
            throw new CallFailure($"Expected msg_flags 0x{flags:X8} but got 0x{received.MsgFlags:X8}");
        Structures.CheckCmsgs(
            expected, call.Memory.At(control)[..(int)received.MsgControllen], run.Bed.StartedAtReal, run.Options.ToleranceUsecs);
    }

    private static MsghdrExpression Msghdr(Call call, int index)
    {
        if (call.Argument(index) is not MsghdrExpression msghdr)
            throw new CallFailure($"Bad type; actual: {Call.TypeName(call.Argument(index))} expected: msghdr");
        if (msghdr.IovLength != msghdr.Iov.Items.Length)
        {
            throw new CallFailure(
                $"msg_iovlen {msghdr.IovLength} does not match {msghdr.Iov.Items.Length}-element iovec array");
        }

        return msghdr;
    }

    private static (ulong Vector, int Pieces) Iovecs(Call call, Expression expression)
    {
        if (expression is not ListExpression list)
            throw new CallFailure($"Bad type; actual: {Call.TypeName(expression)} expected: list");
        Iovec[] pieces = new Iovec[list.Items.Length];
        for (int i = 0; i < pieces.Length; i++)
        {
            if (list.Items[i] is not IovecExpression piece)
                throw new CallFailure($"Bad type; actual: {Call.TypeName(list.Items[i])} expected: iovec");
            pieces[i] = new Iovec { IovBase = call.Alloc((int)piece.Length), IovLen = (ulong)piece.Length };
        }

        return (call.Store(MemoryMarshal.AsBytes<Iovec>(pieces)), pieces.Length);
    }
}
