using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Arch.X86;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing;

namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// One program of system calls that runs twice, call by call: on the host's kernel and on Linnet. Numbers, addresses and
/// memory are the same on both sides; results and everything written to memory are compared.
/// </summary>
internal sealed class Twin : IDisposable
{
    // How long the host may take until what it sent to itself has arrived.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(100);

    private readonly HostThread host;
    private readonly TestMachine machine;
    private readonly List<string> program = [];
    private readonly HashSet<string> seen = [];
    private int repeated;

    public Twin()
    {
        host = HostThread.CreateOrSkip();
        machine = new TestMachine();
        Task = machine.NewTask("twin");
        Task.Mm = Memory;

        // As .NET has it on the host.
        Task.IgnoredSignals = 1UL << (SIGPIPE - 1);
        SetLimits();
        BringUpLoopback();
        AllowPing();
        Assert.Empty(Differences);
    }

    public TwinMemory Memory { get; } = new();

    public TaskStruct Task { get; }

    /// <summary>Calls that differed, with what led to them.</summary>
    public List<string> Differences { get; } = [];

    /// <summary>Whether a difference is expected; told the call and both results.</summary>
    public Func<Call, long, long, bool> IsExpected { get; set; } = (_, _, _) => false;

    /// <summary>The lowest port that may be the kernel's own choice: ports from here on need not be equal.</summary>
    public int FirstEphemeralPort { get; set; } = 32768;

    /// <summary>A call of the program.</summary>
    internal sealed record Call(string Text, int Nr, ulong[] Arguments);

    /// <summary>Address of a place for one purpose: sixteen KiB each.</summary>
    public ulong Place(int index) => Memory.Base + (ulong)index * 16384;

    /// <summary>Forgets the calls that came before, for the report.</summary>
    public void Begin(string name)
    {
        program.Clear();
        program.Add(name);
    }

    /// <summary>Makes a call on both sides and compares.</summary>
    /// <param name="text">The call for people.</param>
    /// <param name="nr">Its number.</param>
    /// <param name="arguments">Its arguments; negative ones are extended as the C library does.</param>
    /// <returns>What the host returned.</returns>
    public long Run(string text, int nr, params long[] arguments)
    {
        ulong[] a = [.. arguments.Select(argument => (ulong)argument)];
        long linnet = SyscallTable.Invoke(Task, nr, a);
        machine.RunReady();
        long real = host.Call(nr, a);
        Call call = new(text, nr, a);
        DateTime deadline = DateTime.UtcNow + Patience;

        // The host delivers to itself a little later; what it cannot do yet has no effect and can be asked again.
        while (!Same(call, real, linnet) && CanAskAgain(call, real, linnet) && DateTime.UtcNow < deadline)
        {
            Thread.Yield();
            real = host.Call(nr, a);
        }

        program.Add($"{text} = {Show(real)}");
        if (!Same(call, real, linnet) && !IsExpected(call, real, linnet))
            Differ(call, real, linnet);
        Memory.Agree();
        return real;
    }

    /// <summary>A socket, the same descriptor on both sides.</summary>
    public int Socket(int family, int type, int protocol = 0) =>
        (int)Run($"socket({family}, 0x{type:x}, {protocol})", __NR_socket, family, type, protocol);

    public long Close(int fd) => Run($"close({fd})", __NR_close, fd);

    /// <summary>Gives up root and every capability on both sides.</summary>
    public void BecomeUser(uint id)
    {
        Assert.Equal(0, host.Call(__NR_setresgid, id, id, id));
        Assert.Equal(0, host.Call(__NR_setresuid, id, id, id));
        Task.Cred = Cred.User(Task.Cred.UserNs, id, id);
    }

    /// <summary>Closes every descriptor on both sides.</summary>
    public void CloseAll()
    {
        host.Call(__NR_close_range, 0, uint.MaxValue, 0);
        SyscallTable.Invoke(Task, __NR_close_range, 0, uint.MaxValue, 0);
        machine.RunReady();
        Memory.Clear();
    }

