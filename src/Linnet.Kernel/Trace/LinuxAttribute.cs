namespace Linnet.Kernel.Trace;

/// <summary>
/// Names the Linux function that a method is the counterpart of. The tracer's events, the symbol map in the docs and
/// the test that holds the map to the naming rule all come from these attributes.
/// </summary>
/// <param name="symbol">The exact Linux symbol, for example <c>__sys_socket</c>.</param>
/// <param name="file">The file in Linux's tree, where it differs from the <see cref="LinuxFileAttribute"/> of the type.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class LinuxAttribute(string symbol, string? file = null) : Attribute
{
    /// <summary>The exact Linux symbol.</summary>
    public string Symbol { get; } = symbol;

    /// <summary>The file in Linux's tree, or null when the declaring type names it.</summary>
    public string? File { get; } = file;
}

/// <summary>Names the file in Linux's tree whose functions a type holds.</summary>
/// <param name="path">Path from the root of Linux's tree, for example <c>net/ipv4/af_inet.c</c>.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class LinuxFileAttribute(string path) : Attribute
{
    /// <summary>Path from the root of Linux's tree.</summary>
    public string Path { get; } = path;
}

/// <summary>Names the Linux struct that a type is the counterpart of.</summary>
/// <param name="name">The struct's tag, for example <c>sock_common</c>.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct)]
public sealed class LinuxStructAttribute(string name) : Attribute
{
    /// <summary>The struct's tag.</summary>
    public string Name { get; } = name;
}
