using System.Globalization;
using System.Text.RegularExpressions;

namespace Linnet.Programs.Tests.Infrastructure;

/// <summary>What wrk says at its end.</summary>
internal static partial class Wrk
{
    /// <summary>Fails the test unless many requests were answered, all of them rightly.</summary>
    public static void AssertServed(string text)
    {
        Assert.DoesNotContain("Socket errors", text);
        Assert.DoesNotContain("Non-2xx", text);
        Assert.True(int.Parse(Requests().Match(text).Groups[1].Value, CultureInfo.InvariantCulture) > 100, text);
    }

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Requests();
}
