using CsCheck;
using Linnet.Kernel.Tests.Tcp;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;
using static Linnet.Kernel.Uapi.SockDiagH;

namespace Linnet.Kernel.Tests.Diag;

/// <summary>Filters of requests about sockets.</summary>
public sealed class BytecodeTests : IDisposable
{
    private readonly TcpHosts hosts = new();
    private readonly DiagClient diag;

    public BytecodeTests()
    {
        foreach (int port in (int[])[80, 81, 443])
            hosts.Listen(port);
        int fd = hosts.Connect(443, localPort: 4000);
        hosts.Settle();
        Assert.Equal(0, hosts.Other.Setsockopt(fd, SOL_SOCKET, SO_MARK, 5));
        diag = new DiagClient(hosts.One);
    }

    public void Dispose()
    {
        diag.Close();
        hosts.Dispose();
    }

    private static byte[] Op(int code, int yes, int no) => DiagClient.Bytes(new InetDiagBcOp { Code = (byte)code, Yes = (byte)yes, No = (ushort)no });

    // A condition with its operand, after which the filter ends.
    private static byte[] Only(int code, params byte[] operand) => [.. Op(code, 4 + operand.Length, 8 + operand.Length), .. operand];

    private static byte[] Port(int code, int port) => Only(code, Op(INET_DIAG_BC_NOP, 4, port));

    private static byte[] Host(int code, int family, int prefix, int port, params byte[] address) =>
        Only(code, [.. DiagClient.Bytes(new InetDiagHostcond { Family = (byte)family, PrefixLen = (byte)prefix, Port = port }), .. address]);

    private string Through(params byte[] filter) =>
        string.Join(' ', diag.Dump(DiagClient.Request(IPPROTO_TCP), filter).Select(answer => answer.Dport == 0 ? $"{answer.Sport}" : $"{answer.Sport}-{answer.Dport}"));

    private int Refusal(params byte[] filter) => diag.Ask(
        SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP,
        [.. DiagClient.Bytes(DiagClient.Request(IPPROTO_TCP)), .. DiagClient.Attribute(INET_DIAG_REQ_BYTECODE, filter)], out _);

    [Fact]
    public void Conditions_let_through_what_they_say()
    {
        Assert.Equal("80", Through(Port(INET_DIAG_BC_S_EQ, 80)));
        Assert.Equal("80 81", Through(Port(INET_DIAG_BC_S_LE, 81)));
        Assert.Equal("443 443-4000", Through(Port(INET_DIAG_BC_S_GE, 82)));
        Assert.Equal("443-4000", Through(Port(INET_DIAG_BC_D_EQ, 4000)));
        Assert.Equal("443-4000", Through(Port(INET_DIAG_BC_D_GE, 1)));
        Assert.Equal("80 81 443", Through(Port(INET_DIAG_BC_D_LE, 3999)));
        Assert.Equal("443-4000", Through(Only(INET_DIAG_BC_AUTO)));
        Assert.Equal("", Through(Only(INET_DIAG_BC_JMP)));
        Assert.Equal("80 81 443 443-4000", Through(Op(INET_DIAG_BC_NOP, 4, 0)));
        Assert.Equal("443-4000", Through(Host(INET_DIAG_BC_D_COND, AF_INET, 24, -1, 10, 0, 0, 99)));
        Assert.Equal("", Through(Host(INET_DIAG_BC_D_COND, AF_INET, 32, -1, 10, 0, 0, 99)));
        Assert.Equal("443-4000", Through(Host(INET_DIAG_BC_S_COND, AF_INET, 1, 443, 10, 0, 0, 0) is var filter ? filter : []).Split(' ')[^1]);
        Assert.Equal("81", Through(Host(INET_DIAG_BC_S_COND, AF_UNSPEC, 0, 81)));
        Assert.Equal("", Through(Host(INET_DIAG_BC_S_COND, AF_INET6, 0, -1, new byte[16])));
        Assert.Equal("", Through(Only(INET_DIAG_BC_DEV_COND, 1, 0, 0, 0)));
        Assert.Equal("80 81 443 443-4000", Through(Only(INET_DIAG_BC_DEV_COND, 0, 0, 0, 0)));
        Assert.Equal("80 81 443 443-4000", Through(Only(INET_DIAG_BC_MARK_COND, DiagClient.Bytes(new InetDiagMarkcond { Mask = 7 }))));
        Assert.Equal("", Through(Only(INET_DIAG_BC_MARK_COND, DiagClient.Bytes(new InetDiagMarkcond { Mark = 5, Mask = 7 }))));
    }

