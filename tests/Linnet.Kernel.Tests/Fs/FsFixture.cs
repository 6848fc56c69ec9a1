using Linnet.Kernel.Fs;
using Linnet.Testing;
using static Linnet.Kernel.Uapi.EventFdH;

namespace Linnet.Kernel.Tests.Fs;

/// <summary>A machine, a task on it, and memory that the task's calls can point into.</summary>
public abstract class FsFixture : IDisposable
{
    protected const ulong Buffer = ModelMemory.Base;
    protected const ulong BadAddress = 8;

    private readonly List<TaskStruct> tasks = [];

    protected FsFixture()
    {
        Test = new TestMachine();
        Task = NewTask();
    }

    protected TestMachine Test { get; }

    protected TaskStruct Task { get; }

    protected ModelMemory Memory { get; } = new();

    protected FilesStruct Files => Task.Files;

    public void Dispose()
    {
        foreach (TaskStruct task in tasks)
            As(task, () => FilesStruct.ExitFiles(task));
        Assert.Equal(0, Test.Machine.FilesStat.NrFiles);
        Test.Dispose();
        GC.SuppressFinalize(this);
    }

    protected TaskStruct NewTask(Cred? cred = null)
    {
        TaskStruct task = Test.NewTask(cred: cred);
        task.Mm = Memory;
        tasks.Add(task);
        return task;
    }

    protected TaskStruct NewUser() => NewTask(Cred.User(Test.Machine.InitUserNs, 1000, 1000));

    /// <summary>Makes a system call as <see cref="Task"/>.</summary>
    protected long Call(int nr, params long[] arguments) => CallAs(Task, nr, arguments);

    protected static long CallAs(TaskStruct task, int nr, params long[] arguments)
    {
        ulong[] six = new ulong[6];
        for (int i = 0; i < arguments.Length; i++)
            six[i] = (ulong)arguments[i];
        using KernelEntry entry = task.Enter();
        Assert.True(FsSyscalls.TryInvoke(nr, six, out long ret), $"no system call {nr}");
        return ret;
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

    protected (int Read, int Write) NewPipe(int flags = 0)
    {
        Assert.Equal(0, Call(__NR_pipe2, (long)Buffer, flags));
        return (Memory.Get<int>(Buffer), Memory.Get<int>(Buffer + 4));
    }

    protected int NewEventfd(uint count = 0, int flags = EFD_NONBLOCK) => (int)Call(__NR_eventfd2, count, flags);

    protected long Write(int fd, string text)
    {
        Memory.Put(Buffer, System.Text.Encoding.Latin1.GetBytes(text));
        return Call(__NR_write, fd, (long)Buffer, text.Length);
    }

    protected string Read(int fd, int count = 4096)
    {
        long got = Call(__NR_read, fd, (long)Buffer, count);
        return got < 0 ? $"error {-got}" : System.Text.Encoding.Latin1.GetString(Memory.Bytes(Buffer, (int)got));
    }

    protected void AddToEventfd(int fd, ulong value)
    {
        Memory.Put(Buffer, value);
        Assert.Equal(8, Call(__NR_write, fd, (long)Buffer, 8));
    }
}

/// <summary>A piece of memory at a fixed address; everything else faults.</summary>
public sealed class ModelMemory : MmStruct
{
    public const ulong Base = 0x10000;
    private readonly byte[] bytes = new byte[1 << 20];

    public override int CopyFromUser(Span<byte> destination, ulong address)
    {
        int n = Reachable(address, destination.Length);
        if (n > 0)
            bytes.AsSpan((int)(address - Base), n).CopyTo(destination);
        return destination.Length - n;
    }

    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        int n = Reachable(address, source.Length);
        if (n > 0)
            source[..n].CopyTo(bytes.AsSpan((int)(address - Base)));
        return source.Length - n;
    }

    public unsafe T Get<T>(ulong address)
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Read<T>(bytes.AsSpan((int)(address - Base)));

    public void Put<T>(ulong address, T value)
        where T : unmanaged => System.Runtime.InteropServices.MemoryMarshal.Write(bytes.AsSpan((int)(address - Base)), in value);

    public void Put(ulong address, byte[] data) => data.CopyTo(bytes, (int)(address - Base));

    public byte[] Bytes(ulong address, int count) => bytes.AsSpan((int)(address - Base), count).ToArray();

    private int Reachable(ulong address, int wanted) =>
        address < Base || address >= Base + (ulong)bytes.Length ? 0 : (int)Math.Min((ulong)wanted, Base + (ulong)bytes.Length - address);
}
