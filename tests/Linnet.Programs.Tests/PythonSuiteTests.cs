namespace Linnet.Programs.Tests;

/// <summary>Python's own tests: those that pass on the kernel pass on Linnet, but for the ones that <c>docs/python-tests.txt</c> has.</summary>
public sealed class PythonSuiteTests : IDisposable
{
    private readonly RealLab lab = new();

    public PythonSuiteTests() => PythonSuite.Need();

    public void Dispose() => lab.Dispose();

    // AF_VSOCK is the host's; there it may wait for ever.
    [Theory]
    [InlineData("test.test_socket", "-*VSOCK*")]
    [InlineData(
        "test.test_asyncio.test_events", "test.test_asyncio.test_sock_lowlevel", "test.test_asyncio.test_streams",
        "test.test_asyncio.test_server", "test.test_asyncio.test_sendfile")]
    [InlineData(
        "test.test_socketserver", "test.test_epoll", "test.test_select", "test.test_asyncore", "test.test_asynchat", "test.test_httplib",
        "test.test_httpservers", "test.test_urllib2_localnet", "test.test_smtplib", "test.test_ftplib")]
    public async Task What_passes_on_the_kernel_passes_on_Linnet(params string[] names)
    {
        PythonDifferences known = new(await File.ReadAllLinesAsync(
            Path.Combine(AppContext.BaseDirectory, "python-tests.txt"), TestContext.Current.CancellationToken));
        (Dictionary<string, bool> passed, string errors) = await new PythonSuite(lab).CompareAsync(names, known);
        Assert.True(passed.Count > 100, $"only {passed.Count} tests passed on the kernel");
        string[] failed = [.. passed.Keys.Where(name => !passed[name] && !known.MayFail(name)).Order(StringComparer.Ordinal)];
        Assert.True(failed.Length == 0, $"do not pass on Linnet:\n{string.Join('\n', failed)}\n\n{errors}");
        string[] mended = [.. passed.Keys.Where(name => passed[name] && known.HasToFail(name)).Order(StringComparer.Ordinal)];
        Assert.True(mended.Length == 0, $"pass on Linnet, so take them out of docs/python-tests.txt:\n{string.Join('\n', mended)}");
    }
}
