using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The raw sockets of a machine by protocol (<c>struct raw_hashinfo</c>). Chains are replaced whole under the lock of
/// this object, and read without a lock.
/// </summary>
[LinuxStruct("raw_hashinfo")]
[LinuxFile("net/ipv4/raw.c")]
internal sealed class RawTable
{
    private static readonly StateSlot<RawTable> Slot = new();

    private readonly RawSock[][] chains = [.. Enumerable.Repeat(Array.Empty<RawSock>(), 256)];

    /// <summary>The sockets of a protocol, newest first.</summary>
    public RawSock[] this[int protocol] => Volatile.Read(ref chains[protocol & 255]);

    public static RawTable Of(Machine machine) => Slot.Of(machine.Slots);

    public static void Install(Machine machine) => Slot.Set(machine.Slots, new RawTable());

    [Linux("raw_hash_sk")]
    public int RawHashSk(RawSock sk)
    {
        lock (this)
            Volatile.Write(ref chains[sk.SkcNum & 255], [sk, .. this[sk.SkcNum]]);
        return 0;
    }

    [Linux("raw_unhash_sk")]
    public void RawUnhashSk(RawSock sk)
    {
        lock (this)
            Volatile.Write(ref chains[sk.SkcNum & 255], [.. this[sk.SkcNum].Where(other => other != sk)]);
    }
}
