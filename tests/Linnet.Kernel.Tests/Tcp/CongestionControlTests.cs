using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Which congestion controls there are, who may choose them, and what they are called for.</summary>
public sealed class CongestionControlTests : IDisposable
{
    private readonly TcpBench bench = new();

    [Fact]
    public void CUBIC_is_the_default_and_Reno_is_there()
    {
        Assert.Equal("cubic", Sysctl("tcp_congestion_control"));
        Assert.Equal("reno cubic", Sysctl("tcp_available_congestion_control"));
        Assert.Equal("reno cubic", Sysctl("tcp_allowed_congestion_control"));
        Assert.Equal("cubic", NameOf(bench.Socket()));
    }

    [Fact]
    public void The_default_is_for_sockets_to_come()
    {
        int before = bench.Socket();
        Assert.Equal(0, SetSysctl("tcp_congestion_control", "reno"));
        Assert.Equal("reno", NameOf(bench.Socket()));
        Assert.Equal("cubic", NameOf(before));
        Assert.Equal(-ENOENT, SetSysctl("tcp_congestion_control", "vegas"));
    }

    [Fact]
    public void A_listener_bequeaths_only_what_it_was_set_to()
    {
        int fd = bench.Accepted(setup: listener => Choose(listener, "reno"));
        Assert.Equal("reno", NameOf(fd));
    }

    [Fact]
    public void A_listener_that_was_not_set_gives_the_default_of_now()
    {
        int listener = bench.Listener();
        Assert.Equal(0, SetSysctl("tcp_congestion_control", "reno"));
        bench.In("S 0:0(0) win 65535 <mss 1000>");
        bench.Take();
        bench.In(". 1:1(0) ack 1 win 65535");
        Assert.Equal("reno", NameOf(bench.Calls.Accept4(listener, SOCK_NONBLOCK)));
        Assert.Equal("cubic", NameOf(listener));
    }

