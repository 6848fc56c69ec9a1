using System.Text.Json;
using Linnet.Cli.Lab;
using Linnet.Testing;

namespace Linnet.Cli.Tests.Lab;

/// <summary><c>linnet up</c>.</summary>
public sealed class LabTests : IDisposable
{
    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-lab-");

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    public async Task Programs_on_two_hosts_find_each_other_by_name()
    {
        await File.WriteAllTextAsync(Path.Combine(root.FullName, "page"), "a page\n");
        CliRun run = await UpAsync($"""
            hosts:
              web:
                run: python3 -m http.server -d {root.FullName} 80
              client:
                wait_for: ['web:80']
                environment: {"{GREETING: hello}"}
                run: curl -s http://web/page; echo $GREETING; exit 5
            """);
        Assert.Equal(5, run.Status);
        Assert.Contains("client | a page", run.Lines);
        Assert.Contains("client | hello", run.Lines);
        Assert.Contains(run.Lines, line => line.StartsWith("web    | ", StringComparison.Ordinal) && line.Contains("GET /page"));
    }

    [Fact]
    public async Task Packets_go_through_a_router_that_can_be_cut()
    {
        CliRun run = await UpAsync("""
            networks:
              left: {subnet: 10.1.0.0/24}
              right: {subnet: 10.2.0.0/24, link: delay 2ms}
            hosts:
              one:
                networks: {left: 10.1.0.5}
                routes: [10.2.0.0/24 via 10.1.0.1]
                run: ping -c 1 -W 5 two && while ping -c 1 -W 1 two; do sleep 0.1; done; exit 9
              router:
                networks: {left: 10.1.0.1, right: 10.2.0.1}
                router: true
              two:
                networks: [right]
                routes: [10.1.0.0/24 via 10.2.0.1]
            events:
              - {at: 4s, cut: router}
            """);
        Assert.Equal(9, run.Status);
        Assert.Contains(run.Lines, line => line.Contains("64 bytes from two (10.2.0.2)") && line.Contains("ttl=63"));
        Assert.Contains("router | cut", run.Lines);
    }

    [Fact]
    public async Task Calls_are_shown_with_their_host()
    {
        CliRun run = await UpAsync("""
            hosts:
              two: {run: "nc -lk 80"}
              one: {wait_for: ['two:80'], run: "echo hi | nc -N two 80"}
            """, "--trace=calls");
        Assert.Matches(@"one nc\[\d+\] sent\(fd: \d+, ""hi\\n""\) = 3", run.Error);
        Assert.Matches(@"two nc\[\d+\] accept4\(", run.Error);
        Assert.Matches(@"two nc\[\d+\] received\(fd: \d+, ""hi\\n""\) = 3", run.Error);
    }