    /// <summary>Writes an IPv4 address and returns where it is.</summary>
    public ulong Address(ulong where, uint address, ushort port, ushort family = AF_INET)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        MemoryMarshal.Write(bytes, in family);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], port);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], address);
        Memory.Write(where, bytes);
        return where;
    }

    /// <summary>Fails with what differed.</summary>
    public void AssertSame()
    {
        if (Differences.Count == 0)
            return;
        StringBuilder report = new($"{Differences.Count} calls differ from the host's kernel, and {repeated} more like these\n");
        foreach (string difference in Differences.Take(100))
            report.Append(difference).Append('\n');
        Assert.Fail(report.ToString());
    }

    public void Dispose()
    {
        CloseAll();
        host.Dispose();
        machine.Dispose();
        Memory.Dispose();
    }

    private static bool CanAskAgain(Call call, long real, long linnet)
    {
        if (real is -EAGAIN or -EALREADY)
            return true;
        if (call.Nr is __NR_getsockopt or __NR_ioctl)
            return real == linnet && call.Arguments[2] == SO_ERROR;
        return call.Nr is __NR_poll or __NR_getsockname or __NR_getpeername or __NR_epoll_wait;
    }

    private bool Same(Call call, long real, long linnet)
    {
        if (real != linnet)
            return false;
        if (Memory.Host.SequenceEqual(Memory.Linnet))
            return true;
        MaskEphemeralPorts(call);
        return Memory.Host.SequenceEqual(Memory.Linnet);
    }

    // Ports that nobody chose are random on both sides: they need only be ephemeral on both.
    private void MaskEphemeralPorts(Call call)
    {
        foreach (ulong address in call.Arguments)
        {
            if (address < Memory.Base || address > Memory.End - 16)
                continue;
            Span<byte> mine = Memory.Linnet[(int)(address - Memory.Base)..];
            Span<byte> real = Memory.Host[(int)(address - Memory.Base)..];
            if (mine[0] == AF_INET && real[0] == AF_INET && IsEphemeral(mine) && IsEphemeral(real))
                real[2..4].CopyTo(mine[2..]);
        }
    }

    private bool IsEphemeral(ReadOnlySpan<byte> address) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(address[2..]) >= FirstEphemeralPort;

    private void Differ(Call call, long real, long linnet)
    {
        // The same call with the same outcome is worth one line, whatever its length or value.
        string outcome = $"{call.Text.Split('(')[0]} {Topic(call)} {Math.Min(real, 0)} {Math.Min(linnet, 0)}";
        if (!seen.Add(outcome))
        {
            repeated++;
            return;
        }

        StringBuilder text = new();
        text.Append("  ").AppendJoin("; ", program.TakeLast(5));
        if (real != linnet)
            text.Append($"  <- Linnet: {Show(linnet)}");
        else
            text.Append($"  <- memory: {MemoryDifference()}");
        Differences.Add(text.ToString());
    }

    private string Topic(Call call) =>
        call.Nr is __NR_getsockopt or __NR_setsockopt ? $"{call.Arguments[1]} {call.Arguments[2]}" : $"{program[0]} {call.Text}";

    private string MemoryDifference()
    {
        int first = Memory.Host.CommonPrefixLength(Memory.Linnet);
        int length = Math.Min(32, TwinMemory.Size - first);
        return $"at place {first / 16384} + {first % 16384}: host {Convert.ToHexString(Memory.Host.Slice(first, length))}, "
            + $"Linnet {Convert.ToHexString(Memory.Linnet.Slice(first, length))}";
    }

    private static string Show(long result) =>
        result < 0 ? $"-{Errno.Name((int)-result)}" : result.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private void BringUpLoopback()
    {
        const short Running = 0x41;
        Memory.Write(Place(1), "lo"u8);
        Memory.Write(Place(1) + 16, Running);
        int fd = Socket(AF_INET, SOCK_DGRAM);
        Run("ioctl(SIOCSIFFLAGS, lo up)", __NR_ioctl, fd, SIOCSIFFLAGS, (long)Place(1));
        CloseAll();
    }

    // A new namespace lets nobody make ping sockets.
    private void AllowPing()
    {
        Memory.Write(Place(1), "/proc/sys/net/ipv4/ping_group_range\0"u8);
        Memory.Write(Place(2), "0 2147483647"u8);
        long fd = host.Call(__NR_open, Place(1), O_RDWR);
        Assert.Equal(12, host.Call(__NR_write, (ulong)fd, Place(2), 12));
        ((NetNamespace)Task.Nsproxy.NetNsCommon).Ipv4.PingGroupRange = (0, int.MaxValue);
        CloseAll();
    }

    // The host's process has limits of its own; Linnet's task takes them over.
    private void SetLimits()
    {
        host.Call(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, Memory.Base);
        Memory.Agree();
        SyscallTable.Invoke(Task, __NR_setrlimit, RLIMIT_NOFILE, Memory.Base);
        Memory.Clear();
    }
}
