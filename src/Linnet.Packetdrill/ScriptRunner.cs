using System.Runtime.InteropServices;
using Linnet.Kernel;
using Linnet.Kernel.Arch.X86;
using Linnet.Packetdrill.Code;
using Linnet.Packetdrill.Commands;
using Linnet.Packetdrill.Running;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill;

/// <summary>
/// Runs scripts: each on a machine of its own that it boots, in virtual time. The same script has the same result, always.
/// </summary>
public sealed class ScriptRunner
{
    private readonly Script script;
    private readonly PacketdrillOptions options;
    private readonly TestBed bed;
    private readonly ScriptRun run;
    private readonly CallRunner calls;
    private readonly PacketRunner packets;
    private readonly CommandRunner commands;
    private readonly CodeBlocks code;
    private readonly CallTrace? trace;
    private readonly int traceFrom;
    private readonly List<string> printed = [];
    private bool isInitialized;

    private ScriptRunner(Script script, PacketdrillOptions options, CallTrace? trace, int traceFrom)
    {
        this.script = script;
        this.options = options;
        this.trace = trace;
        this.traceFrom = traceFrom;
        bed = new TestBed(options);
        run = new ScriptRun(script, options, bed);
        commands = new CommandRunner(bed.Net, script.Path, ns => bed.Simulation.RunFor(TimeSpan.FromTicks(ns / 100)),
            options.Verbose ? line => run.Log.Add(line) : null);
        calls = new CallRunner(run) { FindFile = FindFile };
        packets = new PacketRunner(run);
        code = new CodeBlocks(script.Path);
    }

    /// <summary>Runs a script.</summary>
    /// <param name="script">The script.</param>
    /// <param name="options">The configuration; the script's own when not given.</param>
    /// <remarks>
    /// A script that does not go as written is run once more, with the tracer on from the event before the one that failed: as runs
    /// repeat exactly, scripts that pass need not pay for it.
    /// </remarks>
    public static RunResult Run(Script script, PacketdrillOptions? options = null)
    {
        options ??= script.Options;
        if (options.IpVersion != IpVersion.Ipv4)
            return new RunResult { Path = script.Path, Error = $"{script.Path}: no IPv6 yet: --ip_version has to be ipv4" };
        if (options.PspUdpPort != 0)
            return new RunResult { Path = script.Path, Error = $"{script.Path}: no PSP" };
        if (options.DryRun)
            return new RunResult { Path = script.Path };
        RunResult result = RunOnce(script, options, null, 0, out int failedAt);
        if (result.Passed)
            return result;
        CallTrace trace = new();
        RunOnce(script, options, trace, Math.Max(failedAt - 1, 0), out _);
        return result with { Trace = trace.Lines(isPacket: script.Events.ElementAtOrDefault(failedAt)?.Action is PacketAction) };
    }

    private static RunResult RunOnce(
        Script script, PacketdrillOptions options, CallTrace? trace, int traceFrom, out int failedAt)
    {
        ScriptRunner runner = new(script, options, trace, traceFrom);
        using TestBed bed = runner.bed;
        ScriptException? failure = null;
        try
        {
            runner.RunEvents();
        }
        catch (ScriptException e)
        {
            failure = e;
        }

        failedAt = runner.run.Index;
        trace?.Stop();
        TimeSpan took = TimeSpan.FromMicroseconds(bed.NowUsecs);
        failure = runner.CleanUp(failure);
        return new RunResult
        {
            Path = script.Path,
            Error = failure?.Message,
            ErrorLine = failure?.Line ?? 0,
            Warnings = runner.run.Warnings,
            Printed = runner.printed,
            Log = runner.run.Log,
            VirtualTime = took,
            PacketsLeft = bed.PacketsLeft(),
        };
    }

    private void RunEvents()
    {
        commands.RunInitScripts(options);
        if (script.InitCommand is { } init)
            commands.Run(init);
        isInitialized = true;
        for (int i = 0; i < script.Events.Length; i++)
        {
            if (trace != null && i == traceFrom)
                trace.Start(bed);
            run.Begin(script.Events[i]);
            RunEvent(script.Events[i].Action);
            bed.Simulation.RunReady();
            calls.ThrowIfFailed();
        }
    }

    private void RunEvent(EventAction action)
    {
        switch (action)
        {
            case PacketAction packet:
                packets.Run(packet);
                break;
            case SyscallAction call:
                calls.Run(call);
                break;
            case CommandAction command:
                run.WaitForEvent("command");
                commands.Run(command);
                break;
            case CodeAction block:
                run.WaitForEvent("data collection for code");
                code.Add(block, Snapshot());
                break;
            default:
                throw run.Failure(run.Current, $"no events of {action.GetType().Name}");
        }
    }

    // The files of commands have a character for each byte.
    private byte[]? FindFile(string path) =>
        commands.Files.TryRead(path, out string content) ? System.Text.Encoding.Latin1.GetBytes(content) : null;

    // The end of a run, well or not: the cleanup command, then the code, then all sockets are closed and reset.
    private ScriptException? CleanUp(ScriptException? failure)
    {
        if (isInitialized && script.CleanupCommand is { } cleanup)
            failure = Attempt(failure, () => commands.Run(cleanup));
        if (failure == null)
            failure = Attempt(failure, () => code.Run(printed.Add));
        if (failure == null)
            failure = Attempt(failure, calls.Finish);
        foreach (int fd in calls.Descriptors.Live)
            SyscallTable.Invoke(bed.Caller, __NR_close, (ulong)fd);
        foreach (TrackedSocket socket in run.Sockets)
            packets.Reset(socket);
        return failure;
    }

    private static ScriptException? Attempt(ScriptException? failure, Action action)
    {
        try
        {
            action();
        }
        catch (ScriptException e)
        {
            return failure ?? e;
        }

        return failure;
    }

    private CodeSnapshot Snapshot()
    {
        if (run.UnderTest is not { } socket)
            throw run.Failure(run.Current, "runtime error in code: no socket to use for code");
        byte[] info = new byte[Marshal.SizeOf<TcpInfo>()];
        byte[] memory = new byte[9 * sizeof(uint)];
        if (!TryGetOption(socket.LiveFd, SOL_TCP, TCP_INFO, info) || !TryGetOption(socket.LiveFd, SOL_SOCKET, SO_MEMINFO, memory))
            throw run.Failure(run.Current, "runtime error in code: can't find getsockopt to get TCP info");
        return new CodeSnapshot(info, MemoryMarshal.Cast<byte, uint>(memory));
    }

    private bool TryGetOption(int fd, int level, int name, byte[] value)
    {
        ulong address = bed.Memory.Alloc(value.Length);
        ulong length = bed.Memory.Store(value.Length);
        long result = SyscallTable.Invoke(bed.Caller, __NR_getsockopt, (ulong)fd, (ulong)level, (ulong)name, address, length);
        if (result >= 0)
            bed.Memory.At(address)[..value.Length].CopyTo(value);
        bed.Memory.Free(address);
        bed.Memory.Free(length);
        return result >= 0;
    }
}
