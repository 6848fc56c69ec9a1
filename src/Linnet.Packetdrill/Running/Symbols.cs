using System.Collections.Frozen;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Packetdrill.Running;

/// <summary>The numbers behind the names in calls: the constants of Linux's headers, and a few of libcap's.</summary>
internal static class Symbols
{
    private static readonly FrozenDictionary<string, long> Others = new Dictionary<string, long>
    {
        ["NULL"] = 0,
        ["CAP_EFFECTIVE"] = 0,
        ["CAP_PERMITTED"] = 1,
        ["CAP_INHERITABLE"] = 2,
        ["CAP_CLEAR"] = 0,
        ["CAP_SET"] = 1,
    }.ToFrozenDictionary();

    /// <summary>The number of a name.</summary>
    /// <exception cref="CallFailure">There is none of that name.</exception>
    public static long Value(string name)
    {
        if (Others.TryGetValue(name, out long value) || UapiConstants.TryGet(name, out value))
            return value;
        throw new CallFailure($"unknown symbol: '{name}'");
    }
}
