namespace Linnet.Packetdrill.Running;

/// <summary>Which descriptor stands for which of the script's.</summary>
internal sealed class DescriptorTable
{
    private readonly Dictionary<int, int> live = [];

    /// <summary>The live descriptors that are open, in the order of the script's.</summary>
    public IEnumerable<int> Live => live.OrderBy(pair => pair.Key).Select(pair => pair.Value);

    /// <summary>Notes a new descriptor.</summary>
    /// <exception cref="CallFailure">The script has that one already.</exception>
    public void Add(int scriptFd, int liveFd)
    {
        if (scriptFd < 0)
            throw new CallFailure($"invalid fd {scriptFd} in script");
        if (!live.TryAdd(scriptFd, liveFd))
            throw new CallFailure($"duplicate fd {scriptFd} in script");
    }

    /// <summary>The live descriptor for one of the script's.</summary>
    /// <exception cref="CallFailure">The script has no such descriptor.</exception>
    public int ToLive(int scriptFd) => live.TryGetValue(scriptFd, out int fd)
        ? fd
        : throw new CallFailure($"unable to find fd with script fd {scriptFd}");

    /// <summary>Forgets a descriptor that was closed.</summary>
    public void Remove(int scriptFd) => live.Remove(scriptFd);
}
