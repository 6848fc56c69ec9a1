using System.Runtime.InteropServices;

namespace Linnet.Linux;

/// <summary>
/// The filter that a program runs under: which of its system calls stop until the supervisor answers them. Calls that the
/// program's descriptor itself can serve (read, write, poll, send and receive without addresses) stop only where security modules
/// are to be asked about data.
/// </summary>
internal static class SeccompFilter
{
    private const uint AuditArchX8664 = 0xC000003E;
    private const uint AuditArchI386 = 0x40000003;
    private const uint X32SyscallBit = 0x40000000;

    private const int NrOffset = 0;
    private const int ArchOffset = 4;
    private const int ArgumentsOffset = 16;

    private const ushort LoadWord = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort JumpIfAnySet = 0x45;
    private const ushort JumpIfAtLeast = 0x35;
    private const ushort AndWith = 0x54;
    private const ushort Return = 0x06;

    private const uint Allow = 0x7fff0000;
    private const uint Notify = 0x7fc00000;
    private const uint RefuseWith = 0x00050000;

    private const int SocketIoctls = 0x8900;

    // A pair of Unix sockets does with these flags what TCP and UDP do.
    private const int NativeSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
    private const int NativeReceiveFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL | MSG_CMSG_CLOEXEC;

    private static readonly int[] AlwaysAsked =
    [
        __NR_connect, __NR_accept, __NR_accept4, __NR_bind, __NR_listen, __NR_getsockname, __NR_getpeername,
        __NR_setsockopt, __NR_getsockopt, __NR_shutdown, __NR_sendmsg, __NR_recvmsg, __NR_sendmmsg, __NR_recvmmsg,
        __NR_execve, __NR_execveat, __NR_creat, __NR_openat2,

        // What asks for sockets by shared memory cannot be seen here; it is refused, and told of.
        __NR_io_uring_setup,
    ];

    // What moves the data of a descriptor, whatever that is.
    private static readonly int[] DataCalls =
    [
        __NR_read, __NR_write, __NR_readv, __NR_writev, __NR_preadv2, __NR_pwritev2, __NR_sendfile, __NR_splice, __NR_sendto, __NR_recvfrom,
    ];

    // The socket calls that programs of the 32-bit interface have: socketcall, and those of their own numbers.
    private static readonly int[] RefusedOfI386 = [102, .. Enumerable.Range(359, 15)];

    /// <summary>Makes the program of the filter.</summary>
    /// <param name="stopsData">Whether all calls stop that move data.</param>
    public static SockFilter[] Build(bool stopsData)
    {
        List<SockFilter> code =
        [
            new(LoadWord, ArchOffset),
        ];
        List<SockFilter> i386 = Refuse(RefusedOfI386);
        code.Add(new SockFilter(JumpIfEqual, AuditArchI386, 0, (byte)i386.Count));
        code.AddRange(i386);
        code.Add(new SockFilter(JumpIfEqual, AuditArchX8664, 1, 0));
        code.Add(new SockFilter(Return, RefuseWith | ENOSYS));
        code.Add(new SockFilter(LoadWord, NrOffset));
        code.Add(new SockFilter(JumpIfAtLeast, X32SyscallBit, 0, 1));
        code.Add(new SockFilter(Return, RefuseWith | ENOSYS));
        foreach (int nr in stopsData ? [.. AlwaysAsked, .. DataCalls] : AlwaysAsked)
            AddCase(code, nr, [new SockFilter(Return, Notify)]);
        AddCase(code, __NR_socket, AskForFamilies(AF_INET, AF_INET6, AF_PACKET, AF_NETLINK));
        AddCase(code, __NR_sendto, AskUnlessPlain(addressArgument: 4, NativeSendFlags));
        AddCase(code, __NR_recvfrom, AskUnlessPlain(addressArgument: 4, NativeReceiveFlags));
        foreach ((int nr, int flagsArgument) in ((int, int)[])[(__NR_open, 1), (__NR_openat, 2)])
            AddCase(code, nr, AskUnlessNoFile(flagsArgument));
        AddCase(code, __NR_ioctl,
        [
            new(LoadWord, Low(1)),
            new(AndWith, 0xFFFFFF00),
            new(JumpIfEqual, SocketIoctls, 0, 1),
            new(Return, Notify),
            new(Return, Allow),
        ]);
        code.Add(new SockFilter(Return, Allow));
        return [.. code];
    }

    private static void AddCase(List<SockFilter> code, int nr, SockFilter[] then)
    {
        code.Add(new SockFilter(JumpIfEqual, (uint)nr, 0, (byte)then.Length));
        code.AddRange(then);
    }

    private static List<SockFilter> Refuse(int[] calls)
    {
        List<SockFilter> code = [new(LoadWord, NrOffset)];
        foreach (int nr in calls)
            AddCase(code, nr, [new SockFilter(Return, RefuseWith | ENOSYS)]);
        code.Add(new SockFilter(Return, Allow));
        return code;
    }

    private static SockFilter[] AskForFamilies(params int[] families)
    {
        List<SockFilter> code = [new(LoadWord, Low(0))];
        foreach (int family in families)
            AddCase(code, family, [new SockFilter(Return, Notify)]);
        code.Add(new SockFilter(Return, Allow));
        return [.. code];
    }

    private static SockFilter[] AskUnlessPlain(int addressArgument, int nativeFlags) =>
    [
        new(LoadWord, Low(addressArgument)),
        new(JumpIfEqual, 0, 0, 4),
        new(LoadWord, High(addressArgument)),
        new(JumpIfEqual, 0, 0, 2),
        new(LoadWord, Low(3)),
        new(JumpIfAnySet, (uint)~nativeFlags, 0, 1),
        new(Return, Notify),
        new(Return, Allow),
    ];

    // What reads or writes a file that exists: the filter sees no paths, so that all these stop. Folders, O_PATH, and what
    // makes a new file do not.
    private static SockFilter[] AskUnlessNoFile(int flagsArgument) =>
    [
        new(LoadWord, Low(flagsArgument)),
        new(JumpIfAnySet, O_DIRECTORY | O_PATH, 3, 0),
        new(AndWith, O_CREAT | O_EXCL),
        new(JumpIfEqual, O_CREAT | O_EXCL, 1, 0),
        new(Return, Notify),
        new(Return, Allow),
    ];

    private static uint Low(int argument) => (uint)(ArgumentsOffset + (argument * 8));

    private static uint High(int argument) => Low(argument) + 4;
}

/// <summary>An instruction of a filter (<c>struct sock_filter</c>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct SockFilter(ushort code, uint k, byte jumpTrue = 0, byte jumpFalse = 0)
{
    public readonly ushort Code = code;
    public readonly byte JumpTrue = jumpTrue;
    public readonly byte JumpFalse = jumpFalse;
    public readonly uint K = k;
}
