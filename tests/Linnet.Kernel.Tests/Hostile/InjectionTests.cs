using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing.Hostile;
using static Linnet.Testing.Hostile.HostileNet;
using static Linnet.Testing.Hostile.HostilePackets;

namespace Linnet.Kernel.Tests.Hostile;

/// <summary>
/// Packets that pretend to belong to an honest connection, by one who knows its addresses and ports but does not see it.
/// </summary>
public sealed class InjectionTests
{
    private const uint Server = 0x0A000001;
    private const uint Client = 0x0A000002;

    [Fact]
    public void Resets_that_do_not_hit_the_next_number_reset_nothing()
    {
        using HostileBench bench = new();
        bench.Survives(10_000, i =>
        {
            TcpSock? tp = Honest(bench);

            // Half of them somewhere in the window, the rest anywhere (RFC 5961 section 3).
            return tp == null ? null : Forged(tp, Rst, i % 2 == 0 ? tp.RcvNxt + 1 + (uint)(i % 20000) : (uint)i * 2654435761 | 0x40000000, 0);
        });
        Assert.Equal(0, bench.Ipv4.TcpStatistics[TcpMib.EstabResets]);
        Assert.True(bench.Count(LinuxMib.TCPChallengeACK) > 0);
    }

    [Fact]
    public void SYNs_reset_nothing_either()
    {
        using HostileBench bench = new();
        bench.Survives(10_000, i => Honest(bench) is { } tp ? Forged(tp, Syn, tp.RcvNxt + (uint)(i % 3000), 0) : null);
        Assert.Equal(0, bench.Ipv4.TcpStatistics[TcpMib.EstabResets]);
        Assert.True(bench.Count(LinuxMib.TCPSYNChallenge) > 0);
    }

    [Fact]
    public void Data_out_of_the_window_or_that_acknowledges_what_was_never_sent_is_not_taken()
    {
        using HostileBench bench = new();
        bench.Survives(10_000, i =>
        {
            if (Honest(bench) is not { } tp)
                return null;
            return (i % 3) switch
            {
                0 => Forged(tp, Ack, tp.RcvNxt - 100_000 - (uint)i, tp.SndNxt, i % 2 * 100),
                1 => Forged(tp, Ack, tp.RcvNxt + 100_000_000 + (uint)i, tp.SndNxt, 100),
                _ => Forged(tp, Ack, tp.RcvNxt + 10, tp.SndNxt + 1_000_000 + (uint)i, 100),
            };
        });
        Assert.Equal(0, bench.Ipv4.TcpStatistics[TcpMib.EstabResets]);

        // It is answered, but segments without data not each time (tcp_invalid_ratelimit).
        Assert.True(bench.Count(LinuxMib.TCPACKSkippedSeq) + bench.Count(LinuxMib.TCPACKSkippedChallenge) > 0);
    }

    [Fact]
    public void ICMP_errors_about_numbers_that_are_not_under_way_change_nothing()
    {
        using HostileBench bench = new();
        (int Type, int Code, uint Info)[] lies =
        [
            (ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 68), (ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 0), (ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0),
            (ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0), (ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0), (ICMP_PARAMETERPROB, 0, 0),
            (ICMP_TIME_EXCEEDED, 0, 0), (ICMP_SOURCE_QUENCH, 0, 0),
        ];
        bench.Survives(8000, i =>
        {
            if (Honest(bench) is not { } tp)
                return null;
            (int type, int code, uint info) = lies[i % lies.Length];
            byte[] about = ForgeTcp(Server, Port, Client, tp.SkcDport, tp.SndNxt + 1_000_000 + (uint)i, tp.RcvNxt, Ack);
            return IcmpError(Stranger(i), Server, type, code, info, about);
        });
        Assert.True(bench.Count(LinuxMib.OutOfWindowIcmps) > 1000);
        Assert.Equal(0, bench.Ipv4.TcpStatistics[TcpMib.EstabResets]);
    }

    [Fact]
    public void ICMP_errors_with_the_right_number_neither_end_a_connection_nor_shrink_it_to_nothing()
    {
        using HostileBench bench = new();
        int least = int.MaxValue;
        bench.Survives(8000, i =>
        {
            if (Honest(bench) is not { } tp)
                return null;
            least = Math.Min(least, tp.MssCache);
            int code = i % 2 == 0 ? ICMP_FRAG_NEEDED : ICMP_PORT_UNREACH;
            byte[] about = ForgeTcp(Server, Port, Client, tp.SkcDport, tp.SndUna, tp.RcvNxt, Ack);
            return IcmpError(Stranger(i), Server, ICMP_DEST_UNREACH, code, code == ICMP_FRAG_NEEDED ? 68u : 0, about);
        });
        Assert.Equal(0, bench.Ipv4.TcpStatistics[TcpMib.EstabResets]);

        // net.ipv4.route.min_pmtu, less the headers and options.
        Assert.InRange(least, 500, 552);
    }

    [Fact]
    public void ICMP_errors_about_connections_that_do_not_exist_are_counted_and_cost_little()
    {
        using HostileBench bench = new();
        Func<int, byte[]?> lie = i => IcmpError(
            Stranger(i), Victim, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, 68, ForgeTcp(Victim, 1024 + i % 60000, Stranger(i), 80, (uint)i, 0, Ack));
        bench.Survives(10_000, lie);
        Assert.True(bench.Ipv4.IcmpStatistics[IcmpMib.InErrors] > 5000);
        bench.WorkStaysEven(lie);
    }

    [Fact]
    public void A_packet_that_claims_to_come_from_its_own_target_goes_nowhere()
    {
        // LAND, to a port that listens and to one that does not, from the device's address and from loopback's.
        using HostileBench bench = new();
        uint[] sources = [Victim, 0x7F000001, 0x0A000001, 0, 0xFFFFFFFF, 0xE0000001];
        Func<int, byte[]?> land = i => ForgeTcp(sources[i % sources.Length], Port, Victim, i % 3 == 0 ? 4000 : Port, (uint)i, 0, Syn);
        bench.Survives(10_000, land);
        Assert.Equal(0, bench.Net.Answers);

        // The honest client's own request.
        Assert.InRange(bench.Net.Peak.Requests, 0, 1);
        Assert.Empty(bench.Net.Strangers);
        bench.WorkStaysEven(land);
    }

    private static TcpSock? Honest(HostileBench bench) =>
        bench.Net.Connections.FirstOrDefault(tp => tp.SkcDaddr == Client && tp.SkcState == TCP_ESTABLISHED);

    private static byte[] Forged(TcpSock tp, byte flags, uint seq, uint ack, int payload = 0) =>
        ForgeTcp(Client, tp.SkcDport, Server, Port, seq, ack, flags, payload: payload);
}
