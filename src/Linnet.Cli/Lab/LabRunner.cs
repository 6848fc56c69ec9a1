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
    private static readonly TimeSpan SilentWait = TimeSpan.FromSeconds(3);

    private readonly Lock gate = new();
    private readonly Dictionary<string, LinuxProgram> programs = [];
    private readonly List<Task> readers = [];
    private readonly LabEnding ending = new();

    /// <summary>Runs it until its main program ends.</summary>
    /// <param name="cancellation">Ends it as SIGTERM does.</param>
    /// <returns>That program's exit status, or that of who was ended by a signal.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        using Signals signals = new(Signals.ToEnd, ending.Take);
        await using CancellationTokenRegistration registration = cancellation.Register(() => ending.Take(SignalH.SIGTERM));
        int status = await RunSession.RunAsync(terminal, options, "up", network => new LabNet(network, lab), RunAsync, ending.Hurried);
        return ending.Signal is { } signal ? Signals.StatusOf(signal) : status;
    }

    private async Task<int> RunAsync(RunSession session)
    {
        LabOutput output = new(session.Terminal, lab.Hosts.Select(host => host.Name)) { Gone = () => ending.Take(SignalH.SIGPIPE) };
        session.Net.Cables.Happened += happening => Say(output, happening);
        session.Live?.Follow(session.Supervisor, () => ending.Take(SignalH.SIGTERM));
        Task events = PlayAsync(session.Net.Cables);
        try
        {
            return await RunProgramsAsync(session, output);
        }
        finally
        {
            ending.Begin();
            await EndProgramsAsync();
            await events;
        }
    }

    private async Task<int> RunProgramsAsync(RunSession session, LabOutput output)
    {
        Dictionary<Task<int>, string> running =
            lab.Hosts.Where(host => host.Run.Count > 0).ToDictionary(host => RunProgramAsync(session, output, host), host => host.Name);
        while (true)
        {
            Task<int> ended = await Task.WhenAny(running.Keys);

            // A program that cannot be started ends the lab, whichever it is.
            if (!ended.IsCanceled && (running[ended] == lab.Main || ended.IsFaulted))
                return await ended;

            // It is over: what that means is the signal's to say.
            if (ended.IsCanceled)
                return 0;
            running.Remove(ended);
        }
    }

    private async Task EndProgramsAsync()
    {
        LinuxProgram[] left;
        lock (gate)
            left = [.. programs.Values];
        foreach (LinuxProgram program in left)
            program.SignalAll(SignalH.SIGTERM);
        Task all = Task.WhenAll(left.Select(program => program.AllEnded));
        try
        {
            await all.WaitAsync(StopPatience, ending.Hurried);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // They had their time.
        }

        foreach (LinuxProgram program in left)
            program.Dispose();
        await Task.WhenAny(Task.WhenAll(readers), Task.Delay(DrainLimit, CancellationToken.None));
    }

    private async Task<int> RunProgramAsync(RunSession session, LabOutput output, LabHost host)
    {
        await WaitForServersAsync(session.Net, output, host);
        LinuxProgram program = Start(session, output, host);
        int status = await program.Ended.WaitAsync(ending.Begun);
        if (host.Name != lab.Main)
            output.Say(host.Name, $"ended with status {status}", Ink.Faint);
        return status;
    }

    private LinuxProgram Start(RunSession session, LabOutput output, LabHost host)
    {
        if (host.Folder is { } folder && !Directory.Exists(folder))
            throw new FailureException($"{host.Name}: there is no folder {folder}");
        AnonymousPipeServerStream pipe = new(PipeDirection.In, HandleInheritability.None);
        using FileStream nothing = new("/dev/null", FileMode.Open, FileAccess.Read);
        Dictionary<string, string> variables = HostText.Environment();
        foreach ((string name, string value) in host.Environment)
            variables[name] = value;
        int end = (int)pipe.ClientSafePipeHandle.DangerousGetHandle();
        LinuxProgram program;
        try
        {
            program = LinuxProgram.Start(session.Supervisor, session.Net.Hosts[host.Name], new ProgramStart
            {
                FileName = host.Run[0],
                Arguments = [.. host.Run.Skip(1)],
                StopsData = session.Supervisor.StopsData,
                Environment = variables,
                WorkingDirectory = host.Folder,
                Descriptors = new Dictionary<int, int> { [0] = (int)nothing.SafeFileHandle.DangerousGetHandle(), [1] = end, [2] = end },
            });
        }
        catch (Win32Exception e)
        {
            pipe.Dispose();
            throw new FailureException($"{host.Name}: {e.Message}");
        }

        pipe.DisposeLocalCopyOfClientHandle();
        lock (gate)
        {
            programs[host.Name] = program;
            readers.Add(output.CopyAsync(host.Name, pipe));
        }

        return program;
    }

    private static void Say(LabOutput output, LabEvent happening)
    {
        string what = happening.Action.ToString().ToLowerInvariant();
        output.Say(happening.Target, happening.Link == null ? what : $"{what}: {happening.Link}", Ink.Faint);
    }

    private async Task WaitForServersAsync(ProgramNet net, LabOutput output, LabHost host)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ending.Begun);
        if (host.WaitTimeout is { } timeout)
            limit.CancelAfter(timeout);
        foreach ((string server, ushort port) in host.WaitFor)
        {
            Task waiting = WaitForAsync(net, host.Name, server, port, limit.Token);
            try
            {
                if (await Task.WhenAny(waiting, Task.Delay(SilentWait, limit.Token)) != waiting && !limit.IsCancellationRequested)
                    output.Say(host.Name, $"waits for {server}:{port}", Ink.Faint);
                await waiting;
            }
            catch (OperationCanceledException) when (!ending.Begun.IsCancellationRequested)
            {
                throw new FailureException($"{host.Name} waits for {server}:{port}, which took no connection in {LabReader.Write(host.WaitTimeout!.Value)}");
            }
        }
    }

    private async Task WaitForAsync(ProgramNet net, string from, string server, ushort port, CancellationToken limit)
    {
        while (true)
        {
            try
            {
                await using LinnetStream connection = await net.Hosts[from].ConnectAsync(new IPEndPoint(net.Hosts[server].Address, port), limit);
                return;
            }
            catch (SocketException)
            {
                // What the program started may serve when it has ended itself, as daemons do.
                LinuxProgram? program;
                lock (gate)
                    program = programs.GetValueOrDefault(server);
                if (program is { AllEnded.IsCompleted: true })
                    throw new FailureException($"{from} waits for {server}:{port}, but the program of {server} has ended with status {await program.Ended}");
                await Task.Delay(ConnectInterval, limit);
            }
        }
    }

    private async Task PlayAsync(Cables cables)
    {
        long start = Environment.TickCount64;
        try
        {
            foreach (LabEvent happening in lab.Events)
            {
                TimeSpan left = happening.At - TimeSpan.FromMilliseconds(Environment.TickCount64 - start);
                if (left > TimeSpan.Zero)
                    await Task.Delay(left, ending.Begun);
                cables.Apply(happening);
            }
        }
        catch (OperationCanceledException)
        {
            // The lab is over.
        }
    }
}

/// <summary>How a lab ends: its programs are asked, and who asks once more has them killed. Callable from any thread.</summary>
internal sealed class LabEnding
{
    private readonly Lock gate = new();
    private readonly CancellationTokenSource begun = new(), hurried = new();

    /// <summary>Cancelled when it begins to end.</summary>
    public CancellationToken Begun => begun.Token;

    /// <summary>Cancelled when it is to end at once.</summary>
    public CancellationToken Hurried => hurried.Token;

    /// <summary>The first signal that ended it, or hurried its end.</summary>
    public int? Signal { get; private set; }

    /// <summary>It begins to end by itself.</summary>
    public void Begin()
    {
        lock (gate)
            begun.Cancel();
    }

    /// <summary>A signal asks for the end.</summary>
    public void Take(int signal)
    {
        lock (gate)
        {
            Signal ??= signal;
            (begun.IsCancellationRequested ? hurried : begun).Cancel();
        }
    }
}
