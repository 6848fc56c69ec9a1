namespace Linnet.Cli.Serve;

/// <summary>The head of one HTTP/1 request.</summary>
/// <param name="Method">The method, as sent.</param>
/// <param name="Target">The request target, as sent.</param>
/// <param name="MinorVersion">0 for HTTP/1.0, 1 for HTTP/1.1.</param>
/// <param name="Headers">The fields; values of a repeated field are joined by commas.</param>
internal sealed record HttpRequest(
    string Method, string Target, int MinorVersion, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>Whether the client may send another request on the connection (RFC 9112, 9.3).</summary>
    public bool KeepAlive
    {
        get
        {
            string connection = Header("Connection") ?? "";
            return MinorVersion >= 1
                ? !HasToken(connection, "close")
                : HasToken(connection, "keep-alive");
        }
    }

    /// <summary>A field's value, or null.</summary>
    public string? Header(string name) => Headers.GetValueOrDefault(name);

    private static bool HasToken(string list, string token) =>
        list.Split(',').Any(part => part.Trim().Equals(token, StringComparison.OrdinalIgnoreCase));
}

/// <summary>A request that is answered with an error, after which the connection is closed.</summary>
/// <param name="status">The status code.</param>
internal sealed class BadRequestException(int status) : Exception($"status {status}")
{
    /// <summary>The status code.</summary>
    public int Status { get; } = status;
}
