using System.Text;
using Linnet.Cli.Lab;

namespace Linnet.Cli.Tests.Lab;

/// <summary>How the output of a lab's programs is printed.</summary>
public class LabOutputTests
{
    private readonly MemoryStream printed = new();

    private string Printed => Encoding.Latin1.GetString(printed.ToArray());

    [Theory]
    [InlineData("one\ntwo\n", "web    | one\nweb    | two\n")]
    [InlineData("\n\n", "web    | \nweb    | \n")]
    [InlineData("begun", "web    | begun\n")]
    [InlineData("\xFF\xFE\0\x80\n", "web    | \xFF\xFE\0\x80\n")]
    [InlineData("\x1B[31mred\x1B[m\n", "web    | \x1B[31mred\x1B[m\n")]
    [InlineData("10%\r20%\rdone\r\n", "web    | 10%\r20%\rdone\r\n")]
    [InlineData("", "")]
    public async Task Bytes_stay_as_they_are_behind_the_hosts_name(string written, string expected)
    {
        await CopyAsync(Output(), "web", written);
        Assert.Equal(expected, Printed);
    }

    [Theory]
    [InlineData("10%\r20%\rdone\n", "web    | 10%\rweb    | 20%\rweb    | done\n")]
    [InlineData("done\r\n", "web    | done\r\n")]
    public async Task On_a_terminal_a_carriage_return_goes_back_behind_the_name(string written, string expected)
    {
        await CopyAsync(Output(isScreen: true), "web", written);
        Assert.Equal(expected, Printed);
    }

    [Fact]
    public async Task A_very_long_line_is_one_line_until_it_is_too_long()
    {
        string line = new('x', 300_000), endless = new('y', (1 << 20) + 5);
        await CopyAsync(Output(), "web", $"{line}\n{endless}\n");
        Assert.Equal([$"web    | {line}", $"web    | {endless[5..]}", "web    | yyyyy", ""], Printed.Split('\n'));
    }

    [Fact]
    public async Task Lines_of_several_hosts_do_not_mix()
    {
        LabOutput output = Output();
        await Task.WhenAll(
            Enumerable.Range(0, 4).Select(i => Task.Run(() => output.CopyAsync(
                i % 2 == 0 ? "web" : "client", new Pieces(string.Concat(Enumerable.Repeat($"{i}{new string((char)('a' + i), 40)}\n", 500)), 7)))));
        string[] lines = Printed.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2000, lines.Length);
        Assert.All(lines, line => Assert.Matches(@"^(web    \| (0a{40}|2c{40})|client \| (1b{40}|3d{40}))$", line));
    }

    [Fact]
    public async Task When_the_terminal_has_hung_up_the_programs_are_read_on()
    {
        int writes = 0;
        LabOutput output = new(
            Terminal.ForWriters(TextWriter.Null, TextWriter.Null, _ => throw new IOException($"{++writes}")), ["web"]);
        Pieces pieces = new("one\ntwo\n", 4);
        await output.CopyAsync("web", pieces);
        Assert.Equal((1, 8), (writes, pieces.Position));
    }

    private static Task CopyAsync(LabOutput output, string name, string written) => output.CopyAsync(name, new Pieces(written, int.MaxValue));

    private LabOutput Output(bool isScreen = false) =>
        new(Terminal.ForWriters(TextWriter.Null, TextWriter.Null, bytes => printed.Write(bytes), isScreen), ["web", "client"]);

    // Gives a few bytes at a time, as a pipe may.
    private sealed class Pieces(string text, int most) : MemoryStream(Encoding.Latin1.GetBytes(text))
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            return Read(buffer.Span[..Math.Min(most, buffer.Length)]);
        }
    }
}
