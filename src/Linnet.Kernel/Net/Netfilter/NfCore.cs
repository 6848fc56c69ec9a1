using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netfilter;

/// <summary>Looks at packets on their way through a network namespace (<c>struct nf_hook_ops</c>).</summary>
[LinuxStruct("nf_hook_ops")]
public abstract class NfHookOps
{
    /// <summary>Hooks with lower numbers see a packet earlier.</summary>
    public virtual int Priority => 0;

    /// <summary>
    /// Decides about a packet; its data begins at the IP header, which has been checked. Called on the thread that the packet
    /// came in by, with no locks held; it must not block.
    /// </summary>
    /// <param name="skb">The packet; the hook's own from the answer NF_STOLEN on.</param>
    /// <param name="dev">The device that it came in by.</param>
    /// <returns><c>NF_ACCEPT</c>, <c>NF_DROP</c> or <c>NF_STOLEN</c></returns>
    public abstract int Hook(SkBuff skb, NetDevice dev);
}

/// <summary>The places where others look at packets. There is one so far: <c>NF_INET_PRE_ROUTING</c> of IPv4.</summary>
[LinuxFile("net/netfilter/core.c")]
public static class NfCore
{
    /// <summary>The packet goes no further.</summary>
    public const int NF_DROP = 0;

    /// <summary>The packet goes on.</summary>
    public const int NF_ACCEPT = 1;

    /// <summary>The hook has taken the packet.</summary>
    public const int NF_STOLEN = 2;

    private static readonly StateSlot<Hooks> Slot = new();

    /// <summary>Adds a hook to a namespace.</summary>
    [Linux("nf_register_net_hook")]
    public static void NfRegisterNetHook(NetNamespace net, NfHookOps ops)
    {
        Hooks hooks = Slot.OfOrNew(net.Slots, net, static _ => new Hooks());
        lock (hooks)
            hooks.PreRouting = [.. hooks.PreRouting.Append(ops).OrderBy(hook => hook.Priority)];
    }

    /// <summary>Removes a hook from a namespace. Packets that it took are its own to free.</summary>
    [Linux("nf_unregister_net_hook")]
    public static void NfUnregisterNetHook(NetNamespace net, NfHookOps ops)
    {
        if (Slot.Find(net.Slots) is not { } hooks)
            return;
        lock (hooks)
            hooks.PreRouting = [.. hooks.PreRouting.Where(hook => hook != ops)];
    }

    /// <summary>Shows a packet to the hooks of its namespace.</summary>
    /// <returns>Whether it goes on; otherwise it is gone.</returns>
    public static bool PreRouting(NetNamespace net, SkBuff skb, NetDevice dev) =>
        Slot.Find(net.Slots) is not { } hooks || NfHookSlow(hooks.PreRouting, skb, dev);

    [Linux("nf_hook_slow")]
    private static bool NfHookSlow(NfHookOps[] hooks, SkBuff skb, NetDevice dev)
    {
        foreach (NfHookOps hook in hooks)
        {
            int verdict = hook.Hook(skb, dev);
            if (verdict == NF_ACCEPT)
                continue;
            if (verdict == NF_DROP)
                skb.Free();
            return false;
        }

        return true;
    }

    private sealed class Hooks
    {
        public volatile NfHookOps[] PreRouting = [];
    }
}
