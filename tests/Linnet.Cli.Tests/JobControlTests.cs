namespace Linnet.Cli.Tests;

/// <summary><c>linnet run</c> as a job of a shell: stopped and continued by keys and by signals.</summary>
public sealed class JobControlTests : IDisposable
{
    // As editors do: the terminal is put in order first.
    private const string Editor = """
        import os, signal, threading, time

        def stop(number, frame):
            print("tidied", flush=True)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            signal.signal(number, stop)
            print("back", "again", flush=True)

        signal.signal(signal.SIGTSTP, stop)
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        print("edi" + "ting", flush=True)
        while True:
            time.sleep(0.1)
        """;

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("linnet-job-");
    private readonly JobShell shell = new();

    public void Dispose()
    {
        shell.Dispose();
        root.Delete(recursive: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("sh -c 'trap : INT; python3 ")]
    public async Task A_program_that_tidies_up_before_it_stops_goes_on(string within)
    {
        string file = Path.Combine(root.FullName, "editor.py");
        await File.WriteAllTextAsync(file, Editor);
        shell.Type(within.Length == 0 ? $"$LINNET run -- python3 {file}\n" : $"$LINNET run -- {within}{file}; exit 7'\n");
        await shell.UntilAsync("editing");
        for (int i = 0; i < 2; i++)
        {
            shell.Type("\x1a");
            await shell.UntilAsync("tidied");
            await shell.UntilAsync("Stopped");
            shell.Type("fg\n");
            await shell.UntilAsync("back again");
        }

        shell.Type("\x03");
        await shell.UntilAsync("KeyboardInterrupt");
        shell.Type("echo status=$?\n");
        await shell.UntilAsync(within.Length == 0 ? "status=130" : "status=7");
    }

    [Fact]
    public async Task A_program_that_reads_in_the_background_waits_for_the_foreground()
    {
        shell.Type("$LINNET run -- sh -c 'echo rea''dy; while read line; do echo got $line; done; exit 5'\n");
        await shell.UntilAsync("ready");
        shell.Type("\x1a");
        await shell.UntilAsync("Stopped");
        shell.Type("bg\n");
        await shell.UntilAsync("&");
        shell.Type("until jobs | grep Stopped > /dev/null; do sleep 0.1; done; echo sto''pped\n");
        await shell.UntilAsync("stopped");
        shell.Type("fg\n");
        await shell.UntilAsync("exit 5'");
        shell.Type("one\n");
        await shell.UntilAsync("got one");
        shell.Type("\x04");
        shell.Type("echo status=$?\n");
        await shell.UntilAsync("status=5");
    }

    [Fact]
    public async Task Who_continues_linnet_alone_continues_the_program()
    {
        shell.Type("$LINNET run -- python3 -c \"import time; print('rea' + 'dy', flush=True); time.sleep(1000)\"\n");
        await shell.UntilAsync("ready");
        shell.Type("\x1a");
        await shell.UntilAsync("Stopped");
        shell.Type("kill -CONT $(jobs -p); until ps -o stat= --ppid $(jobs -p) | grep -q S; do sleep 0.1; done; echo going''on\n");
        await shell.UntilAsync("goingon");
    }
}
