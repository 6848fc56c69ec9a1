using Linnet.Packetdrill.Code;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

public class CodeTests
{
    private static readonly uint[] MemInfo = [10, 20, 30, 40, 50, 60, 70, 80, 90];

    [Theory]
    [InlineData("assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd")]
    [InlineData("assert (tcpi_options & TCPI_OPT_SACK) != 0, tcpi_options")]
    [InlineData("assert 9 < tcpi_snd_cwnd <= 10 < 11")]
    [InlineData("assert tcpi_snd_cwnd - 2 == 8 and not tcpi_lost or False")]
    [InlineData("assert tcpi_snd_wscale == 7; assert tcpi_rcv_wscale == 8")]
    [InlineData("assert tcpi_state == TCP_ESTABLISHED\nassert tcpi_ca_state == TCP_CA_Open # open")]
    [InlineData("assert SK_MEMINFO_RCVBUF == 20 and SK_MEMINFO_DROPS == 0x5a")]
    [InlineData("assert 7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7 / 2 == 3.5")]
    [InlineData("assert 2 + 3 * 4 == 14 and (2 + 3) * 4 == 20 and 1 << 4 | 1 == 17")]
    [InlineData("x = 1; x += 2; x *= 5; assert x == 15; assert min(x, 3) == 3; assert abs(-x) == 15")]
    [InlineData("assert tcpi_snd_cwnd == 10;\\\n assert tcpi_lost == 0;\\\n")]
    [InlineData("assert (tcpi_snd_cwnd ==\n 10)")]
    [InlineData("assert (1, 'a', tcpi_lost) == (1, 'a', 0) and (1, 2) != (1, 3) and (1,) != (1, 2)")]
    [InlineData("assert '%d of %5.1f, %s %%, 0x%04x' % (3, 2.5, 'a', 255) == '3 of   2.5, a %, 0x00ff'")]
    [InlineData("assert '%d' % tcpi_snd_cwnd == '10' and 'a' 'b' == 'ab'")]
    public void What_holds_passes(string code) => Run(code);

    [Theory]
    [InlineData("assert tcpi_snd_cwnd == 11, 'cwnd=%d' % tcpi_snd_cwnd",
        "t.pkt:7: error executing code: assertion failed: tcpi_snd_cwnd == 11 (tcpi_snd_cwnd=10): cwnd=10")]
    [InlineData("assert 1 < 2 > 3", "t.pkt:7: error executing code: assertion failed: 1 < 2 > 3")]
    [InlineData("x = 1\nassert x == 1\n\nassert x == 2", "t.pkt:10: error executing code: assertion failed: x == 2 (x=1)")]
    [InlineData("x = 1\\\n + 1; assert x == 3", "t.pkt:8: error executing code: assertion failed: x == 3 (x=2)")]
    [InlineData("assert nobody", "t.pkt:7: error executing code: name 'nobody' is not defined")]
    [InlineData("import os", "t.pkt:7: error executing code: 'import' is not offered: code can assert, assign and print")]
    [InlineData("assert 1 ==", "t.pkt:7: error executing code: unexpected end of line")]
    [InlineData("x = 1 $ 2", "t.pkt:7: error executing code: unexpected character '$'")]
    [InlineData("x = 'a' - 1", "t.pkt:7: error executing code: unsupported operands for -: a and 1")]
    [InlineData("x = 1 // 0", "t.pkt:7: error executing code: Attempted to divide by zero.")]
    public void What_does_not_hold_is_named_with_its_line(string code, string message)
    {
        ScriptException e = Assert.Throws<ScriptException>(() => Run(code));
        Assert.Equal(message, e.Message);
    }

    [Fact]
    public void Variables_carry_over_and_fields_do_not()
    {
        CodeBlocks blocks = new("t.pkt");
        blocks.Add(new CodeAction(1, "cwnd = tcpi_snd_cwnd; print(cwnd, 'x', 1.5)"), Snapshot(10));
        blocks.Add(new CodeAction(2, "cwnd += 2; assert tcpi_snd_cwnd == cwnd, tcpi_snd_cwnd"), Snapshot(12));
        List<string> printed = [];

        blocks.Run(printed.Add);

        Assert.Equal(["10 x 1.5"], printed);
    }

    private static void Run(string code)
    {
        CodeBlocks blocks = new("t.pkt");
        blocks.Add(new CodeAction(7, code), Snapshot(10));
        blocks.Run();
    }

    private static unsafe CodeSnapshot Snapshot(uint cwnd)
    {
        TcpInfo info = new()
        {
            TcpiState = TCP_ESTABLISHED,
            TcpiOptions = TCPI_OPT_SACK | TCPI_OPT_WSCALE,
            TcpiWscale = 7 | (8 << 4),
            TcpiSndCwnd = cwnd,
        };
        return new CodeSnapshot(new ReadOnlySpan<byte>(&info, sizeof(TcpInfo)), MemInfo);
    }
}
