namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>The source tree that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>Its root: the nearest directory above the test program that has the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A path inside of it.</summary>
    public static string PathOf(params string[] parts) => Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        for (var directory = new DirectoryInfo(AppContext.BaseDirectory); directory != null; directory = directory.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(directory.FullName, "Linnet.slnx")))
                return directory.FullName;
        }

        throw new InvalidOperationException("the tests do not run inside of the source tree");
    }
}
