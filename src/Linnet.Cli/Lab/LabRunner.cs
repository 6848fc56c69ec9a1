using System.Collections.Concurrent;
using System.ComponentModel;
using System.IO.Pipes;
using System.Net;
using System.Net.Sockets;
using Linnet.Cli.Run;
using Linnet.Cli.Watch;
using Linnet.Kernel.Uapi;
using Linnet.Linux;

namespace Linnet.Cli.Lab;

/// <summary>Runs a lab.</summary>
/// <param name="terminal">Where the programs' output goes.</param>
/// <param name="lab">The lab.</param>
/// <param name="options">What was asked for beside it.</param>
internal sealed class LabRunner(Terminal terminal, LabFile lab, CommonOptions options)
{
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ConnectInterval = TimeSpan.FromMilliseconds(50);

    private readonly Lock output = new();
    private readonly List<LinuxProgram> programs = [];
    private readonly List<Task> readers = [];
    private readonly ConcurrentDictionary<string, Task<int>> running = [];

    /// <summary>Runs it until its main program ends.</summary>
    /// <returns>That program's exit status.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        await using FileStream? capture = CaptureFile.Open(options.Pcap);
        using Network network = new(new NetworkOptions { Seed = options.Seed, Capture = capture });
        LabNet net = new(network, lab);
        await using LiveView? live = LiveView.Start(options.Watch, terminal, network, net.Cables, "up");
        terminal = live?.Terminal ?? terminal;
        using Refusals? refusals = Refusals.Enforce(network, options.Policy, terminal, showHost: true);
        net.Cables.Happened += Say;
        await using LinkServer? links = LinkServer.Start(new LinkControl(net.Cables), LinkFolder.Default);
        await using Gateway gateway = new(net.Gateway, net.Names, lab.Egress);
        List<IDisposable> resolvers = [.. net.Hosts.Values.Select(host => new LoopbackResolver(host, gateway))];
        using Tracing? tracing = Tracing.Open(options, terminal, [.. net.Hosts.Values]);
        List<IPublishedPort> ports = [];
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        try
        {
            foreach (LabPort port in lab.Publish)
                ports.Add(port.Address.Open(net.Gateway, net.Hosts[port.Host].Address));
            using Supervisor supervisor = new() { Observer = tracing?.Calls, StopsData = refusals?.AsksAboutData == true };
            live?.Follow(supervisor, over);
            Task<int> main = RunProgramsAsync(supervisor, net, over.Token);
            Task events = PlayAsync(net, over.Token);
            int status = await main;
            await over.CancelAsync();
            await events;
            await new Draining(network, supervisor, gateway, ports).RunAsync(RunSupport.Patience);
            return status;
        }
        finally
        {
            await over.CancelAsync();
            resolvers.ForEach(resolver => resolver.Dispose());
            foreach (IPublishedPort port in ports)
                await port.DisposeAsync();
            if (options.Report)
                Lacks.Report(network, terminal, showHost: true);
        }
    }

    private async Task<int> RunProgramsAsync(Supervisor supervisor, LabNet net, CancellationToken over)
    {
        try
        {
            foreach (LabHost host in lab.Hosts.Where(host => host.Run.Count > 0))
                running[host.Name] = RunProgramAsync(supervisor, net, host, over);

            // A program that cannot be started ends the lab, whichever it is.
            List<Task<int>> others = [.. running.Values];
            while (true)
            {
                Task<int> ended = await Task.WhenAny(others);
                if (ended == running[lab.Main] || ended.IsFaulted || over.IsCancellationRequested)
                    return await ended;
                others.Remove(ended);
            }
        }
        finally
        {
            LinuxProgram[] left;
            lock (programs)
                left = [.. programs];
            foreach (LinuxProgram program in left)
                program.SignalAll(SignalH.SIGTERM);
            await Task.WhenAny(Task.WhenAll(left.Select(program => program.AllEnded)), Task.Delay(StopPatience, CancellationToken.None));
            foreach (LinuxProgram program in left)
                program.Dispose();
            await Task.WhenAny(Task.WhenAll(readers), Task.Delay(DrainLimit, CancellationToken.None));
        }
    }

    private async Task<int> RunProgramAsync(Supervisor supervisor, LabNet net, LabHost host, CancellationToken over)
    {
        foreach ((string server, ushort port) in host.WaitFor)
            await WaitForAsync(net, host.Name, server, port, over);
        AnonymousPipeServerStream pipe = new(PipeDirection.In, HandleInheritability.None);
        using FileStream nothing = new("/dev/null", FileMode.Open, FileAccess.Read);
        Dictionary<string, string> variables = RunSupport.Variables();
        foreach ((string name, string value) in host.Environment)
            variables[name] = value;
        LinuxProgram program;
        try
        {
            int end = (int)pipe.ClientSafePipeHandle.DangerousGetHandle();
            program = LinuxProgram.Start(supervisor, net.Hosts[host.Name], new ProgramStart
            {
                FileName = host.Run[0],
                Arguments = [.. host.Run.Skip(1)],
                StopsData = supervisor.StopsData,
                Environment = variables,
                Descriptors = new Dictionary<int, int> { [0] = (int)nothing.SafeFileHandle.DangerousGetHandle(), [1] = end, [2] = end },
            });
        }
        catch (Win32Exception e)
        {
            await pipe.DisposeAsync();
            throw new FailureException($"{host.Name}: {e.Message}");
        }

        pipe.DisposeLocalCopyOfClientHandle();
        lock (programs)
        {
            programs.Add(program);
            readers.Add(ShowAsync(host.Name, pipe));
        }

        int status = await program.Ended.WaitAsync(over);
        if (host.Name != lab.Main)
            Say(host.Name, $"ended with status {status}", Ink.Faint);
        return status;
    }

    private async Task ShowAsync(string name, Stream pipe)
    {
        using StreamReader reader = new(pipe);
        while (await reader.ReadLineAsync() is { } line)
            Say(name, line, Ink.Plain);
    }

    private void Say(string name, string text, Ink ink)
    {
        int width = lab.Hosts.Max(host => host.Name.Length);
        lock (output)
            terminal.Write(new Line().Add(name.PadRight(width) + " | ", Ink.Accent).Add(text, ink));
    }

    private void Say(LabEvent happening)
    {
        string what = happening.Action.ToString().ToLowerInvariant();
        Say(happening.Target, happening.Link == null ? what : $"{what}: {happening.Link}", Ink.Faint);
    }

    private async Task WaitForAsync(LabNet net, string from, string server, ushort port, CancellationToken over)
    {
        while (true)
        {
            try
            {
                await using LinnetStream connection = await net.Hosts[from].ConnectAsync(new IPEndPoint(net.Hosts[server].Address, port), over);
                return;
            }
            catch (SocketException)
            {
                if (running.TryGetValue(server, out Task<int>? program) && program.IsCompletedSuccessfully)
                    throw new FailureException($"{from} waits for {server}:{port}, but the program of {server} has ended with status {await program}");
                await Task.Delay(ConnectInterval, over);
            }
        }
    }

    private async Task PlayAsync(LabNet net, CancellationToken over)
    {
        long start = Environment.TickCount64;
        try
        {
            foreach (LabEvent happening in lab.Events)
            {
                TimeSpan left = happening.At - TimeSpan.FromMilliseconds(Environment.TickCount64 - start);
                if (left > TimeSpan.Zero)
                    await Task.Delay(left, over);
                net.Cables.Apply(happening);
            }
        }
        catch (OperationCanceledException)
        {
            // The lab is over.
        }
    }
}
