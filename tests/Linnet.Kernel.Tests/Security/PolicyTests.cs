using System.Net;
using Linnet.Kernel.Security;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Security;

/// <summary>Policy files: what rules match, how errors are told, and what programs see of a refusal.</summary>
public class PolicyTests : SocketFixture
{
    private const ulong Address = Buffer + 0x4000;

    [Theory]
    [InlineData("deny", true)]
    [InlineData("deny program=test", true)]
    [InlineData("deny program=other,te?t", true)]
    [InlineData("deny program=t*t", true)]
    [InlineData("deny program=*", true)]
    [InlineData("deny program=tes", false)]
    [InlineData("deny program=*x", false)]
    [InlineData("deny path=/usr/*", false)]
    [InlineData("deny host=lin?et", true)]
    [InlineData("deny host=web,db*", false)]
    [InlineData("deny family=inet", true)]
    [InlineData("deny family=2", true)]
    [InlineData("deny family=inet6,unix", false)]
    [InlineData("deny type=stream", true)]
    [InlineData("deny type=dgram,raw", false)]
    [InlineData("deny protocol=tcp", true)]
    [InlineData("deny protocol=17", false)]
    [InlineData("deny address=10.0.0.0/8", true)]
    [InlineData("deny address=10.1.2.3", true)]
    [InlineData("deny address=10.1.2.2/31", true)]
    [InlineData("deny address=10.1.2.4/30", false)]
    [InlineData("deny address=0.0.0.0/0", true)]
    [InlineData("deny address=::/0", false)]
    [InlineData("deny port=80", true)]
    [InlineData("deny port=1-79,81-90", false)]
    [InlineData("deny port=79-81", true)]
    [InlineData("deny operation=connect", true)]
    [InlineData("deny operation=bind,listen", false)]
    [InlineData("deny program=test port=81", false)]
    public void Rules_match_what_they_name(string rule, bool matches)
    {
        Policy policy = Policy.Parse(rule);
        Assert.Equal(matches, !policy.Decide(Request(PolicyOperation.Connect, "10.1.2.3", 80)).Allows);
    }

    [Fact]
    public void The_first_match_decides_and_the_default_when_none_does()
    {
        Policy policy = Policy.Parse("allow port=80 # the web\n\ndefault deny errno=EPERM\ndeny port=80-90 name=high\n");
        Assert.True(policy.Decide(Request(PolicyOperation.Connect, "10.0.0.1", 80)).Allows);
        PolicyRule second = policy.Decide(Request(PolicyOperation.Connect, "10.0.0.1", 81));
        Assert.Equal(("high", 4, EACCES), (second.Name, second.Line, second.Errno));
        PolicyRule last = policy.Decide(Request(PolicyOperation.Connect, "10.0.0.1", 91));
        Assert.Equal(("default (policy:3)", EPERM), (last.Name, last.Errno));
        Assert.Equal([1L, 1L], policy.Rules.Select(rule => rule.Hits));
    }

    [Theory]
    [InlineData("deny operation=send port=80", true)]
    [InlineData("deny program=curl", true)]
    [InlineData("default deny", true)]
    [InlineData("allow program=curl\ndefault deny", true)]
    [InlineData("allow operation=send\ndefault deny", false)]
    [InlineData("allow operation=send port=80\ndefault deny", true)]
    [InlineData("allow operation=send,receive\ndeny operation=send", false)]
    [InlineData("deny operation=connect,bind", false)]
    [InlineData("", false)]
    public void A_policy_knows_what_it_may_refuse(string text, bool refuses) =>
        Assert.Equal(refuses, Policy.Parse(text).CanRefuse(PolicyOperation.Send));

    [Fact]
    public void Rules_with_an_address_match_no_operation_without_one()
    {
        Policy policy = Policy.Parse("deny address=0.0.0.0/0\ndeny port=0-65535");
        Assert.True(policy.Decide(Request(PolicyOperation.Create, null, 0)).Allows);
    }

    [Fact]
    public void Mapped_addresses_count_as_the_addresses_that_they_stand_for()
    {
        Policy policy = Policy.Parse("deny address=10.0.0.0/8");
        Assert.False(policy.Decide(Request(PolicyOperation.Connect, "::ffff:10.9.9.9", 80)).Allows);
    }

