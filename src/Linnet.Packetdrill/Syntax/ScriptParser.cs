using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <summary>Reads scripts.</summary>
public static partial class ScriptParser
{
    /// <summary>Reads a script.</summary>
    /// <param name="path">The file's name, for messages and for the directory of its commands.</param>
    /// <param name="text">The file's content.</param>
    /// <param name="commandLine">The command line's options; they win over the script's own.</param>
    /// <exception cref="ScriptException">The text is no script.</exception>
    public static Script Parse(string path, string text, IEnumerable<OptionSetting>? commandLine = null) =>
        throw new NotSupportedException($"{path}: {text.Length} {commandLine}");
}
