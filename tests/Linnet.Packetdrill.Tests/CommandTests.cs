using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Commands;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

public sealed class CommandTests : IDisposable
{
    private readonly List<string> output = [];
    private readonly List<long> slept = [];
    private readonly Network network = new();
    private readonly Host host;
    private readonly CommandRunner commands;

    public CommandTests()
    {
        host = network.AddHost("host");
        host.AddTun(tap: false, new IPNetworkAddress(IPAddress.Parse("192.168.0.1"), 16));
        commands = new CommandRunner(host.Namespace, "t.pkt", slept.Add, output.Add);
    }

    public void Dispose() => network.Dispose();

    private void Run(string commandLine) => commands.Run(new CommandAction(3, commandLine));

    private string Failure(string commandLine) => Assert.Throws<ScriptException>(() => Run(commandLine)).Message;

    private string Setting(string name) => host.GetSysctl("net.ipv4." + name);

    [Theory]
    [InlineData("echo a  b 'c  d' \"e $((1 + 2*3))\"", "a b c  d e 7")]
    [InlineData("X=5; Y=\"$X 6\"; echo $Y \"${Y}\" '$Y'", "5 6 5 6 $Y")]
    [InlineData("echo a \\\n  b # comment", "a b")]
    [InlineData("false || echo a && echo b", "a|b")]
    [InlineData("true && false; echo $?", "1")]
    [InlineData("! false && echo yes", "yes")]
    [InlineData("if [ 1 -eq 2 ]; then echo a; elif true; then echo b; else echo c; fi", "b")]
    [InlineData("if test -z x\nthen\n echo a\nelse\n echo c\nfi", "c")]
    [InlineData("{ echo a; echo b; } | grep -v a; (echo c)", "b|c")]
    [InlineData("echo $(echo in ner) | cat", "in ner")]
    [InlineData("echo x > /tmp/f; echo y >> /tmp/f; cat /tmp/f; rm /tmp/f; [ -e /tmp/f ] || echo gone", "x|y|gone")]
    [InlineData("echo 1 > /tmp/f; cat < /tmp/f", "1")]
    [InlineData("{ cat /none; true; } 2>/dev/null", "")]
    [InlineData("{ cat /none; true; } 2>&1 | grep -c none", "1")]
    [InlineData("cat /none &> /tmp/both; cat /tmp/both", "cat: /none: No such file or directory")]
    [InlineData("/bin/dd bs=1 count=5 if=/dev/zero of=/tmp/z status=none; cat /tmp/z | wc -c", "5")]
    [InlineData("echo $((0x10 << 2 | 3)) $((7 / 2)) $(( (1 + 1) * -3 ))", "67 3 -6")]
    [InlineData("echo 'echo from $1' > /tmp/s.sh; /tmp/s.sh me", "from me")]
    [InlineData("head -n 1 /proc/net/dev | grep -o Inter", "Inter")]
    public void The_shell_is_built_in(string commandLine, string expected)
    {
        Run(commandLine);
        Assert.Equal(expected, string.Join('|', output));
    }

    [Theory]
    [InlineData("grep -q 'b$'")]
    [InlineData("grep -E 'x|ab'")]
    [InlineData("grep 'x\\|ab'")]
    [InlineData("grep -w ab")]
    [InlineData("grep -i AB")]
    [InlineData("grep -F -x ab")]
    [InlineData("grep '^[[:alpha:]]*$'")]
    [InlineData("grep -v a+b")]
    public void Grep_knows_POSIX_expressions(string commandLine) => Run($"echo ab | {commandLine} > /dev/null");

    [Theory]
    [InlineData("false", "t.pkt:3: error executing `false` command: non-zero status 1")]
    [InlineData("cat /none", "t.pkt:3: error executing `cat /none` command: non-zero status 1: cat: /none: No such file or directory")]
    [InlineData("reboot -f", "t.pkt:3: error executing `reboot -f` command: reboot: there is no such command; see docs/packetdrill.md for those that are built in")]
    [InlineData("./none.sh", "t.pkt:3: error executing `./none.sh` command: non-zero status 127: sh: ./none.sh: not found")]
    [InlineData("for i in 1; do true; done", "t.pkt:3: error executing `for i in 1; do true; done` command: 'for' is not offered by the built-in shell")]
    [InlineData("echo 'a", "t.pkt:3: error executing `echo 'a` command: ' is missing")]
    [InlineData("if true; fi", "t.pkt:3: error executing `if true; fi` command: syntax error near 'fi'")]
    [InlineData("grep -P a", "t.pkt:3: error executing `grep -P a` command: grep: -P is not offered by the built-in command")]
    [InlineData("sysctl a.b=1", "t.pkt:3: error executing `sysctl a.b=1` command: non-zero status 1: sysctl: cannot stat /proc/sys/a/b: No such file or directory")]
    [InlineData("sysctl net.ipv4.tcp_sack=x", "t.pkt:3: error executing `sysctl net.ipv4.tcp_sack=x` command: non-zero status 1: sysctl: setting key \"net.ipv4.tcp_sack\": Invalid argument")]
    [InlineData("ip route add 10.0.0.0/8 via 172.16.0.1", "t.pkt:3: error executing `ip route add 10.0.0.0/8 via 172.16.0.1` command: non-zero status 2: RTNETLINK answers: Network is unreachable")]
    public void What_fails_is_named(string commandLine, string message) => Assert.Equal(message, Failure(commandLine));

