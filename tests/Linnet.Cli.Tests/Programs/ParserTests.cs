using Linnet.Cli.Programs;

namespace Linnet.Cli.Tests.Programs;

public class ParserTests
{
    [Fact]
    public void Calls_are_separated_by_semicolons_or_lines_and_results_have_names()
    {
        CallProgram program = Parser.Parse("s = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0); bind(s, 127.0.0.1:80)\n# done\nclose(s);");
        Assert.Equal(["socket", "bind", "close"], program.Statements.Select(s => s.Call));
        Assert.Equal(["s", null, null], program.Statements.Select(s => s.Target));
        Assert.Equal("bind(s, 127.0.0.1:80)", program.Statements[1].Text);
        var or = Assert.IsType<OrExpression>(program.Statements[0].Arguments[1]);
        Assert.Equal([1L, 0x800L], or.Parts.Cast<NumberExpression>().Select(n => n.Value));
        Assert.Equal("s", Assert.IsType<VariableExpression>(program.Statements[2].Arguments[0]).Name);
    }

    [Theory]
    [InlineData("127.0.0.1:80", 0x7f000001u, 80)]
    [InlineData("10.1.2.3", 0x0a010203u, 0)]
    [InlineData(":8080", 0u, 8080)]
    [InlineData("*:65535", 0u, 65535)]
    [InlineData("localhost:1", 0x7f000001u, 1)]
    public void Addresses_are_written_as_people_write_them(string text, uint address, int port)
    {
        var parsed = Assert.IsType<AddressExpression>(Argument($"bind(3, {text})", 1));
        Assert.Equal((address, (ushort)port), (parsed.Address, parsed.Port));
    }

    [Theory]
    [InlineData(@"""a\n\r\t\\\""\0\x7fz""", new byte[] { 97, 10, 13, 9, 92, 34, 0, 127, 122 })]
    [InlineData("\"é;)\"", new byte[] { 0xc3, 0xa9, 59, 41 })]
    public void Strings_are_as_in_C(string text, byte[] bytes) =>
        Assert.Equal(bytes, Assert.IsType<StringExpression>(Argument($"write(3, {text})", 1)).Bytes);

    [Theory]
    [InlineData("-1", -1)]
    [InlineData("0x10", 16)]
    [InlineData("SO_REUSEADDR", 2)]
    [InlineData("NULL", 0)]
    public void Numbers_and_constants(string text, long value) =>
        Assert.Equal(value, Assert.IsType<NumberExpression>(Argument($"close({text})", 0)).Value);

    [Fact]
    public void Descriptors_of_a_pair_have_an_index() =>
        Assert.Equal(1, Assert.IsType<VariableExpression>(Parser.Parse("p = pipe(); close(p[1])").Statements[1].Arguments[0]).Index);

    [Theory]
    [InlineData("", "the program has no calls")]
    [InlineData("sockett(1)", "there is no call 'sockett'; did you mean socket?; see linnet trace --help")]
    [InlineData("socket(AF_INTE, 1, 0)", "'AF_INTE' is neither a constant of Linux's nor the result of an earlier call; did you mean AF_INET?")]
    [InlineData("close(s)", "'s' is neither a constant of Linux's nor the result of an earlier call")]
    [InlineData("listen()", "listen takes (fd, [backlog]), not 0 arguments")]
    [InlineData("close(1", "expected ',' or ')' in the arguments of 'close', found the end at character 8 of the program")]
    [InlineData("close(1) close(2)", "expected ';' between calls, found 'close(2)' at character 10 of the program")]
    [InlineData("write(1, \"abc)", "a string begins with \"abc) and does not end")]
    [InlineData("write(1, \"\\q\")", "'\\q' is no escape in a string; there are \\n \\r \\t \\0 \\\\ \\\" and \\xHH")]
    [InlineData("bind(3, 1.2.3:80)", "'1.2.3' is no IPv4 address")]
    [InlineData("bind(3, 1.2.3.400)", "'1.2.3.400' is no IPv4 address")]
    [InlineData("bind(3, 1.2.3.4:70000)", "'1.2.3.4:70000' has no port from 0 to 65535 after the ':'")]
    [InlineData("close(12x)", "'12x' is no number")]
    [InlineData("= 3", "expected the name of a call, found '= 3' at character 1 of the program")]
    public void What_cannot_be_read_is_said_in_one_line(string program, string message) =>
        Assert.Equal(message, Assert.Throws<UsageException>(() => Parser.Parse(program)).Message);

    private static Expression Argument(string call, int index) => Parser.Parse(call).Statements[0].Arguments[index];
}
