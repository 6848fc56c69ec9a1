using System.Net;
using System.Runtime.ExceptionServices;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Testing;

/// <summary>
/// A host in real time whose sockets several threads use at once. Nothing waits without a bound: threads that do not end in time
/// are named and fail the test. Disposing checks that no packet leaked.
/// </summary>
public sealed class ThreadRace : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly Network network = new();

    /// <summary>Boots the host.</summary>
    public ThreadRace() => Host = network.AddHost("host");

    /// <summary>The host.</summary>
    public Host Host { get; }

    /// <summary>The task that all threads are.</summary>
    public Syscalls Calls => Host.Syscalls;

    /// <summary>A sockaddr of loopback.</summary>
    public static byte[] At(int port) => Syscalls.Sockaddr(new IPEndPoint(IPAddress.Loopback, port));

    /// <summary>A socket that listens.</summary>
    public int Listen(int port, int backlog = 128)
    {
        int fd = Calls.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, Calls.Bind(fd, At(port)));
        Assert.Equal(0, Calls.Listen(fd, backlog));
        return fd;
    }

    /// <summary>A connection over loopback.</summary>
    /// <param name="listener">Who accepts it.</param>
    /// <param name="port">The listener's port.</param>
    /// <param name="flags"><c>SOCK_NONBLOCK</c> for the accepted end.</param>
    public (int Client, int Server) Pair(int listener, int port, int flags = 0)
    {
        int client = Calls.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, Calls.Connect(client, At(port)));
        int server = Calls.Accept4(listener, flags);
        Assert.True(server >= 0, Name(-server));
        return (client, server);
    }

    /// <summary>Runs actions as threads to their end, all of them begun at the same time.</summary>
    public void Run(params (string Name, Action Body)[] threads)
    {
        using Barrier start = new(threads.Length);
        TaskCompletionSource<Exception> failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<(string Name, Task Ended)> running = [];
        foreach ((string name, Action body) in threads)
        {
            TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
            running.Add((name, ended.Task));
            Thread thread = new(() =>
            {
                try
                {
                    Assert.True(start.SignalAndWait(Limit));
                    body();
                    ended.SetResult();
                }
                catch (Exception e)
                {
                    failed.TrySetResult(e);
                }
            })
            { IsBackground = true, Name = name };
            thread.Start();
        }

        Task all = Task.WhenAll(running.Select(thread => thread.Ended));
        Task.WaitAny([all, failed.Task], Limit);
        if (failed.Task.IsCompleted)
            ExceptionDispatchInfo.Throw(failed.Task.Result);
        Assert.True(all.IsCompleted, $"hangs: {string.Join(", ", running.Where(t => !t.Ended.IsCompleted).Select(t => t.Name))}");
    }

    /// <summary>Fails unless a call's result is a success, or one of the errors that a race may give.</summary>
    public static void Allow(long result, params ReadOnlySpan<int> errors)
    {
        if (result < 0 && !errors.Contains((int)-result))
            Assert.Fail($"{result}: {Name((int)-result)}");
    }

    /// <summary>Closes what is open and looks for leaks.</summary>
    public void Dispose()
    {
        NetNamespace net = Host.Namespace;
        for (int fd = 3; fd < 2048; fd++)
            Calls.Close(fd);

        // Segments that a timer has to acknowledge are no leak yet.
        SpinWait.SpinUntil(() => net.SkbPool.Outstanding == 0, Limit);
        long left = net.SkbPool.Outstanding;
        network.Dispose();
        Assert.Equal(0, left);
    }
}