    [Fact]
    public void Sysctl_reads_and_sets()
    {
        Run("sysctl -q -w net.ipv4.tcp_timestamps=0 net/ipv4/tcp_sack=0; sysctl -e -q net.ipv4.nothing=1");
        Run("sysctl net.ipv4.tcp_rmem=\"4096 540000 $((15*1024*1024))\"; sysctl -n net.ipv4.tcp_sack");
        Assert.Equal(("0", "0", "4096\t540000\t15728640"), (Setting("tcp_timestamps"), Setting("tcp_sack"), Setting("tcp_rmem")));
        Assert.Equal(["net.ipv4.tcp_rmem = 4096 540000 15728640", "0"], output);
    }

    [Fact]
    public void Settings_are_kept_and_restored()
    {
        string before = Setting("tcp_wmem");
        Run("../common/set_sysctls.py /proc/sys/net/ipv4/tcp_wmem=\"4096 50000 4194304\" \\\n /proc/sys/net/ipv4/tcp_timestamps=0");
        Assert.Equal(("4096\t50000\t4194304", "0"), (Setting("tcp_wmem"), Setting("tcp_timestamps")));
        Run("/tmp/sysctl_restore_${PPID}.sh");
        Assert.Equal((before, "1"), (Setting("tcp_wmem"), Setting("tcp_timestamps")));
    }

    [Fact]
    public void Module_parameters_are_files()
    {
        Run("cat /sys/module/tcp_cubic/parameters/hystart_detect; echo 1 > /sys/module/tcp_cubic/parameters/hystart_detect");
        Run("cat /sys/module/tcp_cubic/parameters/hystart_detect");
        Assert.Equal(["3", "1"], output);
    }

    [Fact]
    public void A_script_file_is_read_relative_to_the_script()
    {
        DirectoryInfo directory = Directory.CreateTempSubdirectory();
        File.WriteAllText(Path.Combine(directory.FullName, "set.sh"), "#!/bin/bash\n# Sets.\nsysctl -q net.ipv4.tcp_sack=0\n");
        new CommandRunner(host.Namespace, Path.Combine(directory.FullName, "t.pkt"), slept.Add).Run(new CommandAction(1, "./set.sh"));
        Assert.Equal("0", Setting("tcp_sack"));
        directory.Delete(recursive: true);
    }

    [Fact]
    public void Sleep_passes_virtual_time()
    {
        Run("sleep 0.25; sleep 1");
        Assert.Equal([250_000_000, 1_000_000_000], slept);
    }

    [Fact]
    public void Nstat_shows_what_was_gained()
    {
        SnmpMib<LinuxMib> counters = host.Namespace.Ipv4.NetStatistics;
        counters.Add(LinuxMib.TCPZeroWindowDrop, 5);
        Run("nstat -n");
        Assert.Empty(output);
        counters.Add(LinuxMib.TCPZeroWindowDrop, 2);
        Run("nstat -s TcpExtTCP*; nstat | grep TcpExtTCPZeroWindowDrop | grep -q ' 2 '; nstat | grep -v kernel; true");
        Assert.Equal(["#kernel", "TcpExtTCPZeroWindowDrop         2                  0.0"], output);
        output.Clear();
        Run("nstat -a TcpExtTCPZeroWindowDrop | grep -o ' 7 '; nstat -z IpForwarding | wc -l");
        Assert.Equal([" 7 ", "2"], output);
    }

    [Fact]
    public void Routes_links_and_addresses_change()
    {
        NetNamespace net = host.Namespace;
        NetDevice tun = net.Devices.DevGetByName("tun0")!;
        Run("ip link set dev tun0 mtu 9000; ip addr add 10.1.0.1/16 dev tun0");
        Assert.Equal(9000, tun.Mtu);
        Assert.Equal(host.Interfaces[^1].Addresses[^1].Address, IPAddress.Parse("10.1.0.1"));

        Run("ip route add 192.0.2.0/24 via 192.168.0.2 dev tun0");
        Run("ip route change 192.0.2.0/24 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11");
        using (KernelEntry entry = net.Machine.Enter())
        {
            Assert.Equal(0, IpFib.FibLookup(net, new Flowi4 { Daddr = 0xC0000201 }, out FibResult found));
            RouteMetrics metrics = found.Fi!.FibMetrics;
            Assert.Equal((600u, 640u, 11u, true),
                (metrics[RTAX_ADVMSS], metrics[RTAX_MTU], metrics[RTAX_INITCWND], metrics.MtuLocked));
        }
        Run("ip route del 192.0.2.0/24; ip addr del 10.1.0.1/16 dev tun0; ip tcp_metrics flush all > /dev/null 2>&1");
        Assert.EndsWith("RTNETLINK answers: No such process", Failure("ip route del 192.0.2.0/24"));
        Assert.Contains("-6", Failure("ip -6 route add ::/0 dev tun0"));
    }

    [Fact]
    public void Features_and_disciplines_change()
    {
        NetDevice lo = host.Namespace.Devices.Loopback;
        Run("ethtool -K lo tso off gso off gro off");
        Assert.False(lo.Features.HasFlag(NetdevFeatures.Tso));
        Run("ethtool -K lo tso on");
        Assert.True(lo.Features.HasFlag(NetdevFeatures.Tso));
        Assert.EndsWith("Could not change tso: Invalid argument", Failure("ethtool -K tun0 tso on"));

        NetDevice tun = host.Namespace.Devices.DevGetByName("tun0")!;
        Run("tc qdisc add dev tun0 root pfifo");
        Assert.Equal("pfifo", tun.Qdisc!.Id);
        Run("tc qdisc replace dev tun0 root fq");
        Assert.Equal("fq", tun.Qdisc!.Id);
        Run("tc qdisc show dev tun0 | grep -q '^qdisc fq '; tc qdisc del dev tun0 root 2> /dev/null");
        Assert.EndsWith("Error: Specified qdisc kind is unknown.", Failure("tc qdisc add dev tun0 root nothing"));
    }
}
