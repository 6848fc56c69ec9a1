using System.Diagnostics;
using System.Text;
using Linnet.Cli.Watch;

namespace Linnet.Cli.Tests.Watch;

/// <summary>Keys and output of the live view, and all of it on a terminal.</summary>
public sealed class LiveViewTests
{
    [Fact]
    public void Keys_change_links()
    {
        using Network network = Network.Simulate();
        Cables cables = new();
        Host gateway = network.AddHost("gateway");
        foreach (string name in (string[])["web", "client"])
            cables.Add(name, "lan", network.Connect(network.AddHost(name), "10.0.0.1/24", gateway, "10.0.0.2/24"));
        int ended = 0;
        KeyReader keys = new(new LinkControl(cables), () => ended++);
        Assert.Contains("q end", keys.Prompt.ToString());
        Type("lweb delay 5mx\x7fs");
        Assert.Equal("link [HOST|NETWORK] WORDS: web delay 5ms_", keys.Prompt.ToString());
        Type("\r");
        Assert.Equal("web  lan  delay 5ms", keys.Prompt.ToString());
        Type("lrate x\r");
        Assert.Equal("link: Illegal \"rate\"", keys.Prompt.ToString());
        Type("cclient\n");
        Assert.True(cables.Of("client")[0].IsCut);
        Type("cclient\n");
        Assert.False(cables.Of("client")[0].IsCut);
        Type("cnobody\n");
        Assert.Equal("there is no host 'nobody'", keys.Prompt.ToString());
        Type("lq");
        Type("\e[A");
        Type("\e");
        Assert.Equal(0, ended);
        Type("q");
        Assert.Equal(1, ended);

        void Type(string text) => keys.Take(Encoding.UTF8.GetBytes(text));
    }

    [Fact]
    public void Output_is_kept_as_it_was()
    {
        using OutputStore store = new();
        byte[] bytes = [0xE6, 0xBC, 0xA2, 0xFF, (byte)'\n'];
        store.Add(isError: false, "one\ntw"u8);
        store.Add(isError: true, "error\n"u8);
        store.Add(isError: false, bytes.AsSpan(0, 2));
        store.Add(isError: false, bytes.AsSpan(2));
        new StoreWriter(store, isError: true).WriteLine("last");
        store.Add(isError: false, "begun"u8);
        Assert.Equal(["one", "error", "tw漢\uFFFD", "last", "begun"], store.Last());
        using MemoryStream output = new(), error = new();
        store.CopyTo(output, error);
        Assert.Equal([.. "one\ntw"u8, .. bytes, .. "begun"u8], output.ToArray());
        Assert.Equal("error\nlast\n"u8.ToArray(), error.ToArray());
    }

    [Fact]
    public async Task Without_a_terminal_it_says_so()
    {
        ProcessStartInfo start = new("setsid", ["-w", RealRun.Program, "run", "--watch", "--", "true"]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Assert.Equal("linnet: --watch needs a terminal, and there is none\n", await process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.Equal(2, process.ExitCode);
    }

    [Fact]
    public async Task The_terminal_gets_back_its_screen_and_all_output()
    {
        // Output and errors come by two pipes.
        string command = $"{RealRun.Program} run --watch -- sh -c 'echo out; sleep 0.5; echo err >&2; exit 3'; echo status $?; stty -a";
        ProcessStartInfo start = new("script", ["-qec", command, "/dev/null"]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        using Process process = Process.Start(start)!;
        string all = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        int begin = all.IndexOf("\e[?1049h", StringComparison.Ordinal), end = all.IndexOf("\e[?1049l", StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin);
        Assert.Contains("linnet", all[begin..end]);
        string after = all[(end + "\e[?1049l".Length)..];
        Assert.StartsWith("out\r\nerr\r\nlinnet: there were no connections of TCP\r\nstatus 3\r\n", after);
        Assert.Contains(" icanon", after);
        Assert.Contains(" echo ", after);
        Assert.Contains("susp = ^Z", after);
    }
}
