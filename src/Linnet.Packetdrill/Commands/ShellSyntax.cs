using System.Collections.Immutable;

namespace Linnet.Packetdrill.Commands;

/// <summary>Commands joined by <c>;</c>, <c>&amp;&amp;</c> and <c>||</c>, in order.</summary>
internal sealed record ShellList(ImmutableArray<ShellStep> Steps);

/// <summary>How a pipeline depends on the status of the one before.</summary>
internal enum ShellJoin
{
    Always,
    IfSucceeded,
    IfFailed,
}

/// <summary>A pipeline and when it runs.</summary>
internal sealed record ShellStep(ShellJoin Join, bool Negated, ImmutableArray<ShellCommand> Pipeline);

/// <summary>A command, or a construct that stands in its place.</summary>
internal abstract record ShellCommand(ImmutableArray<ShellRedirect> Redirects);

/// <summary>Assignments, a name and arguments.</summary>
internal sealed record SimpleCommand(
    ImmutableArray<(string Name, ShellWord Value)> Assignments,
    ImmutableArray<ShellWord> Words,
    ImmutableArray<ShellRedirect> Redirects) : ShellCommand(Redirects);

/// <summary><c>if ...; then ...; else ...; fi</c></summary>
internal sealed record IfCommand(
    ShellList Condition, ShellList Then, ShellList? Else, ImmutableArray<ShellRedirect> Redirects) : ShellCommand(Redirects);

/// <summary><c>( ... )</c> and <c>{ ...; }</c>; both run here, in the same shell, since nothing that is kept could differ.</summary>
internal sealed record GroupCommand(ShellList Body, ImmutableArray<ShellRedirect> Redirects) : ShellCommand(Redirects);

/// <summary>Where a stream goes to or comes from.</summary>
/// <param name="Stream">0, 1 or 2; -1 for both 1 and 2.</param>
/// <param name="Append">Whether the file is kept.</param>
/// <param name="Target">The file, or null where another stream is.</param>
/// <param name="Copy">The stream that is copied (<c>2&gt;&amp;1</c>).</param>
internal sealed record ShellRedirect(int Stream, bool Append, ShellWord? Target, int Copy);

/// <summary>A word: pieces that are put together when the command runs.</summary>
internal sealed record ShellWord(ImmutableArray<ShellPiece> Pieces)
{
    /// <summary>The word when it is plain text without quotes, which is when it can be a keyword.</summary>
    public string? Plain => Pieces is [{ Kind: ShellPieceKind.Text, Quoted: false } piece] ? piece.Text : null;
}

internal enum ShellPieceKind
{
    Text,

    /// <summary><c>$NAME</c></summary>
    Variable,

    /// <summary><c>$((1 + 2))</c></summary>
    Arithmetic,

    /// <summary><c>$(command)</c></summary>
    Output,
}

/// <summary>A piece of a word; what is unquoted and not text is cut at blanks.</summary>
internal readonly record struct ShellPiece(ShellPieceKind Kind, string Text, bool Quoted);

/// <summary>A command line that cannot be read or carried out, as opposed to one that fails.</summary>
internal sealed class ShellException(string message) : Exception(message);
