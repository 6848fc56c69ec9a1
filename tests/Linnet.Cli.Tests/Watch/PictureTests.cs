using Linnet.Cli.Watch;
using static Linnet.Kernel.Uapi.TcpH;

namespace Linnet.Cli.Tests.Watch;

/// <summary>The live view's picture, on terminals of all sizes.</summary>
public sealed class PictureTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(20, 5)]
    [InlineData(40, 9)]
    [InlineData(80, 24)]
    [InlineData(133, 17)]
    [InlineData(300, 100)]
    public void No_line_is_wider_than_the_terminal_and_no_more_are_drawn_than_it_has(int width, int height)
    {
        foreach (int sockets in (int[])[0, 3, 10_000])
        {
            IReadOnlyList<Line> lines = Picture.Draw(Content(sockets), width, height);
            Assert.Equal(width == 0 ? 0 : height, lines.Count);
            Assert.All(lines, line => Assert.InRange(Columns.Cells(line.ToString()), 0, width));
            Assert.All(lines, line => Assert.DoesNotContain("NaN", line.ToString()));
            Assert.All(lines, line => Assert.DoesNotContain(line.ToString(), char.IsControl));
        }
    }

    [Fact]
    public void A_wide_terminal_shows_all_that_is_known()
    {
        string[] lines = [.. Picture.Draw(Content(3), 200, 40).Select(line => line.ToString())];
        Assert.Equal("linnet run nginx  0:12  hosts 2, sockets 3, packets 1.2k", lines[0]);
        Assert.Equal(
            "HOST PROGRAM  PROTO STATE       LOCAL      PEER                RECV-Q SEND-Q CWND SSTHR   SRTT RETR IN B/s OUT B/s", lines[1]);
        Assert.Equal(
            "web  nginx[1] tcp   ESTABLISHED 10.0.0.1:1 192.168.100.2:50001      5    70k   10     7 12.5ms    3   1.5k    2.0M", lines[3]);
        Assert.Contains("web    eth0 up   10  20 1.0M  2.0M      -       -  1.2k     3 delay 50ms loss 1%", lines);
        Assert.Contains("client eth0 down  0   0    0     0      -       -     0     0", lines);
        Assert.Contains("packet 99", lines);
        Assert.Contains("red line", lines);
        Assert.Equal("keys", lines[^1]);
    }

    [Fact]
    public void A_narrow_terminal_keeps_what_matters_most()
    {
        string[] lines = [.. Picture.Draw(Content(1), 60, 10).Select(line => line.ToString().TrimEnd())];
        Assert.Equal("PROGRAM  STATE       PEER                IN B/s OUT B/s", lines[1]);
    }

    [Fact]
    public void The_busiest_sockets_are_shown_when_there_is_no_room_for_all()
    {
        PictureContent content = Content(10_000);
        string[] lines = [.. Picture.Draw(content, 120, 20).Select(line => line.ToString())];
        Assert.Contains("192.168.100.2:59999", lines[2]);
        Assert.Contains(lines, line => line.StartsWith("… ", StringComparison.Ordinal) && line.EndsWith(" more", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_line_is_drawn_over_the_one_that_is_there()
    {
        string drawn = LiveView.Ansi(Picture.Draw(Content(3), 80, 24));
        Assert.DoesNotContain('\n', drawn);
        Assert.DoesNotContain("\e[2J", drawn);
        for (int row = 1; row <= 24; row++)
            Assert.Contains($"\e[{row};1H", drawn);
    }

    [Theory]
    [InlineData("a\e[31mred\e[0m\tb", "ared    b")]
    [InlineData("\e]0;title\ax\r\bz", "xz")]
    [InlineData("\e", "")]
    [InlineData("a\e[12", "a")]
    [InlineData("漢字", "漢字")]
    public void What_programs_write_cannot_move_the_cursor(string text, string expected) => Assert.Equal(expected, Columns.Clean(text));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999.9, "999")]
    [InlineData(1000, "1.0k")]
    [InlineData(9949, "9.9k")]
    [InlineData(9960, "10k")]
    [InlineData(999_600, "1.0M")]
    [InlineData(double.NaN, "-")]
    [InlineData(double.PositiveInfinity, "-")]
    [InlineData(-1, "-")]
    [InlineData(long.MaxValue, "9.2E")]
    public void Numbers_are_short(double number, string expected) => Assert.Equal(expected, Quantity.Of(number));

    private static PictureContent Content(int sockets) => new()
    {
        View = new NetworkView(
            TimeSpan.FromSeconds(12),
            [
                new DeviceView
                {
                    Host = "web", Name = "eth0", IsUp = true, PacketsIn = 10, PacketsOut = 20, BytesIn = 1_000_000, BytesOut = 2_000_000,
                    Drops = 1234, Backlog = 3, Words = "delay 50ms loss 1%",
                },
                new DeviceView { Host = "client", Name = "eth0", IsUp = false },
            ],
            [.. Enumerable.Range(0, sockets).Select(i => new SocketView
            {
                Identity = i,
                Host = "web",
                Program = "nginx[1]",
                Protocol = "tcp",
                State = TCP_ESTABLISHED,
                Local = new Place(0x0A000001, (ushort)(i % 3)),
                Peer = new Place(0xC0A86402, (ushort)(50_000 + i)),
                ReceiveQueue = 5,
                SendQueue = 70_000,
                Tcp = new TcpView(10, 7, TimeSpan.FromMilliseconds(12.5), 3, 1, 1),
                Throughput = new Throughput(1500 + i, 2_000_000),
            })]),
        Title = "run nginx",
        Packets = [.. Enumerable.Range(0, 100).Select(i => $"packet {i}")],
        PacketCount = 1234,
        Output = ["wide 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字", "\e[31mred\e[0m line"],
        Prompt = new Line().Add("keys"),
    };
}
