using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Numbers that a peer sees and an outsider must not guess: initial sequence numbers (RFC 6528), offsets of timestamps
/// (RFC 7323 section 5.4) and of the search for a local port (RFC 6056 section 3.3.4).
/// </summary>
[LinuxFile("net/core/secure_seq.c")]
public sealed class SecureSeq
{
    private static readonly StateSlot<SecureSeq> Slot = new();

    private readonly Clock clock;
    private readonly SiphashKey netSecret;
    private readonly SiphashKey tsSecret;

    private SecureSeq(Machine machine)
    {
        clock = machine.Clock;
        netSecret = SiphashKey.New(machine.Random);
        tsSecret = SiphashKey.New(machine.Random);
    }

    /// <summary>The machine's secrets.</summary>
    public static SecureSeq Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Draws the secrets of a machine that boots.</summary>
    internal static void Init(Machine machine) => Slot.Set(machine.Slots, new SecureSeq(machine));

    /// <summary>Initial sequence number: grows by one each 64 ns, from a secret point of its own for each four-tuple.</summary>
    [Linux("secure_tcp_seq")]
    public uint SecureTcpSeq(uint saddr, uint daddr, ushort sport, ushort dport)
    {
        ulong hash = Siphash.Hash2((ulong)saddr << 32 | daddr, (ulong)sport << 16 | dport, netSecret);
        return (uint)hash + (uint)(clock.RealNow >> 6);
    }

    /// <summary>Offset of the timestamps that are sent to a peer.</summary>
    [Linux("secure_tcp_ts_off")]
    public uint SecureTcpTsOff(uint saddr, uint daddr) => (uint)Siphash.Hash2((ulong)saddr << 32 | daddr, 0, tsSecret);

    /// <summary>Where the search for a local port begins, for each destination elsewhere.</summary>
    [Linux("secure_ipv4_port_ephemeral")]
    public ulong SecureIpv4PortEphemeral(uint saddr, uint daddr, ushort dport) =>
        Siphash.Hash2((ulong)saddr << 32 | daddr, dport, netSecret);
}
