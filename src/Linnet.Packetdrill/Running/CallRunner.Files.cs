using System.Runtime.InteropServices;
using Linnet.Kernel;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <content>Calls on descriptors of every kind, and on none.</content>
internal sealed partial class CallRunner
{
    private bool TryMakeFileCall(Call call)
    {
        Action<Call>? make = call.Spec.Name switch
        {
            "fcntl" => Fcntl,
            "ioctl" => Ioctl,
            "poll" => Poll,
            "epoll_create" => EpollCreate,
            "epoll_ctl" => EpollCtl,
            "epoll_wait" => EpollWait,
            "open" => Open,
            "pipe" => Pipe,
            "splice" => Splice,
            "sendfile" => Sendfile,
            "cap_set" => CapSet,
            _ => null,
        };
        make?.Invoke(call);
        return make != null;
    }

    private static void Fcntl(Call call)
    {
        if (call.Count is not (2 or 3))
            throw new CallFailure($"fcntl expected 2-3 args but got {call.Count}");
        int fd = call.Fd(0);
        int command = call.Int(1);
        call.Invoke(__NR_fcntl, (ulong)fd, (ulong)command, call.Count == 3 ? (ulong)call.Int(2) : 0);
        call.Check();
    }

    private static void Ioctl(Call call)
    {
        if (call.Count is not (2 or 3))
            throw new CallFailure($"ioctl expected 2-3 args but got {call.Count}");
        int fd = call.Fd(0);
        uint command = (uint)call.Int(1);
        int expected = call.Count == 3 ? call.BracketedInt(2) : 0;
        ulong value = call.Count == 3 ? call.Alloc(sizeof(int)) : 0;
        call.Invoke(__NR_ioctl, (ulong)fd, command, value);
        call.Check();
        if (call.Count == 3 && call.Memory.Load<int>(value) is var actual && actual != expected)
            throw new CallFailure($"Bad ioctl optval: expected: {expected} actual: {actual}");
    }

    private void Poll(Call call)
    {
        call.Arguments(3);
        if (call.Argument(0) is not ListExpression list)
            throw new CallFailure($"Bad type; actual: {Call.TypeName(call.Argument(0))} expected: list");
        List<PollfdExpression> expected = [];
        foreach (Expression item in list.Items)
        {
            expected.Add(item as PollfdExpression
                ?? throw new CallFailure($"Bad type; actual: {Call.TypeName(item)} expected: pollfd"));
        }

        Pollfd[] fds = [.. expected.Select(p => new Pollfd
        {
            Fd = descriptors.ToLive(Call.Int(p.Fd)),
            Events = (short)Call.Int(p.Events),
        })];
        int count = call.Int(1);
        if (count != fds.Length)
            throw new CallFailure($"nfds {count} does not match {fds.Length}-element pollfd array");
        ulong address = call.Store(MemoryMarshal.AsBytes<Pollfd>(fds));
        call.Invoke(__NR_poll, address, (ulong)count, (ulong)call.Int(2));
        call.Check();
        ReadOnlySpan<Pollfd> polled = MemoryMarshal.Cast<byte, Pollfd>(call.Memory.At(address));
        for (int i = 0; i < fds.Length; i++)
        {
            short revents = (short)Call.Int(expected[i].Revents);
            if (polled[i].Revents != revents)
            {
                throw new CallFailure(
                    $"Expected revents of {Structures.PollFlags(revents)} but got {Structures.PollFlags(polled[i].Revents)} "
                    + $"for pollfd {i}");
            }
        }
    }

    private void EpollCreate(Call call)
    {
        call.Arguments(1);
        call.Invoke(__NR_epoll_create, (ulong)call.Int(0));
        call.Check(isDescriptor: true);
        if (call.Result >= 0)
            descriptors.Add(call.ExpectedFd, (int)call.Result);
    }

    private void EpollCtl(Call call)
    {
        call.Arguments(4);
        int epfd = call.Fd(0);
        int fd = call.Fd(2);
        if (call.Argument(3) is EpollEventExpression { DataKind: EpollDataKind.Fd } written && Call.Int(written.Data) != call.Int(2))
            throw new CallFailure("wrong fd specified in epoll_event");
        ulong address = call.Argument(3) is EllipsisExpression ? 0 : call.Store(EpollEventOf(call.Argument(3)));
        call.Invoke(__NR_epoll_ctl, (ulong)epfd, (ulong)call.Int(1), (ulong)fd, address);
        call.Check();
    }

