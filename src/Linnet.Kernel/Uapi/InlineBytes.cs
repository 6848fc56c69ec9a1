using System.Runtime.CompilerServices;

namespace Linnet.Kernel.Uapi;

/// <summary>Eight bytes in place, as a C array in a struct.</summary>
[InlineArray(8)]
public struct Bytes8
{
    private byte _first;
}

/// <summary>Fourteen bytes in place, as a C array in a struct.</summary>
[InlineArray(14)]
public struct Bytes14
{
    private byte _first;
}

/// <summary>Sixteen bytes in place, as a C array in a struct.</summary>
[InlineArray(16)]
public struct Bytes16
{
    private byte _first;
}

/// <summary>The path of a <c>sockaddr_un</c>.</summary>
[InlineArray(108)]
public struct Bytes108
{
    private byte _first;
}

/// <summary>A <c>sockaddr_storage</c> in place.</summary>
[InlineArray(128)]
public struct Bytes128
{
    private byte _first;
}