    [Fact]
    public void A_restricted_one_is_for_administrators()
    {
        Register(new Fixed(5));
        Assert.Equal("reno cubic fixed", Sysctl("tcp_available_congestion_control"));
        Assert.Equal("reno cubic", Sysctl("tcp_allowed_congestion_control"));
        TcpSock tp = bench.SockOf(bench.Socket());
        Assert.Equal(-EPERM, TcpCong.TcpSetCongestionControl(tp, "fixed", load: true, capNetAdmin: false));
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "fixed", load: true, capNetAdmin: true));

        Assert.Equal(-ENOENT, SetSysctl("tcp_allowed_congestion_control", "fixed vegas"));
        Assert.Equal(0, SetSysctl("tcp_allowed_congestion_control", "fixed"));
        Assert.Equal("fixed", Sysctl("tcp_allowed_congestion_control"));
        tp = bench.SockOf(bench.Socket());
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "fixed", load: true, capNetAdmin: false));
        Assert.Equal(-EPERM, TcpCong.TcpSetCongestionControl(tp, "reno", load: true, capNetAdmin: false));
    }

    [Fact]
    public void Only_the_first_namespace_may_have_a_restricted_default()
    {
        Register(new Fixed(5));
        Assert.Equal(-EPERM, SetSysctl("tcp_congestion_control", "fixed"));
        NetNamespace first = bench.Machine.InitNsproxy.NetNs;
        Assert.Equal(0, TcpCong.TcpSetDefaultCongestionControl(first, "fixed"));
        Assert.Equal(0, SetSysctl("tcp_congestion_control", "fixed"));
    }

    [Fact]
    public void Names_are_unique_and_short()
    {
        Assert.Equal(-EEXIST, TcpCong.TcpRegisterCongestionControl(bench.Machine, TcpReno.Instance));
        Assert.Equal(-EINVAL, TcpCong.TcpRegisterCongestionControl(bench.Machine, new Fixed(5, "a-name-of-16-char")));
        Assert.Equal(-EINVAL, TcpCong.TcpRegisterCongestionControl(bench.Machine, new Fixed(5, "two words")));
        Assert.Equal(-EINVAL, TcpCong.TcpRegisterCongestionControl(bench.Machine, new Fixed(5, "")));
        Fixed one = new(5);
        Register(one);
        TcpCong.TcpUnregisterCongestionControl(bench.Machine, one);
        Assert.Equal("reno cubic", Sysctl("tcp_available_congestion_control"));
        Register(new Fixed(6));
    }

    [Fact]
    public void A_module_is_loaded_by_name_and_held_while_it_is_used()
    {
        FixedModule? module = null;
        bench.Machine.Modules.MakeAvailable("tcp_fixed", () => module = new FixedModule());
        TcpSock tp = bench.SockOf(bench.Socket());
        Assert.Equal(-ENOENT, TcpCong.TcpSetCongestionControl(tp, "fixed", load: false, capNetAdmin: true));
        int fd = bench.Socket();
        Choose(fd, "fixed");
        Assert.Equal(1, module!.RefCount);
        Choose(fd, "reno");
        Assert.Equal(0, module.RefCount);
        Choose(fd, "fixed");
        bench.Calls.Close(fd);
        Assert.Equal(0, module.RefCount);
    }

    [Fact]
    public void Its_window_is_what_counts()
    {
        Register(new Fixed(3));
        int fd = bench.Accepted(setup: listener => Choose(listener, "fixed"));
        bench.Write(fd, 8000);
        Assert.Equal(3, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 3001 win 65535");
        Assert.Equal(3, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 6001 win 65535");
        Assert.Equal(2, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 8001 win 65535");
        Assert.Equal(3u, bench.Info(fd).TcpiSndCwnd);
    }

    /// <summary>What it is told in the life of a connection with a loss.</summary>
    [Fact]
    public void It_is_told_what_happens()
    {
        Fixed told = new(10);
        Register(told);
        int fd = bench.Accepted(setup: listener => Choose(listener, "fixed"));
        Assert.Equal("init", told.Take()[^1]);
        bench.Write(fd, 5000);
        bench.TakeAll();
        Assert.Equal(["TxStart"], told.Take());
        bench.Wait(1);
        bench.In(". 1:1(0) ack 1001 win 65535");
        Assert.Equal(["acked 1 1000", "in_ack", "cong_avoid 1"], told.Take());
        bench.Wait(1000);
        Assert.Contains("state 4", told.Take());
        bench.Calls.Close(fd);
    }

    public void Dispose() => bench.Dispose();

    private void Register(TcpCongestionOps ops) =>
        Assert.Equal(0, TcpCong.TcpRegisterCongestionControl(bench.Machine, ops));

    private string Sysctl(string name)
    {
        Assert.Equal(0, bench.Ipv4.Net.Sysctl.Read($"net.ipv4.{name}", out string value));
        return value.TrimEnd('\n');
    }

    private int SetSysctl(string name, string value) => bench.Ipv4.Net.Sysctl.Write($"net.ipv4.{name}", value);

    private void Choose(int fd, string name) =>
        Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_TCP, TCP_CONGESTION, Encoding.ASCII.GetBytes(name)));

    private string NameOf(int fd)
    {
        byte[] name = new byte[16];
        int length = name.Length;
        Assert.Equal(0, bench.Calls.Getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, ref length));
        return Encoding.ASCII.GetString(name).TrimEnd('\0');
    }

    /// <summary>A window that nothing changes, restricted; it notes what it is called for.</summary>
    private sealed class Fixed(uint window, string name = "fixed", Module? owner = null) : TcpCongestionOps
    {
        private readonly List<string> calls = [];

        public override string Name => name;

        public override Module? Owner => owner;

        public override bool WantsPktsAcked => true;

        public List<string> Take()
        {
            List<string> taken = [.. calls];
            calls.Clear();
            return taken;
        }

        public override void Init(TcpSock tp)
        {
            calls.Add("init");
            tp.TcpSndCwndSet(window);
        }

        public override uint Ssthresh(TcpSock tp) => window;

        public override void CongAvoid(TcpSock tp, uint ack, uint acked) => calls.Add($"cong_avoid {acked}");

        public override uint UndoCwnd(TcpSock tp) => window;

        public override void SetState(TcpSock tp, byte newState) => calls.Add($"state {newState}");

        public override void CwndEvent(TcpSock tp, TcpCaEvent caEvent) => calls.Add($"{caEvent}");

        public override void InAckEvent(TcpSock tp, uint flags) => calls.Add("in_ack");

        public override void PktsAcked(TcpSock tp, in AckSample sample) =>
            calls.Add($"acked {sample.PktsAcked} {sample.RttUs}");
    }

    private sealed class FixedModule : Module
    {
        private readonly Fixed ops;

        public FixedModule()
            : base("tcp_fixed") => ops = new Fixed(5, owner: this);

        protected internal override int Init(Machine machine) => TcpCong.TcpRegisterCongestionControl(machine, ops);

        protected internal override void Exit(Machine machine) => TcpCong.TcpUnregisterCongestionControl(machine, ops);
    }
}
