using System.Globalization;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>A constant of the UAPI.</summary>
/// <param name="Header">The class under <c>Uapi/</c> that holds it.</param>
/// <param name="Name">Linux's name.</param>
/// <param name="Value">Its value; unsigned 64-bit ones wrap.</param>
public readonly record struct UapiConstant(string Header, string Name, long Value);

/// <summary>The names of all constants of <c>Linnet.Kernel.Uapi</c>, without reflection.</summary>
public static class UapiConstants
{
    private static readonly Lazy<UapiConstant[]> Table = new(Load);
    private static readonly Lazy<Dictionary<string, UapiConstant>> ByName = new(Index);

    /// <summary>All constants, by header, in the order in which they are declared.</summary>
    public static IReadOnlyList<UapiConstant> All => Table.Value;

    /// <summary>Finds a constant by its exact name.</summary>
    public static bool TryGet(string name, out long value)
    {
        bool found = ByName.Value.TryGetValue(name, out UapiConstant constant);
        value = constant.Value;
        return found;
    }

    private static UapiConstant[] Load() =>
        [.. WovenTables.Constants().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('\t'))
            .Select(parts => new UapiConstant(parts[0], parts[1], long.Parse(parts[2], CultureInfo.InvariantCulture)))];

    private static Dictionary<string, UapiConstant> Index()
    {
        Dictionary<string, UapiConstant> index = new(StringComparer.Ordinal);
        foreach (UapiConstant constant in Table.Value)
            index.TryAdd(constant.Name, constant);
        return index;
    }
}
