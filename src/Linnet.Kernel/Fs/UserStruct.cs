using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>What is counted for each user of a machine (<c>struct user_struct</c>).</summary>
[LinuxStruct("user_struct")]
internal sealed class UserStruct
{
    private static readonly StateSlot<Dictionary<uint, UserStruct>> Slot = new();

    /// <summary>Pages that the user's pipes may hold (<c>pipe_bufs</c>).</summary>
    public long PipeBufs;

    /// <summary>Files that the user's epoll instances watch (<c>epoll_watches</c>).</summary>
    public long EpollWatches;

    /// <summary>The real user of the calling task; the superuser where the kernel itself acts.</summary>
    public static UserStruct Current(Machine machine)
    {
        Dictionary<uint, UserStruct> users = Slot.OfOrNew(machine.Slots, 0, static _ => []);
        uint uid = Cpu.This.Task?.Cred.Uid ?? 0;
        lock (users)
        {
            if (!users.TryGetValue(uid, out UserStruct? user))
                users.Add(uid, user = new UserStruct());
            return user;
        }
    }
}
