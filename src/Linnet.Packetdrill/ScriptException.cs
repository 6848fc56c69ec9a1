namespace Linnet.Packetdrill;

/// <summary>A script cannot be read or did not go as written. The message is packetdrill's: <c>file:line: what</c>.</summary>
/// <param name="path">The script's file.</param>
/// <param name="line">The line, or 0 where none is to blame.</param>
/// <param name="message">What is wrong.</param>
public sealed class ScriptException(string path, int line, string message)
    : Exception(line > 0 ? $"{path}:{line}: {message}" : $"{path}: {message}")
{
    /// <summary>The script's file.</summary>
    public string Path { get; } = path;

    /// <summary>The line, or 0.</summary>
    public int Line { get; } = line;

    /// <summary>The message without file and line.</summary>
    public string Detail { get; } = message;
}
