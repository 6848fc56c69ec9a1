namespace Linnet.Packetdrill.Syntax;

/// <summary>What a token is.</summary>
internal enum TokenKind
{
    End,

    /// <summary>Letters, digits and underscores that are no number.</summary>
    Word,
    Integer,
    HexInteger,

    /// <summary>A number with a point; also what <c>.5</c> is as flags.</summary>
    Float,

    /// <summary>Between double quotes; the text is without them.</summary>
    String,

    /// <summary>Between backticks; the text is without them.</summary>
    BackQuoted,

    /// <summary>Between <c>%{</c> and <c>}%</c>.</summary>
    Code,

    /// <summary><c>--name</c>; the text is without dashes.</summary>
    Option,

    /// <summary>What stands behind an option's equals sign.</summary>
    OptionValue,
    Ellipsis,
    IpAddress,

    /// <summary>Any other character.</summary>
    Punctuation,
}

/// <summary>A token of a script.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text, without quotes.</param>
/// <param name="Start">Where it begins in the file's text.</param>
/// <param name="Line">The line on which it begins, from 1.</param>
/// <param name="Column">The column in which it begins, from 1.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Start, int Line, int Column)
{
    public bool Is(char c) => Kind == TokenKind.Punctuation && Text[0] == c;

    public bool Is(string word) => Kind == TokenKind.Word && Text == word;
}
