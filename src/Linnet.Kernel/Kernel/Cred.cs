using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// The subjective credentials of a task (<c>struct cred</c>): immutable; a task that changes them gets a changed copy.
/// </summary>
[LinuxStruct("cred")]
public sealed record Cred
{
    private const ulong AllCapabilities = (1UL << (CAP_LAST_CAP + 1)) - 1;

    /// <summary>Real user.</summary>
    public uint Uid { get; init; }

    /// <summary>Real group.</summary>
    public uint Gid { get; init; }

    /// <summary>Effective user.</summary>
    public uint Euid { get; init; }

    /// <summary>Effective group.</summary>
    public uint Egid { get; init; }

    /// <summary>Supplementary groups.</summary>
    public IReadOnlyList<uint> Groups { get; init; } = [];

    /// <summary>Effective capabilities, one bit for each <c>CAP_*</c>.</summary>
    public ulong CapEffective { get; init; }

    /// <summary>The user namespace that the credentials belong to.</summary>
    public required UserNamespace UserNs { get; init; }

    /// <summary>User 0 with every capability.</summary>
    public static Cred Root(UserNamespace userNs) => new() { UserNs = userNs, CapEffective = AllCapabilities };

    /// <summary>An ordinary user: no capabilities.</summary>
    public static Cred User(UserNamespace userNs, uint uid, uint gid) =>
        new() { UserNs = userNs, Uid = uid, Euid = uid, Gid = gid, Egid = gid };

    /// <summary>Whether these credentials are of <paramref name="group"/>, as effective or supplementary group.</summary>
    public bool InGroup(uint group) => Egid == group || Groups.Contains(group);

    /// <summary>
    /// Whether these credentials have <paramref name="capability"/> over <paramref name="target"/>: they hold it in that
    /// namespace or in one of its ancestors, or own it from its parent (<c>cap_capable</c>).
    /// </summary>
    public bool HasCapability(UserNamespace target, int capability)
    {
        for (UserNamespace? ns = target; ns != null; ns = ns.Parent)
        {
            if (ns == UserNs)
                return (CapEffective >> capability & 1) != 0;
            if (ns.Parent == UserNs && ns.Owner == Euid)
                return true;
        }

        return false;
    }
}