    // packetdrill compares the first event, whether the call returned one or not; without any it is all zero.
    private void EpollWait(Call call)
    {
        call.Arguments(4);
        int epfd = call.Fd(0);
        EpollEvent expected = EpollEventOf(call.Argument(1));
        int most = call.Int(2);
        ulong address = call.Alloc(12 * Math.Clamp(most, 1, 1024));
        call.Invoke(__NR_epoll_wait, (ulong)epfd, address, (ulong)most, (ulong)call.Int(3));
        call.Check();
        EpollEvent actual = call.Memory.Load<EpollEvent>(address);
        if (actual.Events != expected.Events)
        {
            throw new CallFailure(
                $"epoll_event->events does not match script: expected: 0x{expected.Events:x} actual: 0x{actual.Events:x}");
        }

        if (actual.Data != expected.Data)
        {
            throw new CallFailure(
                $"epoll_event->data does not match script: expected: 0x{expected.Data:x} actual: 0x{actual.Data:x}");
        }
    }

    private EpollEvent EpollEventOf(Expression expression)
    {
        if (expression is not EpollEventExpression written)
            throw new CallFailure($"Bad type; actual: {Call.TypeName(expression)} expected: epollev");
        long data = Call.Number(written.Data);
        return new EpollEvent
        {
            Events = (uint)Call.Int(written.Events),
            Data = written.DataKind switch
            {
                EpollDataKind.Fd => (ulong)descriptors.ToLive((int)data),
                EpollDataKind.U32 => (uint)data,
                _ => (ulong)data,
            },
        };
    }

    // Files live in the machine's memory: what the script's commands made is copied when it is opened.
    private void Open(Call call)
    {
        call.Arguments(2);
        if (call.Argument(0) is not StringExpression name)
            throw new CallFailure($"Bad type; actual: {Call.TypeName(call.Argument(0))} expected: string");
        _ = call.Int(1);
        if (FindFile(name.Text) is not { } content)
        {
            call.Return(-ENOENT);
            call.Check(isDescriptor: true);
            return;
        }

        ulong label = call.Store("script\0"u8);
        if (call.Invoke(__NR_memfd_create, label, 0) >= 0 && content.Length > 0)
        {
            long fd = call.Result;
            call.Invoke(__NR_pwrite64, (ulong)fd, call.Store(content), (ulong)content.Length, 0);
            call.Return(fd);
        }

        call.Check(isDescriptor: true);
        if (call.Result >= 0)
            descriptors.Add(call.ExpectedFd, (int)call.Result);
    }

    private void Pipe(Call call)
    {
        call.Arguments(1);
        if (call.Argument(0) is not ListExpression { Items.Length: 2 } ends)
            throw new CallFailure("pipe takes the two descriptors that it makes");
        ulong pair = call.Alloc(2 * sizeof(int));
        call.Invoke(__NR_pipe, pair);
        call.Check();
        if (call.Result < 0)
            return;
        ReadOnlySpan<int> live = MemoryMarshal.Cast<byte, int>(call.Memory.At(pair));
        descriptors.Add(Call.Int(ends.Items[0]), live[0]);
        descriptors.Add(Call.Int(ends.Items[1]), live[1]);
    }

    private static void Splice(Call call)
    {
        call.Arguments(6);
        int from = call.Fd(0);
        int to = call.Fd(2);
        call.Invoke(
            __NR_splice, (ulong)from, (ulong)call.Long(1), (ulong)to, (ulong)call.Long(3), (ulong)call.Int(4), (ulong)call.Int(5));
        call.Check();
    }

    private static void Sendfile(Call call)
    {
        call.Arguments(4);
        int to = call.Fd(0);
        int from = call.Fd(1);
        ulong offset = call.Store(call.BracketedLong(2));
        call.Invoke(__NR_sendfile, (ulong)to, (ulong)from, offset, (ulong)call.Int(3));
        call.Check();
    }

    // Of libcap's three sets, Linnet has the effective one: a program that takes a capability away has it there no more.
    private void CapSet(Call call)
    {
        call.Arguments(3);
        int set = call.Int(0);
        int capability = call.Int(1);
        if (set != 0 || capability is < 0 or > CAP_LAST_CAP)
            throw new CallFailure("only CAP_EFFECTIVE can be changed");
        ulong bit = 1UL << capability;
        TaskStruct[] threads = [run.Bed.Caller, run.Bed.Blocker];
        foreach (TaskStruct thread in threads)
        {
            ulong before = thread.Cred.CapEffective;
            thread.Cred = thread.Cred with { CapEffective = call.Int(2) != 0 ? before | bit : before & ~bit };
        }

        call.Return(0);
        call.Check();
    }
}
