using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Answers a program's opens: files of <c>/proc/net</c> and <c>/proc/sys/net</c> tell of Linnet's network, all others are left
/// to the host.
/// </summary>
/// <param name="supervisor">Knows the programs.</param>
/// <param name="host">The host that the program runs on.</param>
/// <param name="listener">Where calls are answered.</param>
internal sealed unsafe class SupervisedFiles(Supervisor supervisor, Host host, SeccompListener listener)
{
    private const int PageSize = 4096;
    private const int PathMax = 4096;

    // Nearly all paths are shorter.
    private const int UsualPath = 256;
    private const int OpenHowSize = 24;
    private const ulong ResolveInRoot = 0x10;

    /// <summary>Answers an open.</summary>
    public void Handle(in SeccompCall call)
    {
        if (!TryRecognise(call, out ProcPath path, out int flags))
        {
            listener.Continue(call.Id);
            return;
        }

        bool reads = (flags & O_ACCMODE) == O_RDONLY;
        int err = Read(call, path, out string text);
        if (err == -ENOENT && reads && IsFolderOfHost(path))
        {
            listener.Continue(call.Id);
            return;
        }

        if (err == 0 && path.IsFolder)
            err = -ENOTDIR;
        else if (err == 0 && !reads)
            err = Lacks(call, path, -EACCES, " (to write)");
        if (err == 0)
            err = Give(call, path, text, (flags & O_CLOEXEC) != 0);
        if (err < 0)
            listener.Respond(call.Id, err);
    }

    private static bool IsFolderOfHost(in ProcPath path) =>
        Directory.Exists(FolderOnHost(path.Tree) + path.Name);

    private static string FolderOnHost(ProcTree tree) => tree == ProcTree.Net ? "/proc/net/" : "/proc/sys/net/";

    /// <summary>The text of a file, of the network that its process has.</summary>
    /// <returns>0, or -ENOENT where Linnet has no such file or process.</returns>
    private int Read(in SeccompCall call, in ProcPath path, out string text)
    {
        text = "";
        if (HostOf(call, path.Pid) is not { } of)
            return -ENOENT;
        if (path.Tree == ProcTree.Net)
        {
            // What the program closed just before is not shown any more.
            supervisor.NoticeCloses();
            supervisor.PumpReady();
        }

        if (path.IsOfHost)
            return ReadOfHost(path, out text);
        NetNamespace net = of.Namespace;
        int err = path.Tree == ProcTree.Net
            ? ProcNet.Of(net.Machine).Read(net, path.Name, out text)
            : net.Sysctl.Read("net/" + path.Name, out text);
        return err == -ENOENT && !IsFolderOfHost(path) ? Lacks(call, path, err) : err;
    }

    private int Lacks(in SeccompCall call, in ProcPath path, int err, string what = "")
    {
        HostProcess? process = supervisor.ProcessOf(call, host, listener);
        process?.ReadProgram();
        host.Network.Machine.Unsupported.Add(process?.Task, RequestKind.File, 0, text: FolderOnHost(path.Tree) + path.Name + what);
        return err;
    }

    private Host? HostOf(in SeccompCall call, int pid)
    {
        if (pid == 0)
            return host;
        int process = HostProcess.ReadTgid(pid);
        return process != 0 && process == HostProcess.ReadTgid(call.Tid) ? host : supervisor.HostOf(process);
    }

    // The host's own Unix sockets; the pairs that stand for Linnet's sockets are none to a program.
    private int ReadOfHost(in ProcPath path, out string text)
    {
        text = "";
        string file = FolderOnHost(path.Tree) + path.Name;
        if (!System.IO.File.Exists(file))
            return -ENOENT;
        if (path.Tree == ProcTree.SysNet)
        {
            text = System.IO.File.ReadAllText(file);
            return 0;
        }

        HashSet<ulong> pairs = supervisor.InodesOfPairs();
        StringBuilder rest = new();
        foreach ((string line, ulong? inode) in UnixSockets.ReadLines())
        {
            if (inode is not { } number || !pairs.Contains(number))
                rest.Append(line).Append('\n');
        }

        text = rest.ToString();
        return 0;
    }

