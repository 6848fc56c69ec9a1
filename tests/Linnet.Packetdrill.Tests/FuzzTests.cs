using System.Text;
using CsCheck;
using Linnet.Packetdrill.Code;
using Linnet.Packetdrill.Commands;
using Linnet.Packetdrill.Reporting;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

/// <summary>Texts that were cut, doubled and scrambled: each is read, or refused with a message; none ends in a defect.</summary>
public class FuzzTests
{
    private static readonly string[] Texts =
        [.. ScriptSuite.Find([Path.Combine(AppContext.BaseDirectory, "Scripts")]).Select(File.ReadAllText)];

    private static readonly string[] Pieces =
    [
        "\"", "`", "%{", "}%", "/*", "*/", "//", "...", "--mtu=", "<", ">", "[", "]", "{", "}", "(", ")", "~", "+", "*", "-1", "0x", "99999999999999999999",
        "ipv4 ", "gre:", "icmp ", "udp ", "encap ", "{fd=", "{events=", "msg_name(", "sack ", "FO ", "ECN ", "\\", "|", "$((", "$(", "${", "&&", "2>&1", ";", "if ", "\n",
    ];

    private static readonly Gen<string> Scrambled =
        from text in Gen.Int[0, Texts.Length - 1].Select(i => Texts[i])
        from edits in Gen.Select(Gen.Int[0, 10_000], Gen.Int[0, 40], Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i])).Array[1, 6]
        select Scramble(text, edits);

    [Fact]
    public void Scripts() => Scrambled.Sample(text => Try(() => ScriptParser.Parse("t.pkt", text)), iter: 5000);

    [Fact]
    public void Code_blocks() => Scrambled.Sample(
        text =>
        {
            CodeBlocks blocks = new("t.pkt");
            blocks.Add(new CodeAction(1, text[..Math.Min(text.Length, 200)].Replace('`', '+')), new CodeSnapshot([], []));
            Try(() => blocks.Run());
        },
        iter: 3000);

    [Fact]
    public void Command_lines() => Scrambled.Sample(
        text =>
        {
            try
            {
                ShellParser.Parse(text);
            }
            catch (ShellException)
            {
            }
        },
        iter: 3000);

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (ScriptException)
        {
        }
    }

    private static string Scramble(string text, (int At, int Length, string Piece)[] edits)
    {
        StringBuilder result = new(text);
        foreach ((int at, int length, string piece) in edits)
        {
            int start = at % (result.Length + 1);
            result.Remove(start, Math.Min(length, result.Length - start));
            result.Insert(start, piece);
        }
        return result.ToString();
    }
}
