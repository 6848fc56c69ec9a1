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
    public Task<int> RunAsync(CancellationToken cancellation) => RunSession.RunAsync(
        terminal, options, "up", network => new LabNet(network, lab), session => RunAsync(session, cancellation));

    private async Task<int> RunAsync(RunSession session, CancellationToken cancellation)
    {
        terminal = session.Terminal;
        session.Net.Cables.Happened += Say;
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        session.Live?.Follow(session.Supervisor, over);
        Task events = PlayAsync(session.Net.Cables, over.Token);
        try
        {
            return await RunProgramsAsync(session, over.Token);
        }
        finally
        {
            await over.CancelAsync();
            await events;
        }
    }

    private async Task<int> RunProgramsAsync(RunSession session, CancellationToken over)
    {
        try
        {
            foreach (LabHost host in lab.Hosts.Where(host => host.Run.Count > 0))
                running[host.Name] = RunProgramAsync(session, host, over);

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

    private async Task<int> RunProgramAsync(RunSession session, LabHost host, CancellationToken over)
    {
        foreach ((string server, ushort port) in host.WaitFor)
            await WaitForAsync(session.Net, host.Name, server, port, over);
        AnonymousPipeServerStream pipe = new(PipeDirection.In, HandleInheritability.None);
        using FileStream nothing = new("/dev/null", FileMode.Open, FileAccess.Read);
        Dictionary<string, string> variables = RunSupport.Variables();
        foreach ((string name, string value) in host.Environment)
            variables[name] = value;
        LinuxProgram program;
        try
        {
            int end = (int)pipe.ClientSafePipeHandle.DangerousGetHandle();
            program = LinuxProgram.Start(session.Supervisor, session.Net.Hosts[host.Name], new ProgramStart
            {
                FileName = host.Run[0],
                Arguments = [.. host.Run.Skip(1)],
                StopsData = session.Supervisor.StopsData,
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

    private async Task WaitForAsync(ProgramNet net, string from, string server, ushort port, CancellationToken over)
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

    private async Task PlayAsync(Cables cables, CancellationToken over)
    {
        long start = Environment.TickCount64;
        try
        {
            foreach (LabEvent happening in lab.Events)
            {
                TimeSpan left = happening.At - TimeSpan.FromMilliseconds(Environment.TickCount64 - start);
                if (left > TimeSpan.Zero)
                    await Task.Delay(left, over);
                cables.Apply(happening);
            }
        }
        catch (OperationCanceledException)
        {
            // The lab is over.
        }
    }
}
