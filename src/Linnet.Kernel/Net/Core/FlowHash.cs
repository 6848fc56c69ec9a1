using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Which flow a packet belongs to, as a number that peers cannot choose.</summary>
[LinuxFile("net/core/flow_dissector.c")]
public sealed class FlowHash
{
    private static readonly StateSlot<FlowHash> Slot = new();

    private readonly SiphashKey hashrnd;

    private FlowHash(Machine machine) => hashrnd = SiphashKey.New(machine.Random);

    /// <summary>
    /// The hash of a packet's flow (<c>skb_get_hash</c>): the sender's, when the packet was sent here, and otherwise of addresses,
    /// protocol and ports. Both directions of a flow have the same. It is kept in the packet.
    /// </summary>
    [Linux("__skb_get_hash")]
    public static uint SkbGetHash(SkBuff skb)
    {
        if (skb.Hash == 0)
        {
            Machine machine = skb.Dev!.Net.Machine;
            FlowHash flows = Slot.OfOrNew(machine.Slots, machine, static m => new FlowHash(m));
            uint hash = flows.Of(skb);
            skb.Hash = hash != 0 ? hash : 1;
        }

        return skb.Hash;
    }

    private uint Of(SkBuff skb)
    {
        FlowKeys keys = default;
        if (skb.Protocol == ETH_P_IP && skb.NetworkHeader != SkBuff.NoHeader)
            FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: false, out keys);

        // The smaller end first (__flow_hash_consistentify).
        if (keys.Src > keys.Dst || (keys.Src == keys.Dst && keys.Sport > keys.Dport))
        {
            (keys.Src, keys.Dst) = (keys.Dst, keys.Src);
            (keys.Sport, keys.Dport) = (keys.Dport, keys.Sport);
        }

        ulong addresses = Siphash.Hash2((ulong)keys.Src ^ (ulong)(keys.Src >> 64), (ulong)keys.Dst ^ (ulong)(keys.Dst >> 64), hashrnd);
        ulong rest = (ulong)keys.Sport << 48 | (ulong)keys.Dport << 32 | (ulong)keys.IpProto << 16 | skb.Protocol;
        ulong hash = Siphash.Hash2(addresses, rest, hashrnd);
        return (uint)(hash ^ (hash >> 32));
    }
}