    [Theory]
    [InlineData("hosts: {a: {rum: x}}", ":1:13: 'rum' is none of")]
    [InlineData("hosts: {a: {run: x}}\nmain: b", ":2:7: there is no host 'b'")]
    [InlineData("hosts: {a: {networks: [moon], run: x}}", ":1:24: there is no network 'moon'")]
    [InlineData("hosts: {a: {run: x, wait_for: [b]}}", ":1:32: 'b' is not HOST:PORT")]
    [InlineData("hosts: {a: {run: x}}\nevents: [{at: soon, cut: a}]", ":2:15: 'soon' is no time")]
    [InlineData("hosts: {a: {run: x}}\npublish: ['80']", ":2:11: '80' is not HOSTPORT:HOST:PORT")]
    [InlineData("networks: {n: {subnet: here}}\nhosts: {a: {run: x}}", ":1:24: 'here' is no subnet")]
    [InlineData("hosts: {a: {run: x}}\nevents: [{at: 1s, link: delay x, on: a}]", ":2:25: Illegal \"latency\"")]
    [InlineData("networks: {n: {link: lost}}\nhosts: {a: {run: x}}", ":1:22: What is \"lost\"?")]
    [InlineData("networks: {n: {}}\nhosts: {a: {networks: {n: 10.9.9.9}, run: x}}", ":2:27: 10.9.9.9 is no address for a host of 10.0.0.0/24")]
    [InlineData("networks: {n: {}}\nhosts: {a: {networks: {n: 10.0.0.254}, run: x}}", "whose last is the gateway's")]
    [InlineData("networks: {n: {}}\nhosts: {a: {networks: {n: 10.0.0.9}}, b: {networks: {n: 10.0.0.9}, run: x}}", "10.0.0.9 is another host's already")]
    [InlineData("networks: {n: {subnet: 10.1.0.0/16}, m: {subnet: 10.1.2.0/24}}\nhosts: {a: {run: x}}", "the addresses of m are those of n")]
    [InlineData("hosts: {gateway: {run: x}}", ":1:18: 'gateway' is the way out already")]
    [InlineData("networks: {a: {}}\nhosts: {a: {networks: [a], run: x}}", "'a' is a network already")]
    [InlineData("hosts: {a: {run: x, wait_for: ['b:80']}}", ":1:32: there is no host 'b'")]
    [InlineData("hosts: {a: {run: x, wait_for: ['b:80']}, b: {}}", ":1:32: b has no program to 'run' that could be waited for")]
    [InlineData("hosts: {a: {run: x}}\nevents: [{at: 1s, cut: a, heal: a}]", ":2:10: an event is")]
    [InlineData("hosts: {a: {run: x}}\nevents: [{at: 1s, cut: a, on: a}]", ":2:10: an event is")]
    [InlineData("hosts: {a: {run: []}}", ":1:18: here stand a program and its arguments")]
    [InlineData("hosts: {a: }", "no host has a program to 'run'")]
    [InlineData("hosts: {a: {run: x, wait_timeout: 5s}}", ":1:35: there is nothing to 'wait_for'")]
    [InlineData("hosts: {a: {run: x, wait_for: ['a:80'], wait_timeout: long}}", ":1:55: 'long' is no time")]
    [InlineData("hosts: {a: {run: x, cwd: ''}}", ":1:26: here belongs a folder")]
    [InlineData("hosts: {a: {run: x, networks: []}}", ":1:31: a host is on one network at least")]
    [InlineData("networks: {n: {}, m: {}}\nhosts: {a: {run: x}}", ":2:12: there are several networks: which 'networks' is a on?")]
    [InlineData("hosts: {a b: {run: x}}", ":1:14: 'a b' is no name of letters")]
    [InlineData("networks: {-n: {}}\nhosts: {a: {run: x}}", ":1:16: '-n' is no name of letters")]
    [InlineData("hosts: {a: {run: x}, A: {run: x}}", ":1:25: 'A' is the name of a host already")]
    [InlineData("hosts: {host.linnet: {run: x}}", ":1:22: 'host.linnet' is the name of this computer already")]
    [InlineData("hosts: {a: {run: x}}\npublish: ['99999:a:1']", ":2:11: '99999:a:1' is not HOSTPORT:HOST:PORT, as 8080:web:80")]
    [InlineData("hosts:\n  a:\n    run: x\n\tb: y\n", ":4:")]
    [InlineData("hosts: [", "lab.yaml:")]
    [InlineData("main: a", ":1:1: a lab has 'hosts'")]
    public void What_is_wrong_is_told_with_line_and_column(string text, string expected)
    {
        UsageException wrong = Assert.Throws<UsageException>(() => LabReader.Read("lab.yaml", text));
        Assert.Contains(expected, wrong.Message);
        Assert.DoesNotContain('\n', wrong.Message);
    }

    [Fact]
    public async Task A_check_says_what_a_lab_has_and_runs_nothing()
    {
        string ran = Path.Combine(root.FullName, "ran");
        CliRun run = await UpAsync($"hosts: {{a: {{run: touch {ran}}}, b: {{run: x}}, c: }}", "--check");
        Assert.Equal((0, $"{LabPath}: 1 network, 3 hosts, 2 programs; it ends with that of b\n", ""), (run.Status, run.Output, run.Error));
        Assert.False(File.Exists(ran));
    }