    [Fact]
    public void Jumps_make_or_of_and()
    {
        // Port 80, or else port 443 that is connected.
        byte[] either =
        [
            .. Op(INET_DIAG_BC_S_EQ, 8, 12), .. Op(INET_DIAG_BC_NOP, 4, 80),
            .. Op(INET_DIAG_BC_JMP, 4, 20),
            .. Op(INET_DIAG_BC_S_EQ, 8, 20), .. Op(INET_DIAG_BC_NOP, 4, 443),
            .. Op(INET_DIAG_BC_D_EQ, 8, 12), .. Op(INET_DIAG_BC_NOP, 4, 4000),
        ];
        Assert.Equal("80 443-4000", Through(either));
    }

    [Fact]
    public void Filters_that_cannot_be_run_are_refused()
    {
        Assert.Equal(-EINVAL, Refusal());
        Assert.Equal(-EINVAL, Refusal(0, 4, 0));
        Assert.Equal(-EINVAL, Refusal(Op(99, 4, 4)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_CGROUP_COND, 12, 16)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_S_EQ, 4, 4)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_NOP, 0, 0)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_NOP, 8, 0)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_JMP, 4, 12)));
        Assert.Equal(-EINVAL, Refusal(Op(INET_DIAG_BC_JMP, 4, 6)));
        Assert.Equal(-EINVAL, Refusal(Host(INET_DIAG_BC_S_COND, AF_INET, 33, -1, 1, 2, 3, 4)));
        Assert.Equal(-EINVAL, Refusal(Host(INET_DIAG_BC_S_COND, AF_INET, 32, -1, 1, 2, 3)));
        Assert.Equal(-EINVAL, Refusal(Host(INET_DIAG_BC_S_COND, 99, 0, -1)));

        // Into the middle of an instruction's operand.
        Assert.Equal(-EINVAL, Refusal([.. Op(INET_DIAG_BC_JMP, 4, 8), .. Op(INET_DIAG_BC_S_EQ, 8, 12), .. Op(INET_DIAG_BC_NOP, 4, 80)]));
    }

    [Fact]
    public void Any_filter_is_refused_or_ends()
    {
        Gen<byte[]> op = Gen.Select(Gen.Int[0, 14], Gen.Int[0, 8], Gen.Int[0, 10], (code, yes, no) => Op(code, yes * 4, no * 4));
        Gen<byte[]> filter = Gen.OneOf(op.Array[0, 12].Select(ops => ops.SelectMany(o => o).ToArray()), Gen.Byte.Array[0, 64]);
        int accepted = 0;
        filter.Sample(bytes =>
        {
            int err = Refusal(bytes);
            Assert.True(err is 0 or -EINVAL, $"{err}");
            accepted += err == 0 ? 1 : 0;
        }, iter: 3000, threads: 1);
        Assert.True(accepted > 0);
    }

    [Fact]
    public void Any_request_is_answered_in_whole_messages()
    {
        byte[] fine = DiagClient.Bytes(DiagClient.Request(IPPROTO_TCP, ext: 0xFF));
        Gen<byte[]> request = Gen.Select(
            Gen.Int[0, fine.Length + 12], Gen.Select(Gen.Int[0, 70], Gen.Byte).Array[0, 6],
            (length, damage) =>
            {
                byte[] bytes = [.. fine, .. new byte[12]];
                foreach ((int at, byte value) in damage)
                    bytes[at % bytes.Length] = value;
                return bytes[..length];
            });
        Gen.Select(request, Gen.Int[16, 26], Gen.Int[0, 3].Select(i => new[] { 0, NLM_F_DUMP, NLM_F_ACK, NLM_F_ROOT }[i])).Sample(
            (bytes, type, flags) =>
            {
                // What it destroys is the sample's own affair.
                if (type == SOCK_DESTROY)
                    type = SOCK_DIAG_BY_FAMILY;
                int err = diag.Ask(type, NLM_F_REQUEST | flags, bytes, out List<DiagAnswer> answers);
                Assert.InRange(err, -4095, 0);
                answers.ForEach(answer => _ = answer.InetAttributes);
            },
            iter: 3000, threads: 1);
        Assert.Equal(4, diag.Dump(DiagClient.Request(IPPROTO_TCP)).Count);
    }
}
