using System.Runtime.InteropServices;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// A thread that makes raw system calls on the host's kernel, in a network namespace and with a descriptor table of its
/// own: its first socket is descriptor 0, and nothing that it does is seen outside. Both go with the thread.
/// </summary>
/// <remarks>
/// The thread runs a few lines of machine code and never the runtime, which would miss its own descriptors there: the
/// compiler, for one, maps its memory through one.
/// </remarks>
internal sealed unsafe partial class HostThread : IDisposable
{
    private const int CLONE_FILES = 0x400;
    private const int CLONE_NEWNET = 0x40000000;
    private const int FUTEX_WAIT = 0;
    private const int FUTEX_WAKE = 1;
    private const int PageSize = 4096;

    private const int Idle = 0;
    private const int Requested = 1;
    private const int Done = 2;
    private const int Ending = 3;

    // void *serve(struct control *c): waits for a request, makes the call, reports, until told to end.
    private static readonly byte[] ServeCode =
    [
        0x53,                               // push rbx
        0x48, 0x89, 0xfb,                   // mov rbx, rdi
        0x8b, 0x03,                         // wait: mov eax, [rbx]
        0x83, 0xf8, 0x01,                   // cmp eax, Requested
        0x74, 0x18,                         // je call
        0x83, 0xf8, 0x03,                   // cmp eax, Ending
        0x74, 0x51,                         // je end
        0x89, 0xc2,                         // mov edx, eax
        0xb8, 0xca, 0x00, 0x00, 0x00,       // mov eax, futex
        0x48, 0x89, 0xdf,                   // mov rdi, rbx
        0x31, 0xf6,                         // xor esi, esi (FUTEX_WAIT)
        0x45, 0x31, 0xd2,                   // xor r10d, r10d
        0x0f, 0x05,                         // syscall
        0xeb, 0xe1,                         // jmp wait
        0x48, 0x8b, 0x43, 0x08,             // call: mov rax, [rbx + 8]
        0x48, 0x8b, 0x7b, 0x10,             // mov rdi, [rbx + 16]
        0x48, 0x8b, 0x73, 0x18,             // mov rsi, [rbx + 24]
        0x48, 0x8b, 0x53, 0x20,             // mov rdx, [rbx + 32]
        0x4c, 0x8b, 0x53, 0x28,             // mov r10, [rbx + 40]
        0x4c, 0x8b, 0x43, 0x30,             // mov r8, [rbx + 48]
        0x4c, 0x8b, 0x4b, 0x38,             // mov r9, [rbx + 56]
        0x0f, 0x05,                         // syscall
        0x48, 0x89, 0x43, 0x08,             // mov [rbx + 8], rax
        0xc7, 0x03, 0x02, 0x00, 0x00, 0x00, // mov dword [rbx], Done
        0xb8, 0xca, 0x00, 0x00, 0x00,       // mov eax, futex
        0x48, 0x89, 0xdf,                   // mov rdi, rbx
        0xbe, 0x01, 0x00, 0x00, 0x00,       // mov esi, FUTEX_WAKE
        0xba, 0x01, 0x00, 0x00, 0x00,       // mov edx, 1
        0x0f, 0x05,                         // syscall
        0xeb, 0xa3,                         // jmp wait
        0x31, 0xc0,                         // end: xor eax, eax
        0x5b,                               // pop rbx
        0xc3,                               // ret
    ];

    private readonly byte* code;
    private readonly Control* control;
    private readonly nint thread;

    private HostThread()
    {
        const int PROT_READ_WRITE = 3;
        const int PROT_READ_EXEC = 5;
        const int MAP_PRIVATE_ANONYMOUS = 0x22;
        code = (byte*)Mmap(0, 2 * PageSize, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        if ((nint)code == -1)
            throw new InvalidOperationException("mmap failed");
        ServeCode.CopyTo(new Span<byte>(code, PageSize));
        control = (Control*)(code + PageSize);
        if (Mprotect((nint)code, PageSize, PROT_READ_EXEC) != 0 || PthreadCreate(out thread, 0, code, control) != 0)
            throw new InvalidOperationException("the thread cannot be started");
    }

    /// <summary>Starts a thread, or skips the test where the host does not let it have a namespace.</summary>
    public static HostThread CreateOrSkip()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            Assert.Skip("the host's system calls are not those of x86-64");
        HostThread host = new();
        if (host.Separate())
            return host;
        host.Dispose();
        Assert.Skip("the host lets nobody make network namespaces; this needs root");
        return null!;
    }

    /// <summary>Makes a system call on the thread.</summary>
    /// <returns>The result, or a negative errno.</returns>
    public long Call(int nr, params ReadOnlySpan<ulong> arguments)
    {
        control->Result = nr;
        for (int i = 0; i < 6; i++)
            control->Arguments[i] = i < arguments.Length ? arguments[i] : 0;
        Signal(Requested);
        SpinWait spin = default;
        while (Volatile.Read(ref control->State) != Done)
        {
            if (spin.NextSpinWillYield)
                Futex(FUTEX_WAIT, Requested);
            else
                spin.SpinOnce();
        }

        control->State = Idle;
        return control->Result;
    }

    public void Dispose()
    {
        Signal(Ending);
        PthreadJoin(thread, 0);
        Munmap((nint)code, 2 * PageSize);
    }

    private bool Separate()
    {
        // Signals of the process are for its other threads, whose handlers find their descriptors.
        ulong all = ulong.MaxValue;
        Call(__NR_rt_sigprocmask, SIG_SETMASK, (ulong)&all, 0, sizeof(ulong));
        if (Call(__NR_unshare, CLONE_FILES | CLONE_NEWNET) < 0)
            return false;
        Call(__NR_close_range, 0, uint.MaxValue, 0);
        return true;
    }

    private void Signal(int state)
    {
        Volatile.Write(ref control->State, state);
        Futex(FUTEX_WAKE, 1);
    }

    private void Futex(int operation, int value) => Syscall(__NR_futex, (nint)control, operation, value, 0, 0, 0);

    private struct Control
    {
        public int State;
        public long Result;
        public fixed ulong Arguments[6];
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint Syscall(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [LibraryImport("libc", EntryPoint = "pthread_create")]
    private static partial int PthreadCreate(out nint thread, nint attributes, void* start, void* argument);

    [LibraryImport("libc", EntryPoint = "pthread_join")]
    private static partial int PthreadJoin(nint thread, nint result);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Mmap(nint address, nint length, int prot, int flags, int fd, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Mprotect(nint address, nint length, int prot);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(nint address, nint length);
}
