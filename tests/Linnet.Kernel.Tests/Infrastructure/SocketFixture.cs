using Linnet.Kernel.Arch.X86;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Tests.Fs;
using Linnet.Testing;
using File = Linnet.Kernel.Fs.File;
using Socket = Linnet.Kernel.Net.Socket;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>
/// A machine on which the family <see cref="ToyFamily.Number"/> is a module, a task on it, and memory for its calls. At the
/// end nothing may be left: no socket, no file, no reference to the module.
/// </summary>
public abstract class SocketFixture : IDisposable
{
    protected const ulong Buffer = ModelMemory.Base;
    protected const ulong Buffer2 = ModelMemory.Base + 0x8000;
    protected const ulong BadAddress = 8;
    protected const int Toy = ToyFamily.Number;

    private readonly List<TaskStruct> tasks = [];

    protected SocketFixture()
    {
        Test = new TestMachine();
        Machine.Modules.MakeAvailable("toy", () => Module = new ToyModule(Family), $"net-pf-{Toy}");
        Task = NewTask();
        SocketsAtBoot = Socket.InodesInUse(Machine);
    }

    protected TestMachine Test { get; }

    protected Machine Machine => Test.Machine;

    protected TaskStruct Task { get; }

    protected ModelMemory Memory { get; } = new();

    protected ToyFamily Family { get; } = new();

    protected ToyModule? Module { get; private set; }

    protected NetNamespace Net => Task.Nsproxy.NetNs;

    /// <summary>Sockets that exist beside those that the machine made for itself, so many in each network namespace.</summary>
    protected long Sockets => Socket.InodesInUse(Machine) - (SocketsAtBoot * NetCore.Of(Machine).Namespaces.Count);

    private long SocketsAtBoot { get; }

    public void Dispose()
    {
        foreach (TaskStruct task in tasks)
            As(task, () => FilesStruct.ExitFiles(task));
        Assert.Equal(0, Sockets);
        Assert.Equal(0, Machine.FilesStat.NrFiles);
        Assert.Equal(0, Module?.RefCount ?? 0);
        Assert.Equal(0, Net.NetnsCore.SocketsInuse);
        Test.Dispose();
        GC.SuppressFinalize(this);
    }

    protected TaskStruct NewTask(Cred? cred = null, string comm = "test")
    {
        TaskStruct task = Test.NewTask(comm, cred);
        task.Mm = Memory;
        tasks.Add(task);
        return task;
    }

    protected TaskStruct NewUser() => NewTask(Cred.User(Machine.InitUserNs, 1000, 1000));

    /// <summary>Makes a system call as <see cref="Task"/>.</summary>
    protected long Call(int nr, params long[] arguments) => CallAs(Task, nr, arguments);

    protected static long CallAs(TaskStruct task, int nr, params long[] arguments) =>
        SyscallTable.Invoke(task, nr, [.. arguments.Select(a => (ulong)a)]);

    /// <summary>A socket of the toy family, which has to come into being.</summary>
    protected int NewSocket(int type = SOCK_STREAM, int flags = 0)
    {
        long fd = Call(__NR_socket, Toy, type | flags, 0);
        Assert.InRange(fd, 0, int.MaxValue);
        return (int)fd;
    }

    protected (int First, int Second) NewPair(int type = SOCK_STREAM, int flags = 0)
    {
        Assert.Equal(0, Call(__NR_socketpair, Toy, type | flags, 0, (long)Buffer));
        return (Memory.Get<int>(Buffer), Memory.Get<int>(Buffer + 4));
    }

    protected Socket SocketOf(int fd)
    {
        File file = Task.Files.Fget(fd)!;
        file.Fput();
        return Socket.SockFromFile(file)!;
    }

    protected ToySock SockOf(int fd) => (ToySock)SocketOf(fd).Sk!;

    protected long Send(int fd, string text, int flags = 0)
    {
        const ulong Outgoing = Buffer2 + 0x4000;
        Memory.Put(Outgoing, System.Text.Encoding.Latin1.GetBytes(text));
        return Call(__NR_sendto, fd, (long)Outgoing, text.Length, flags, 0, 0);
    }

    protected string Recv(int fd, int count = 4096, int flags = 0) => RecvAs(Task, fd, count, flags);

    protected string RecvAs(TaskStruct task, int fd, int count = 4096, int flags = 0)
    {
        long got = CallAs(task, __NR_recvfrom, fd, (long)Buffer2, count, flags, 0, 0);
        return got < 0 ? Linnet.Kernel.Uapi.Errno.Name((int)-got) : System.Text.Encoding.Latin1.GetString(Memory.Bytes(Buffer2, (int)got));
    }

    protected static void As(TaskStruct task, Action body)
    {
        using KernelEntry entry = task.Enter();
        body();
    }

    /// <summary>Runs a program as a task of its own that shares the descriptors of <see cref="Task"/>.</summary>
    protected TaskStruct Thread(Action<TaskStruct> body)
    {
        TaskStruct task = NewTask();
        FilesStruct.CopyFiles(Task, task, share: true);
        Test.Start("thread", () => body(task));
        return task;
    }
}
