using System.IO.Pipes;
using System.Text;
using Linnet.Cli.Commands;
using Linnet.Linux;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Cli.Watch;

/// <summary>Shows a network on the terminal while it runs, and leaves a summary.</summary>
internal sealed class LiveView : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan DrainLimit = TimeSpan.FromSeconds(2);

    // Looking at many sockets may take no more than this part of the time.
    private const int Share = 4;

    private readonly HostTerminal screen;
    private readonly Terminal terminal;
    private readonly OutputStore output = new();
    private readonly Sampler sampler;
    private readonly Ledger ledger = new();
    private readonly PacketWatch packets;
    private readonly KeyReader keys;
    private readonly string title;
    private readonly List<Task> readers = [];
    private readonly List<AnonymousPipeServerStream> pipes = [];
    private readonly Thread thread;
    private volatile bool isOver;
    private volatile Action? quit;
    private bool hasKeys = true;

    private LiveView(HostTerminal screen, Terminal terminal, Network network, Cables cables, string title)
    {
        (this.screen, this.terminal, this.title) = (screen, terminal, title);
        sampler = new Sampler(network, cables);
        HashSet<Host> hosts = [.. sampler.Hosts];
        packets = new PacketWatch(sampler.Senders, (tp, host) =>
        {
            if (hosts.Contains(host))
                ledger.Note(tp, host.Name, sampler.ProgramOf(tp.SkSocket));
        });
        keys = new KeyReader(new LinkControl(cables), () => quit?.Invoke());
        Terminal = Terminal.ForWriters(
            Console.IsOutputRedirected ? terminal.Output : new StoreWriter(output, isError: false),
            Console.IsErrorRedirected ? terminal.Error : new StoreWriter(output, isError: true),
            Console.IsOutputRedirected ? terminal.Write : bytes => output.Add(isError: false, bytes));
        AppDomain.CurrentDomain.ProcessExit += Restore;
        AppDomain.CurrentDomain.UnhandledException += Restore;
        thread = new Thread(Run) { IsBackground = true, Name = "linnet view" };
        screen.Begin();
        thread.Start();
    }

    /// <summary>Where to write meanwhile.</summary>
    public Terminal Terminal { get; }

    /// <summary>Begins, when it is wanted.</summary>
    /// <param name="wanted">Whether it is.</param>
    /// <param name="terminal">Where to write afterwards.</param>
    /// <param name="network">The network.</param>
    /// <param name="cables">Its cables.</param>
    /// <param name="title">What runs.</param>
    /// <returns>Null when it is not wanted.</returns>
    /// <exception cref="UsageException">There is no terminal.</exception>
    public static LiveView? Start(bool wanted, Terminal terminal, Network network, Cables cables, string title)
    {
        if (!wanted)
            return null;
        HostTerminal screen = HostTerminal.Open() ?? throw new UsageException("--watch needs a terminal, and there is none");
        return new LiveView(screen, terminal, network, cables, title);
    }

    /// <summary>The descriptors of a program whose output would go to the terminal: pipes in their place.</summary>
    public IReadOnlyDictionary<int, int> Collect()
    {
        Dictionary<int, int> descriptors = [];
        for (int fd = 1; fd <= 2; fd++)
        {
            if (fd == 1 ? Console.IsOutputRedirected : Console.IsErrorRedirected)
                continue;
            AnonymousPipeServerStream pipe = new(PipeDirection.In, HandleInheritability.None);
            pipes.Add(pipe);
            descriptors[fd] = (int)pipe.ClientSafePipeHandle.DangerousGetHandle();
        }

        return descriptors;
    }

    /// <summary>A program has started, and has its ends of the pipes: reads what it writes.</summary>
    /// <param name="supervisor">Who knows which program has a socket.</param>
    /// <param name="descriptors">What <see cref="Collect"/> said.</param>
    /// <param name="program">What the key for the end ends: it is asked, and then killed.</param>
    public void Follow(Supervisor supervisor, IReadOnlyDictionary<int, int> descriptors, LinuxProgram program)
    {
        foreach ((int fd, AnonymousPipeServerStream pipe) in descriptors.Keys.Order().Zip(pipes))
        {
            pipe.DisposeLocalCopyOfClientHandle();
            readers.Add(Task.Run(() => ReadAsync(pipe, isError: fd == 2)));
        }

        sampler.Supervisor = supervisor;
        int asked = 0;
        quit = () => program.Signal(asked++ == 0 ? SIGTERM : SIGKILL);
    }

    /// <summary>Programs run whose output is read by somebody else.</summary>
    /// <param name="supervisor">Who knows which program has a socket.</param>
    /// <param name="end">What the key for the end does.</param>
    public void Follow(Supervisor supervisor, Action end)
    {
        sampler.Supervisor = supervisor;
        quit = end;
    }

    /// <summary>Ends it: prints what was written meanwhile, and the summary.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAny(Task.WhenAll(readers), Task.Delay(DrainLimit));
        isOver = true;
        screen.Wake();
        thread.Join();
        packets.Dispose();
        screen.Dispose();
        AppDomain.CurrentDomain.ProcessExit -= Restore;
        AppDomain.CurrentDomain.UnhandledException -= Restore;
        terminal.Output.Flush();
        await using (Stream standard = Terminal.StandardOutput(), error = Terminal.StandardError())
            output.CopyTo(standard, error);
        output.Dispose();
        foreach (AnonymousPipeServerStream pipe in pipes)
            await pipe.DisposeAsync();
        foreach (string line in Summary.Lines(ledger))
            terminal.Error.WriteLine(line);
    }

    private void Restore(object? sender, EventArgs e) => screen.End();

    private async Task ReadAsync(Stream pipe, bool isError)
    {
        byte[] buffer = new byte[1 << 16];
        try
        {
            for (int read; (read = await pipe.ReadAsync(buffer)) > 0;)
                output.Add(isError, buffer.AsSpan(0, read));
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Something that the program left behind still had it.
        }
    }

    private void Run()
    {
        NetworkView? view = null;
        long next = 0;
        while (!isOver)
        {
            long start = Environment.TickCount64;
            if (start >= next)
            {
                view = Look(view);
                long took = Environment.TickCount64 - start;
                next = start + Math.Max((long)Interval.TotalMilliseconds, took * Share);
            }

            Show(view!);
            ReadKeys((int)Math.Max(1, next - Environment.TickCount64));
        }
    }

    private NetworkView Look(NetworkView? before)
    {
        NetworkView now = sampler.Take();
        foreach (SocketView socket in now.Sockets)
        {
            if (socket is { Tcp: not null, Identity: Kernel.Net.Ipv4.TcpSock tp })
                ledger.Note(tp, socket.Host, socket.Program);
        }

        ledger.Settle();
        return now.Since(before);
    }

    private void Show(NetworkView view)
    {
        (int width, int height) = screen.Size;
        IReadOnlyList<Line> lines = Picture.Draw(
            new PictureContent
            {
                View = view,
                Title = title,
                Packets = packets.Last(height),
                PacketCount = packets.Count,
                Output = output.Last(),
                Prompt = keys.Prompt,
            },
            width,
            height);
        screen.Write(Encoding.UTF8.GetBytes(Ansi(lines)));
    }

    /// <summary>What draws lines over those that are there: nothing is cleared before it is drawn.</summary>
    public static string Ansi(IReadOnlyList<Line> lines)
    {
        StringWriter text = new();
        Terminal colours = Terminal.ForAnsi(text);
        for (int i = 0; i < lines.Count; i++)
        {
            text.Write($"\e[{i + 1};1H");
            colours.Put(lines[i]);
            text.Write("\e[K");
        }

        text.Write("\e[J");
        return text.ToString();
    }

    private void ReadKeys(int milliseconds)
    {
        if (!hasKeys)
        {
            Thread.Sleep(milliseconds);
            return;
        }

        Span<byte> typed = stackalloc byte[64];
        int count = screen.Read(typed, milliseconds);
        hasKeys = count >= 0;
        if (count > 0)
            keys.Take(typed[..count]);
    }
}