    [Theory]
    [InlineData("hosts: {a: {run: getent hosts a, networks: {lan: 10.0.0.77}}}")]
    [InlineData("networks: {n: {subnet: 10.0.0.64/28}}\nhosts: {b: {networks: {n: 10.0.0.65}}, c: {}, d: {networks: {n: 10.0.0.67}}, a: {run: getent hosts a, networks: {n: 10.0.0.77}}}")]
    [InlineData("networks: {n: {subnet: 10.0.0.77/24}}\nhosts: {a: {run: getent hosts a, networks: {n: 10.0.0.77}}}")]
    public async Task Hosts_are_where_the_lab_says(string lab) =>
        Assert.Contains((await UpAsync(lab)).Lines, line => line.StartsWith("a | 10.0.0.77 ", StringComparison.Ordinal));

    [Fact]
    public async Task A_network_that_is_too_small_is_told_with_the_host_that_does_not_fit()
    {
        CliRun run = await UpAsync("networks: {n: {subnet: 10.0.0.0/29}}\nhosts: {a: {run: x}, b: , c: , d: , e: , f: }", "--check");
        Assert.Equal((2, $"linnet: {LabPath}:2:45: network n has no address left\n"), (run.Status, run.Error));
    }

    [Theory]
    [InlineData("hosts: {a: {run: x, routes: [10.9.0.0/24 via 10.8.0.1]}}", ":1:30: route '10.9.0.0/24 via 10.8.0.1': ")]
    [InlineData("hosts: {a: {run: x, nothing: y}}", ":1:21: 'nothing' is none of")]
    public async Task A_check_finds_what_would_be_told_at_the_start(string lab, string expected)
    {
        CliRun run = await UpAsync(lab, "--check");
        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.StartsWith($"linnet: {LabPath}{expected}", run.Error);
        Assert.Equal(run.Error, (await UpAsync(lab)).Error);
    }

    [Fact]
    public async Task A_check_reads_the_policy_too()
    {
        CliRun run = await UpAsync("hosts: {a: {run: x}}", "--check", "--policy", "/no/such/file");
        Assert.Equal((2, ""), (run.Status, run.Output));
        Assert.Contains("/no/such/file", run.Error);
    }

    [Fact]
    public async Task A_program_starts_in_its_folder_which_is_found_from_the_file()
    {
        Directory.CreateDirectory(Path.Combine(root.FullName, "sub"));
        Assert.Contains($"a | {root.FullName}/sub", (await UpAsync("hosts: {a: {cwd: sub, run: pwd}}")).Lines);
        CliRun missing = await UpAsync("hosts: {a: {cwd: ../nowhere-at-all, run: pwd}}");
        Assert.Equal((1, $"linnet: a: there is no folder {Path.GetDirectoryName(root.FullName)}/nowhere-at-all\n"), (missing.Status, missing.Error));
    }

    [Fact]
    public async Task Waiting_says_what_for_and_has_a_limit()
    {
        CliRun run = await UpAsync("hosts: {a: {run: sleep 100}, b: {run: echo never, wait_for: ['a:80'], wait_timeout: 3200ms}}");
        Assert.Equal((1, "linnet: b waits for a:80, which took no connection in 3200ms\n"), (run.Status, run.Error));
        Assert.Equal(["b | waits for a:80"], run.Lines.Where(line => line.StartsWith('b')));
    }

    [Fact]
    public async Task A_server_that_goes_into_the_background_is_waited_for()
    {
        CliRun run = await UpAsync("""
            hosts:
              a: {run: "setsid sh -c 'sleep 0.5; exec nc -lk 80' > /dev/null 2>&1 & exit 0"}
              b: {run: echo there, wait_for: ['a:80']}
            """);
        Assert.Equal((0, ""), (run.Status, run.Error));
        Assert.Contains("b | there", run.Lines);
    }

