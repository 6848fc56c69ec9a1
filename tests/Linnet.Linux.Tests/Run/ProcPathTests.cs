namespace Linnet.Linux.Tests.Run;

/// <summary>Which paths lead to files that tell of a network.</summary>
public class ProcPathTests
{
    [Theory]
    [InlineData("/proc/net/tcp", ProcTree.Net, "tcp", 0)]
    [InlineData("/proc/self/net/dev", ProcTree.Net, "dev", 0)]
    [InlineData("/proc/thread-self/net/arp", ProcTree.Net, "arp", 0)]
    [InlineData("/proc/17/net/udp", ProcTree.Net, "udp", 17)]
    [InlineData("/proc/17/task/18/net/udp", ProcTree.Net, "udp", 18)]
    [InlineData("/proc/self/task/18/net/udp", ProcTree.Net, "udp", 18)]
    [InlineData("/proc/net/vlan/config", ProcTree.Net, "vlan/config", 0)]
    [InlineData("/proc/sys/net/core/somaxconn", ProcTree.SysNet, "core/somaxconn", 0)]
    [InlineData("//proc/./sys//net/ipv4/../core/somaxconn", ProcTree.SysNet, "core/somaxconn", 0)]
    [InlineData("/var/tmp/../../proc/net/tcp", ProcTree.Net, "tcp", 0)]
    [InlineData("/../proc/net/tcp", ProcTree.Net, "tcp", 0)]
    [InlineData("/proc/self/root/proc/net/tcp", ProcTree.Net, "tcp", 0)]
    [InlineData("/proc/1/root/proc/self/root/proc/sys/net/core/somaxconn", ProcTree.SysNet, "core/somaxconn", 0)]
    public void Files_of_a_network_are_known(string path, object tree, string name, int pid)
    {
        Assert.True(ProcPath.TryParse(path, out ProcPath result));
        Assert.Equal(new ProcPath((ProcTree)tree, name, pid, IsFolder: false), result);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/proc")]
    [InlineData("/proc/net")]
    [InlineData("/proc/net/")]
    [InlineData("/proc/sys/net")]
    [InlineData("/proc/self/net/.")]
    [InlineData("/proc/sys/kernel/hostname")]
    [InlineData("/proc/self/status")]
    [InlineData("/proc/-1/net/tcp")]
    [InlineData("/proc/0/net/tcp")]
    [InlineData("/proc/99999999999/net/tcp")]
    [InlineData("/proc/1a/net/tcp")]
    [InlineData("/proc/self/task/net/tcp")]
    [InlineData("/procs/net/tcp")]
    [InlineData("/home/proc/net/tcp")]
    [InlineData("/proc/net/../stat")]
    [InlineData("/proc/self/root")]
    [InlineData("/proc/sys/root/proc/net/tcp")]
    public void Other_files_are_not(string path) => Assert.False(ProcPath.TryParse(path, out _));

    [Theory]
    [InlineData("/proc/net/tcp/", true)]
    [InlineData("/proc/net/tcp/.", true)]
    [InlineData("/proc/net/tcp", false)]
    public void A_slash_at_the_end_asks_for_a_folder(string path, bool expected)
    {
        Assert.True(ProcPath.TryParse(path, out ProcPath result));
        Assert.Equal(expected, result.IsFolder);
    }

    [Theory]
    [InlineData("/proc/net/unix", true)]
    [InlineData("/proc/sys/net/unix/max_dgram_qlen", true)]
    [InlineData("/proc/net/unixes", false)]
    [InlineData("/proc/net/udp", false)]
    public void Unix_sockets_are_the_hosts(string path, bool expected)
    {
        Assert.True(ProcPath.TryParse(path, out ProcPath result));
        Assert.Equal(expected, result.IsOfHost);
    }
}
