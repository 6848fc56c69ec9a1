using System.Text.RegularExpressions;
using Linnet.Kernel;

namespace Linnet.Linux.Tests.Run;

/// <summary>What programs under Linnet find in <c>/proc</c>.</summary>
public sealed class ProcFileTests : IDisposable
{
    private readonly ProgramLab lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public async Task Settings_are_those_of_the_programs_own_host()
    {
        lab.One.SetSysctl("net.core.somaxconn", "123");
        lab.Two.SetSysctl("net.core.somaxconn", "321");
        Assert.Equal((0, "123\n"), await lab.RunAsync(lab.One, "cat /proc/sys/net/core/somaxconn"));
        Assert.Equal((0, "321\n"), await lab.RunAsync(lab.Two, "cat /proc/sys/net/core/somaxconn"));
        Assert.Equal((0, "123\n"), await lab.RunAsync(lab.One, "cd /proc/sys/net; cat core/somaxconn"));
        Assert.Equal((0, "123\n"), await lab.RunAsync(lab.One, "cd /; cat proc/sys/net/core/somaxconn"));
    }

    [Theory]
    [InlineData("os.open(p, os.O_RDONLY)")]
    [InlineData("os.open(p, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)")]
    [InlineData("os.open('sys/net/core/somaxconn', os.O_RDONLY, dir_fd=os.open('/proc', os.O_RDONLY | os.O_DIRECTORY))")]
    [InlineData("syscall(2, p.encode(), 0)")]
    [InlineData("syscall(437, -100, p.encode(), struct.pack('QQQ', 0, 0, 0), 24)")]
    public async Task Every_way_to_open_a_file_leads_to_it(string open)
    {
        lab.One.SetSysctl("net.core.somaxconn", "123");
        string program = lab.Write($"""
            import os, struct, ctypes
            syscall = ctypes.CDLL(None).syscall
            p = '/proc/sys/net/core/somaxconn'
            fd = {open}
            print(os.read(fd, 100), os.lseek(fd, 1, 0), os.read(fd, 100), os.get_inheritable(fd))
            """);
        (int status, string output) = await lab.RunAsync(lab.One, $"python3 {program}");
        Assert.Equal($"b'123\\n' 1 b'23\\n' {open.StartsWith("syscall")}\n", output);
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task What_Linnet_lacks_is_not_there_and_is_reported()
    {
        (int status, string output) = await lab.RunAsync(lab.One, "cat /proc/net/tcp6 /proc/sys/net/ipv6/conf/all/forwarding");
        Assert.Equal(1, status);
        Assert.Equal(2, Regex.Count(output, "No such file or directory"));
        Assert.Equal(1, lab.Network.Machine.Unsupported.CountOf(RequestKind.File, 0, text: "/proc/net/tcp6"));
    }

    [Theory]
    [InlineData("echo 1 > /proc/sys/net/core/somaxconn", "Permission denied")]
    [InlineData("echo 1 >> /proc/sys/net/core/somaxconn", "Permission denied")]
    [InlineData("echo 1 1<> /proc/sys/net/core/somaxconn", "Permission denied")]
    [InlineData("cd /proc/sys/net/core && echo 1 > somaxconn", "Permission denied")]
    [InlineData("echo 1 > /proc/sys/net/core/nothing", "nonexistent")]
    [InlineData("echo 1 > /proc/net/tcp", "Permission denied")]
    [InlineData("echo 1 > /proc/sys/net/unix/max_dgram_qlen", "Permission denied")]
    [InlineData("cat /proc/net/tcp/", "Not a directory")]
    [InlineData("cat /proc/1/net/tcp", "No such file")]
    public async Task What_cannot_be_opened_says_why(string command, string expected)
    {
        string before = await File.ReadAllTextAsync("/proc/sys/net/core/somaxconn", TestContext.Current.CancellationToken);
        (int status, string output) = await lab.RunAsync(lab.One, command);
        Assert.NotEqual(0, status);
        Assert.Contains(expected, output);
        Assert.Equal(before, await File.ReadAllTextAsync("/proc/sys/net/core/somaxconn", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Sockets_in_proc_net_have_the_inodes_of_their_descriptors()
    {
        string program = lab.Write("""
            import os, socket
            tcp, udp, raw = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_RAW, proto=99)
            tcp.bind(('', 80)); tcp.listen(); udp.bind(('', 53))
            for s, f in (tcp, 'tcp'), (udp, 'udp'), (raw, 'raw'):
                inode = str(os.fstat(s.fileno()).st_ino)
                print(f, [l.split()[9] == inode for l in open('/proc/net/' + f).readlines()[1:]], inode in open('/proc/net/unix').read())
            tcp.close()
            print(len(open('/proc/self/net/tcp').readlines()), len(open(f'/proc/{os.getpid()}/net/tcp').readlines()))
            """);
        (int status, string output) = await lab.RunAsync(lab.One, $"python3 {program}");
        Assert.Equal("tcp [True] False\nudp [True] False\nraw [True] False\n1 1\n", output);
        Assert.Equal(0, status);
    }

    [Fact]
    public async Task Another_programs_network_is_its_hosts()
    {
        (LinuxProgram one, _) = lab.Start(lab.One, "cat; sleep 99");
        (LinuxProgram two, _) = lab.Start(lab.Two, "cat; sleep 99");
        string file = "/proc/{0}/net/fib_trie /proc/{0}/net/route";
        (_, string ofOne) = await lab.RunAsync(lab.Two, $"cat {string.Format(file, one.Pid)} 2>/dev/null");
        (_, string ofTwo) = await lab.RunAsync(lab.Two, $"cat {string.Format(file, two.Pid)} 2>/dev/null");
        Assert.Contains("eth0", ofOne);
        Assert.Equal(ofOne, ofTwo);
        lab.Two.AddRoute(IPNetworkAddress.Parse("192.168.7.0/24"), lab.One.Address);
        (_, string changed) = await lab.RunAsync(lab.One, $"cat {string.Format(file, two.Pid)} 2>/dev/null");
        Assert.Contains("0007A8C0", changed);
        (_, string same) = await lab.RunAsync(lab.Two, $"cat {string.Format(file, one.Pid)} 2>/dev/null");
        Assert.Equal(ofOne, same);
    }

    [Fact]
    public async Task Other_files_are_left_to_the_host()
    {
        string name = lab.Write("old");
        (int status, string output) = await lab.RunAsync(
            lab.One, $"cat {name}; echo new > {name}; cat {name}; cd /proc/self; grep -c Tgid status; ls -d /proc/net/tcp; test $(ls /proc/net | wc -l) -gt 5");
        Assert.Equal("oldnew\n1\n/proc/net/tcp\n", output);
        Assert.Equal(0, status);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("mem[-1:]")]
    [InlineData("long")]
    public async Task A_bad_path_fails_as_on_the_host(string path)
    {
        string program = lab.Write($$"""
            import ctypes, mmap
            libc = ctypes.CDLL(None, use_errno=True)
            m = mmap.mmap(-1, 8192)
            at = ctypes.addressof(ctypes.c_char.from_buffer(m))
            libc.mprotect(ctypes.c_void_p(at + 4096), 4096, 0)
            m[4095:4096] = b'/'
            what = {'0': 0, 'mem[-1:]': at + 4095, 'long': b'/proc/' + b'./' * 4000}['{{path}}']
            print(libc.syscall(257, -100, ctypes.c_void_p(what) if isinstance(what, int) else what, 0), ctypes.get_errno())
            """);
        (_, string onHost) = await ProgramLab.RunOnHostAsync($"python3 {program}");
        (_, string onLinnet) = await lab.RunAsync(lab.One, $"python3 {program}");
        Assert.StartsWith("-1 ", onHost);
        Assert.Equal(onHost, onLinnet);
    }
}
