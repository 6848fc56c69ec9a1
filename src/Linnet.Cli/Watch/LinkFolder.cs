using System.Globalization;
using System.Net.Sockets;
using Linnet.Linux;

namespace Linnet.Cli.Watch;

/// <summary>The folder where running commands have their sockets, which are named by their processes; nobody else may look into it.</summary>
/// <param name="path">The folder.</param>
internal sealed class LinkFolder(string path)
{
    private const string Suffix = ".sock";

    /// <summary>The user's: <c>$XDG_RUNTIME_DIR/linnet</c>, or <c>/tmp/linnet-UID</c>.</summary>
    public static LinkFolder Default =>
        new(Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime && Directory.Exists(runtime)
            ? Path.Combine(runtime, "linnet")
            : $"/tmp/linnet-{HostFolder.User}");

    /// <summary>Where a process has its socket.</summary>
    public string PathOf(int pid) => Path.Combine(path, pid.ToString(CultureInfo.InvariantCulture) + Suffix);

    /// <summary>Makes the folder, and takes away what processes left that are gone.</summary>
    /// <exception cref="UnauthorizedAccessException">Somebody else may look into it.</exception>
    public void Prepare()
    {
        HostFolder.Create(path);
        if (!HostFolder.IsPrivate(path))
            throw new UnauthorizedAccessException($"{path} is not for its owner only");
        foreach ((int pid, string socket) in Sockets())
        {
            if ((!IsAlive(pid) || pid == Environment.ProcessId) && !Answers(socket))
                File.Delete(socket);
        }
    }

    /// <summary>The processes that can be spoken to. What is left of others is taken away.</summary>
    public IReadOnlyList<int> Running()
    {
        List<int> running = [];
        foreach ((int pid, string socket) in Sockets())
        {
            if (Answers(socket))
                running.Add(pid);
            else if (!IsAlive(pid))
                File.Delete(socket);
        }

        running.Sort();
        return running;
    }

    /// <summary>Connects to a process.</summary>
    /// <exception cref="SocketException">It does not listen.</exception>
    public Socket Connect(int pid) => Connect(PathOf(pid));

    private IEnumerable<(int Pid, string Socket)> Sockets()
    {
        if (!Directory.Exists(path))
            yield break;
        foreach (string socket in Directory.GetFiles(path, "*" + Suffix))
        {
            if (int.TryParse(Path.GetFileNameWithoutExtension(socket), CultureInfo.InvariantCulture, out int pid))
                yield return (pid, socket);
        }
    }

    private static bool IsAlive(int pid) => Directory.Exists($"/proc/{pid}");

    private static bool Answers(string socket)
    {
        try
        {
            Connect(socket).Dispose();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static Socket Connect(string socket)
    {
        Socket connection = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            connection.Connect(new UnixDomainSocketEndPoint(socket));
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }
}
