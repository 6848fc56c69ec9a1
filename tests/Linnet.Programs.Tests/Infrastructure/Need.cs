namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>What a test asks of the computer.</summary>
internal static class Need
{
    // Debian keeps servers where a user's PATH may not lead.
    private static readonly string[] Folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin"];

    /// <summary>Skips the test where programs are not installed; <c>./test</c> installs them where it may.</summary>
    public static void Programs(params string[] names)
    {
        string[] missing = [.. names.Where(name => Find(name) == null)];
        if (missing.Length > 0)
            Assert.Skip($"{string.Join(", ", missing)}: not installed");
    }

    /// <summary>The full name of a program.</summary>
    /// <returns>Null when there is none.</returns>
    public static string? Find(string name) => Folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