    [Fact]
    public async Task Programs_read_nothing()
    {
        CliRun run = await UpAsync("hosts: {a: {run: readlink /proc/self/fd/0; wc -c}}");
        Assert.Equal(["a | /dev/null", "a | 0"], run.Lines);
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("QUIT", 131)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task A_signal_asks_the_programs_to_end(string signal, int status)
    {
        (int ended, string output, string error) = await RealUpAsync($"""
            hosts:
              b: {"{run: \"trap 'echo asked; exit' TERM; while :; do sleep 0.1; done\"}"}
              a: {"{run: \"trap 'echo asked; exit' TERM; echo up; sleep 0.5; kill -"}{signal}{" $PPID; while :; do sleep 0.1; done\"}"}
            """);
        Assert.Equal((status, ""), (ended, error));
        Assert.Contains("a | asked\n", output);
        Assert.Contains("b | asked\n", output);
    }

    [Fact]
    public async Task A_lab_whose_output_nobody_reads_ends()
    {
        await File.WriteAllTextAsync(LabPath, """
            hosts:
              a: {run: "trap 'echo $0 > tidied; exit' TERM; while :; do echo line; sleep 0.1; done", cwd: .}
            """);
        (int status, string output, string _) = await RealRun.StartShell($"{{ $LINNET up {LabPath}; echo $? >&2; }} | head -1").EndAsync();
        Assert.Equal((0, "a | line\n"), (status, output));
        Assert.True(File.Exists(Path.Combine(root.FullName, "tidied")));
    }

    [Fact]
    public async Task A_second_signal_kills_them()
    {
        (int status, string output, string error) = await RealUpAsync("""
            hosts:
              a: {run: "trap 'kill -INT $PPID; sleep 1.7; echo survived' TERM; kill -INT $PPID; while :; do sleep 0.1; done"}
            """);
        Assert.Equal((130, ""), (status, error));
        Assert.DoesNotContain("survived", output);
    }

    [Fact]
    public async Task The_schema_has_the_keys_that_are_read()
    {
        using JsonDocument schema = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "lab.schema.json")));
        JsonElement definitions = schema.RootElement.GetProperty("definitions");
        Assert.Equal(LabReader.LabKeys.Order(), Keys(schema.RootElement));
        Assert.Equal(LabReader.NetworkKeys.Order(), Keys(definitions.GetProperty("network")));
        Assert.Equal(LabReader.HostKeys.Order(), Keys(definitions.GetProperty("host")));
        Assert.Equal(LabReader.EventKeys.Order(), Keys(definitions.GetProperty("event")));

        static IEnumerable<string> Keys(JsonElement type)
        {
            Assert.False(type.GetProperty("additionalProperties").GetBoolean());
            return type.GetProperty("properties").EnumerateObject().Select(property => property.Name).Order();
        }
    }

    [Fact]
    public async Task A_program_that_is_not_there_ends_the_lab()
    {
        CliRun run = await UpAsync("hosts: {a: {run: [no-such-program]}, b: {run: sleep 100}}");
        Assert.Equal(1, run.Status);
        Assert.Equal("linnet: a: no-such-program: No such file or directory\n", run.Error);
    }

    [Fact]
    public async Task Waiting_for_a_program_that_has_ended_ends_the_lab()
    {
        CliRun run = await UpAsync("hosts: {a: {run: exit 3}, b: {run: echo never, wait_for: ['a:80']}}");
        Assert.Equal(1, run.Status);
        Assert.Equal("linnet: b waits for a:80, but the program of a has ended with status 3\n", run.Error);
        Assert.DoesNotContain("b | never", run.Lines);
    }

    [Fact]
    public async Task What_still_runs_at_the_end_may_tidy_up()
    {
        CliRun run = await UpAsync("""
            hosts:
              server: {run: "trap 'echo tidied; exit' TERM; nc -lk 80 & while :; do sleep 1; done"}
              client: {run: "exit 0", wait_for: ['server:80']}
            """);
        Assert.Equal(0, run.Status);
        Assert.Contains("server | tidied", run.Lines);
    }

    private string LabPath => Path.Combine(root.FullName, "lab.yaml");

    private async Task<(int Status, string Output, string Error)> RealUpAsync(string lab)
    {
        await File.WriteAllTextAsync(LabPath, lab);
        return await RealRun.Start(new Dictionary<string, string>(), "up", LabPath).EndAsync();
    }

    private async Task<CliRun> UpAsync(string lab, params string[] options)
    {
        await File.WriteAllTextAsync(LabPath, lab);
        return await CliRun.RunAsync(TimeSpan.FromSeconds(60), ["up", .. options, LabPath]);
    }
}