    /// <summary>Gives the program a file that nobody can write to; that is the answer to its call.</summary>
    /// <returns>0 or a negative errno.</returns>
    private int Give(in SeccompCall call, in ProcPath path, string text, bool closeOnExec)
    {
        int file = Make(path, Encoding.UTF8.GetBytes(text));
        if (file < 0)
            return file;
        try
        {
            int given = listener.RespondWithDescriptor(call.Id, file, closeOnExec);
            return given >= 0 || given == -ENOENT ? 0 : given;
        }
        finally
        {
            _ = Close(file);
        }
    }

    private static int Make(in ProcPath path, ReadOnlySpan<byte> text)
    {
        int memory = MemfdCreate(path.Name, MfdCloexec | MfdAllowSealing);
        if (memory < 0)
            return -Marshal.GetLastPInvokeError();
        try
        {
            for (int written = 0; written < text.Length;)
            {
                fixed (byte* rest = text[written..])
                {
                    nint n = Write(memory, rest, (nuint)(text.Length - written));
                    if (n <= 0)
                        return -ENFILE;
                    written += (int)n;
                }
            }

            // Opened anew it has a position and a mode of its own; sealed, it cannot be opened for writing once more.
            _ = Fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
            int file = Open($"/proc/self/fd/{memory}", O_RDONLY | O_CLOEXEC);
            return file >= 0 ? file : -Marshal.GetLastPInvokeError();
        }
        finally
        {
            _ = Close(memory);
        }
    }

    /// <summary>Whether an open is of a file that this object answers for.</summary>
    private static bool TryRecognise(in SeccompCall call, out ProcPath path, out int flags)
    {
        path = default;
        flags = 0;
        HostProcess.ActFor(call.Tid);
        RemoteMemory memory = new();
        bool hasFolder = call.Nr is __NR_openat or __NR_openat2;
        byte* buffer = stackalloc byte[UsualPath];
        Span<byte> text = new(buffer, UsualPath);
        ulong address = call.Arguments[hasFolder ? 1 : 0];
        int length = memory.ReadString(text, address);
        if (length < 0)
        {
            text = new byte[PathMax];
            length = memory.ReadString(text, address);
        }

        if (length <= 0)
            return false;
        text = text[..length];
        bool isAbsolute = text[0] == '/';
        if (isAbsolute && !ProcPath.IsCandidate(text))
            return false;
        string full = Encoding.UTF8.GetString(text);
        if (!isAbsolute)
        {
            string? folder = FolderOf(call, hasFolder ? (int)call.Arguments[0] : AT_FDCWD);
            if (folder == null || (!folder.StartsWith("/proc", StringComparison.Ordinal) && !ProcPath.IsCandidate(text)))
                return false;
            full = folder + "/" + full;
        }

        return ProcPath.TryParse(full, out path) && TryReadFlags(call, memory, out flags);
    }

    // Where a relative path begins.
    private static string? FolderOf(in SeccompCall call, int fd)
    {
        string link = fd == AT_FDCWD ? $"/proc/{call.Tid}/cwd" : $"/proc/{call.Tid}/fd/{fd}";
        const int Room = PathMax;
        byte* target = stackalloc byte[Room];
        nint length = Readlink(link, target, Room);
        return length <= 0 ? null : Encoding.UTF8.GetString(target, (int)length);
    }

    private static bool TryReadFlags(in SeccompCall call, RemoteMemory memory, out int flags)
    {
        flags = call.Nr switch
        {
            __NR_open => (int)call.Arguments[1],
            __NR_openat => (int)call.Arguments[2],
            _ => O_CREAT | O_WRONLY | O_TRUNC,
        };
        if (call.Nr != __NR_openat2)
            return true;

        // What is not well-formed is the host's to refuse; a root of its own makes another path of it.
        Span<byte> how = stackalloc byte[OpenHowSize];
        if (call.Arguments[3] < OpenHowSize || memory.CopyFromUser(how, call.Arguments[2]) != 0)
            return false;
        flags = (int)BitConverter.ToUInt64(how);
        return (flags & (O_DIRECTORY | O_PATH)) == 0 && (BitConverter.ToUInt64(how[16..]) & ResolveInRoot) == 0;
    }
}
