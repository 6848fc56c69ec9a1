using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A neighbour as a user describes it (<c>struct ndmsg</c> with its attributes).</summary>
[LinuxStruct("ndmsg")]
public sealed record NeighConfig
{
    /// <summary>Network address.</summary>
    public UInt128 Key { get; init; }

    /// <summary>The device; null only where an address is answered for on all.</summary>
    public NetDevice? Dev { get; init; }

    /// <summary>Link address; null when it is not known, or stays.</summary>
    public byte[]? Lladdr { get; init; }

    /// <summary>State, one of <see cref="Nud"/>.</summary>
    public int State { get; init; } = Nud.PERMANENT;

    /// <summary>Whether this host answers for the address on behalf of another (<c>NTF_PROXY</c>).</summary>
    public bool IsProxy { get; init; }

    /// <summary>Whether the neighbour is to be looked for now (<c>NTF_USE</c>).</summary>
    public bool IsUsed { get; init; }

    /// <summary>What to do about a neighbour that exists, <c>NLM_F_*</c>.</summary>
    public int NlFlags { get; init; } = NLM_F_CREATE | NLM_F_EXCL;
}

/// <content>Neighbours as netlink asks for them.</content>
public abstract partial class NeighTable
{
    /// <summary>Adds or changes a neighbour (<c>ip neigh add</c>, <c>replace</c>, <c>change</c>).</summary>
    /// <returns>0, -EINVAL, -EEXIST, -ENOENT, or -ENOBUFS when there is no room.</returns>
    [Linux("neigh_add")]
    public int NeighAdd(NeighConfig cfg)
    {
        if (cfg.IsProxy)
        {
            PneighCreate(cfg.Key, cfg.Dev);
            return 0;
        }

        if (cfg.Dev is not { } dev)
            return -EINVAL;
        if (cfg.Lladdr != null && cfg.Lladdr.Length < dev.DevAddr.Length)
            return -EINVAL;
        NeighUpdate flags = NeighUpdate.Override | NeighUpdate.Admin;
        Neighbour? n = Lookup(cfg.Key, dev);
        if (n == null)
        {
            if ((cfg.NlFlags & NLM_F_CREATE) == 0)
                return -ENOENT;
            n = Create(cfg.Key, dev);
            if (n == null)
                return -ENOBUFS;
        }
        else
        {
            if ((cfg.NlFlags & NLM_F_EXCL) != 0)
                return -EEXIST;
            if ((cfg.NlFlags & NLM_F_REPLACE) == 0)
                flags &= ~NeighUpdate.Override;
        }

        if (!cfg.IsUsed)
            return n.Update(cfg.Lladdr == null ? default : cfg.Lladdr.AsSpan(0, dev.DevAddr.Length), cfg.State, flags);
        n.EventSend(null);
        return 0;
    }

    /// <summary>Forgets a neighbour (<c>ip neigh del</c>).</summary>
    /// <returns>0, -EINVAL, or -ENOENT.</returns>
    [Linux("neigh_delete")]
    public int NeighDelete(NeighConfig cfg)
    {
        if (cfg.IsProxy)
            return PneighDelete(cfg.Key, cfg.Dev);
        if (cfg.Dev is not { } dev)
            return -EINVAL;
        if (Lookup(cfg.Key, dev) is not { } n)
            return -ENOENT;
        int err = n.Update(default, Nud.FAILED, NeighUpdate.Override | NeighUpdate.Admin);
        Remove(n);
        return err;
    }
}
