using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Linnet.Cli.Watch;

namespace Linnet.Cli.Tests.Watch;

/// <summary>Links that are changed by hand.</summary>
[SupportedOSPlatform("linux")]
public sealed class LinkTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-link-");
    private readonly Network network = Network.Simulate();
    private readonly Cables cables = new();

    public LinkTests()
    {
        Host gateway = network.AddHost("gateway");
        for (int i = 1; i <= 2; i++)
        {
            Host host = network.AddHost(i == 1 ? "web" : "client");
            cables.Add(host.Name, "lan", network.Connect(host, $"10.0.{i}.1/24", gateway, $"10.0.{i}.2/24"));
        }
    }

    public void Dispose()
    {
        network.Dispose();
        root.Delete(recursive: true);
    }

    [Theory]
    [InlineData("", 0, "web     lan\nclient  lan\n")]
    [InlineData("web", 0, "web  lan\n")]
    [InlineData("delay 50ms", 0, "web     lan  delay 50ms\nclient  lan  delay 50ms\n")]
    [InlineData("lan loss 1%", 0, "web     lan  loss 1%\nclient  lan  loss 1%\n")]
    [InlineData("web delay 5ms 1ms rate 20mbit", 0, "web  lan  delay 5ms 1ms rate 20Mbit\n")]
    [InlineData("web cut", 0, "web  lan  cut\n")]
    [InlineData("web delay", 2, "link: Command line is not complete. Try option \"help\"")]
    [InlineData("web delay 50xx", 2, "link: Illegal \"latency\"")]
    [InlineData("web cut off", 2, "link: 'off' behind cut makes no sense")]
    [InlineData("wbe delay 5ms", 2, "link: 'wbe' is no host or network, nor a word of netem's; there are web, lan, client")]
    [InlineData("reorder 5%", 2, "link: reordering not possible without specifying some delay")]
    public void Words_are_answered(string words, int status, string text) =>
        Assert.Equal(new LinkAnswer(status, text), Say(words));

    [Fact]
    public void What_is_not_said_any_more_ends()
    {
        Say("web rate 1mbit loss 5%");
        Assert.Equal("web  lan  delay 5ms\n", Say("web delay 5ms").Text);
        Assert.Equal("web  lan\n", Say("web clear").Text);
    }

    [Fact]
    public void Wrong_words_change_nothing()
    {
        Say("delay 5ms");
        Assert.Equal(2, Say("rate 5apples").Status);
        Assert.Equal("web     lan  delay 5ms\nclient  lan  delay 5ms\n", Say("").Text);
    }

    [Fact]
    public void A_host_that_is_cut_can_be_healed()
    {
        LinkControl control = new(cables);
        control.Do(["web", "cut"]);
        Assert.True(control.IsCut("web"));
        Assert.False(cables.Of("web")[0].Link.One.Device.IsRunning);
        control.Do(["web", "heal"]);
        Assert.False(control.IsCut("web"));
        Assert.True(cables.Of("web")[0].Link.One.Device.IsRunning);
    }

    [Fact]
    public async Task Another_process_finds_the_one_that_runs()
    {
        LinkFolder folder = new(Path.Combine(root.FullName, "linnet"));
        LinkClient client = new(folder);
        await Assert.ThrowsAsync<FailureException>(() => client.SayAsync(null, []));
        await using (LinkServer? server = LinkServer.Start(new LinkControl(cables), folder))
        {
            Assert.NotNull(server);
            Assert.Equal(new LinkAnswer(0, "web  lan  delay 7ms\n"), await client.SayAsync(null, ["web", "delay", "7ms"]));
            Assert.Equal(2, (await client.SayAsync(Environment.ProcessId, ["delay", "7mx"])).Status);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(root.FullName + "/linnet"));
        }

        Assert.Empty(Directory.GetFileSystemEntries(root.FullName + "/linnet"));
    }

    [Fact]
    public async Task What_processes_left_that_are_gone_is_taken_away_and_several_are_told_apart()
    {
        LinkFolder folder = new(root.FullName);
        using Process gone = Process.Start("true");
        await gone.WaitForExitAsync();
        using Socket left = Listen(folder.PathOf(gone.Id));
        left.Close();

        // .NET takes the file away with the socket.
        await File.WriteAllTextAsync(folder.PathOf(gone.Id), "");
        using Socket other = Listen(folder.PathOf(Process.GetCurrentProcess().Id));
        Assert.Equal([Environment.ProcessId], folder.Running());
        Assert.False(File.Exists(folder.PathOf(gone.Id)));
        using Process sleeping = Process.Start("sleep", "100");
        using Socket second = Listen(folder.PathOf(sleeping.Id));
        UsageException several = await Assert.ThrowsAsync<UsageException>(() => new LinkClient(folder).SayAsync(null, []));
        Assert.Contains($"{sleeping.Id} (sleep 100)", several.Message);
        sleeping.Kill();
    }

    [Fact]
    public void A_folder_that_others_may_look_into_is_not_used()
    {
        File.SetUnixFileMode(root.FullName, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);
        Assert.Null(LinkServer.Start(new LinkControl(cables), new LinkFolder(root.FullName)));
    }

    [Fact]
    public async Task The_command_changes_the_link_of_a_program_that_runs()
    {
        Dictionary<string, string> environment = new() { ["XDG_RUNTIME_DIR"] = root.FullName };
        Assert.Equal(
            (1, "", "linnet: no linnet run or linnet up of yours is running\n"), await RealRun.Start(environment, "link", "cut").EndAsync());
        string script = "until linnet=$(timeout 9 $LINNET link 2>&1) && test \"$linnet\"; do :; done; timeout 9 $LINNET link linnet loss 3%; echo; $LINNET link loss x";
        environment["LINNET"] = RealRun.Program;
        (int status, string output, string error) = await RealRun.Start(environment, "run", "--", "sh", "-c", script).EndAsync();
        Assert.Equal((2, "linnet  gateway  loss 3%\n\n", "linnet: link: loss: unknown model \"x\"\n"), (status, output, error));
    }

    private LinkAnswer Say(string words) => new LinkControl(cables).Do(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static Socket Listen(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return socket;
    }
}
