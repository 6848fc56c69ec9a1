namespace Linnet.Kernel.Trace;

/// <summary>Text that the weaver (build/Linnet.Weaver) puts in place of these empty strings when it has read the assembly.</summary>
internal static class WovenTables
{
    /// <summary>A line for each method with <see cref="LinuxAttribute"/>; see <see cref="TracePoint"/>.</summary>
    public static string TracePoints() => "";

    /// <summary>A line for each constant of <c>Linnet.Kernel.Uapi</c>: header class, name, value.</summary>
    public static string Constants() => "";
}