    [Theory]
    [InlineData(1, "permit", "a line begins with allow, deny or default, not with 'permit'")]
    [InlineData(6, "deny port", "expected key=value, not 'port'")]
    [InlineData(6, "deny port=", "expected key=value, not 'port='")]
    [InlineData(6, "deny prot=tcp", "unknown key 'prot'")]
    [InlineData(14, "deny port=80 port=81", "port is given twice")]
    [InlineData(11, "deny port=80-79", "'80-79' is no port")]
    [InlineData(11, "deny port=65536", "'65536' is no port")]
    [InlineData(11, "deny port=-1", "'-1' is no port")]
    [InlineData(14, "deny address=10.0.0.1/8", "'10.0.0.1/8' is no address")]
    [InlineData(14, "deny address=10.1/16", "'10.1/16' is no address")]
    [InlineData(14, "deny address=10.0.0.0/33", "'10.0.0.0/33' is no address")]
    [InlineData(14, "deny address=example.org", "'example.org' is no address")]
    [InlineData(13, "deny family=ipv4", "'ipv4' is no family")]
    [InlineData(11, "deny type=99", "'99' is no type")]
    [InlineData(15, "deny protocol=http", "'http' is no protocol")]
    [InlineData(16, "deny operation=open", "'open' is no operation")]
    [InlineData(12, "deny errno=EFOO", "'EFOO' is no errno")]
    [InlineData(12, "deny errno=0", "'0' is no errno")]
    [InlineData(13, "allow errno=EPERM", "errno belongs to deny")]
    [InlineData(9, "default maybe", "expected 'default allow'")]
    [InlineData(18, "deny  port=80,81,x", "'x' is no port")]
    [InlineData(14, "deny program=way-too-long-name", "'way-too-long-name' is longer than a program's name, which has 15 characters; write 'way-too-long-na'")]
    [InlineData(6, "deny operation=create port=80", "a socket has no address or port when it is made")]
    [InlineData(15, "default allow errno=EPERM", "expected 'default allow'")]
    public void Errors_name_line_and_column(int column, string line, string message)
    {
        PolicySyntaxException e = Assert.Throws<PolicySyntaxException>(() => Policy.Parse($"# first\n{line}\n", "my.policy"));
        Assert.StartsWith($"my.policy:2:{column}: {message}", Assert.Single(e.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public void All_errors_are_told_at_once()
    {
        PolicySyntaxException e = Assert.Throws<PolicySyntaxException>(
            () => Policy.Parse("deny a=b\nallow\ndefault deny\ndefault deny\ndeny port=x type=y"));
        Assert.Equal([1, 4, 5, 5], e.Errors.Select(error => int.Parse(error.Split(':')[1])));
    }

    [Fact]
    public void A_refused_program_sees_the_errno_and_the_log_names_the_rule()
    {
        PolicyModule module = Enforce("deny program=test type=dgram errno=EPERM name=no-datagrams");
        List<PolicyRefusal> refusals = [];
        module.Refusing += refusals.Add;
        Assert.Equal(-EPERM, Call(__NR_socket, Toy, SOCK_DGRAM, 0));
        NewSocket();
        Assert.Equal(1, module.Refused);
        Assert.Equal("no-datagrams", Assert.Single(refusals).Rule.Name);
        Assert.Contains(Test.Log, line => line.Contains($"test[{Task.Pid}] may not create", StringComparison.Ordinal)
            && line.EndsWith("dgram): no-datagrams", StringComparison.Ordinal));
        TaskStruct other = NewTask(comm: "other");
        Assert.Equal(0, CallAs(other, __NR_socket, Toy, SOCK_DGRAM, 0));
    }

    [Theory]
    [InlineData("bind", __NR_bind)]
    [InlineData("connect", __NR_connect)]
    public void Addresses_are_held_against_the_rules(string operation, int nr)
    {
        Enforce($"deny operation={operation} address=192.0.2.0/24 port=1-1023");
        int fd = NewSocket(flags: SOCK_NONBLOCK);
        Assert.NotEqual(-EACCES, Call(nr, fd, Sockaddr(1024, 192, 0, 2, 1), 16));
        Assert.NotEqual(-EACCES, Call(nr, fd, Sockaddr(80, 192, 0, 3, 1), 16));
        Assert.Equal(-EACCES, Call(nr, fd, Sockaddr(80, 192, 0, 2, 1), 16));
    }

    [Fact]
    public void The_rest_of_the_operations_can_be_refused()
    {
        (int a, _) = NewPair(flags: SOCK_NONBLOCK);
        PolicyModule module = Enforce("default allow");
        foreach ((string operation, Func<long> call) in new (string, Func<long>)[]
        {
            ("listen", () => Call(__NR_listen, a, 1)),
            ("accept", () => Call(__NR_accept, a, 0, 0)),
            ("send", () => Send(a, "x")),
            ("receive", () => Call(__NR_recvfrom, a, (long)Buffer, 1, 0, 0, 0)),
        })
        {
            module.Policy = Policy.Parse("default allow");
            Assert.NotEqual(-EACCES, call());
            module.Policy = Policy.Parse($"deny operation={operation}");
            Assert.Equal(-EACCES, call());
        }
    }

    [Fact]
    public void The_kernels_own_sockets_are_not_asked_about()
    {
        PolicyModule module = Enforce("default deny");
        using KernelEntry entry = Task.Enter();
        Assert.Equal(0, Linnet.Kernel.Net.Socket.SockCreateKern(Net, Toy, SOCK_STREAM, 0, out var sock));
        Linnet.Kernel.Net.Socket.SockRelease(sock!);
        Assert.Equal(0, module.Refused);
    }

    [Fact]
    public void What_the_machine_does_itself_is_not_asked_about_but_what_programs_do_that_it_starts()
    {
        Enforce("default deny");
        TaskStruct own = NewTask();
        own.IsKthread = true;
        Assert.Equal(0, CallAs(own, __NR_socket, Toy, SOCK_STREAM, 0));
        using KernelEntry entry = own.Enter();
        Assert.Equal(0, Fork.CopyProcess(own, 0, out TaskStruct? started));
        Assert.Equal(-EACCES, CallAs(started!, __NR_socket, Toy, SOCK_STREAM, 0));
        Fork.DoExit(started!);
    }

    private PolicyModule Enforce(string text)
    {
        PolicyModule module = new(Policy.Parse(text));
        Lsm.SecurityAddHooks(Machine, module);
        return module;
    }

    private PolicyRequest Request(PolicyOperation operation, string? address, int port) =>
        new(Task, operation, AF_INET, SOCK_STREAM, IPPROTO_TCP, address == null ? null : IPAddress.Parse(address), port);

    private long Sockaddr(int port, params byte[] address)
    {
        Memory.Put(Address, [AF_INET, 0, (byte)(port >> 8), (byte)port, .. address, 0, 0, 0, 0, 0, 0, 0, 0]);
        return (long)Address;
    }
}
