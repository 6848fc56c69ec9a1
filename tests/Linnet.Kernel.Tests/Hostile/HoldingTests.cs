using System.Net.Sockets;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing.Hostile;
using static Linnet.Testing.Hostile.HostileNet;
using static Linnet.Testing.Hostile.HostilePackets;

namespace Linnet.Kernel.Tests.Hostile;

/// <summary>Peers that make the server keep things: data, fragments, connections.</summary>
public sealed class HoldingTests
{
    private const int Many = 20_000;

    // tcp_rmem's largest and tcp_wmem's largest, for one connection.
    private const long LargestReceive = 32L << 20;
    private const long LargestSend = 4L << 20;

    [Fact]
    public void Segments_of_one_byte_are_charged_for_what_they_take()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        HostileConnection connection = bench.Net.Connect(5000);
        bench.Survives(Many, i => connection.Segment(i, 1));
        Assert.InRange(bench.Net.Peak.TcpMemory, 1, LargestReceive);

        // The pieces are put together when the buffer is short, so that there are not as many packets as bytes.
        Assert.InRange(bench.Net.Peak.Packets, 0, 3000);
        Assert.True(bench.Count(LinuxMib.TCPRcvCoalesce) + bench.Count(LinuxMib.TCPRcvCollapsed) > 0);
    }

    [Fact]
    public void Every_other_byte_out_of_order_is_bounded_too()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        HostileConnection connection = bench.Net.Connect(5000);
        Func<int, byte[]?> holes = i => connection.Segment(2 + 2 * (i * 7919 % 30000), 1);
        bench.Survives(Many, holes);
        Assert.InRange(bench.Net.Peak.TcpMemory, 1, LargestReceive);
        bench.WorkStaysEven(holes);
    }

    [Fact]
    public void Blocks_of_SACK_that_cut_what_was_sent_to_pieces_cost_little_each()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        HostileConnection connection = bench.Net.Connect(5000, options: [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 10]);
        bench.Net.RunFor(TimeSpan.FromMilliseconds(1));
        Task sending = Write(bench, 0, 500_000);
        bench.Net.RunFor(TimeSpan.FromMilliseconds(10));
        Random random = new(5);
        Func<int, byte[]?> bomb = _ => connection.Segment(0, 0, options: SackBlocks(connection.Ack, random));
        bench.Survives(5000, bomb);
        bench.WorkStaysEven(bomb, between: 2000, most: 600);
        Assert.InRange(bench.Net.Peak.TcpMemory, 1, LargestSend + LargestReceive);
        _ = sending;
    }

    [Fact]
    public void Windows_that_stay_shut_hold_a_send_buffer_each_and_are_probed_seldom()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        const int Holders = 50;
        HostileConnection[] holders = [.. Enumerable.Range(0, Holders).Select(i => bench.Net.Connect(5000 + i, window: 0))];
        bench.Net.RunFor(TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < Holders; i++)
            _ = Write(bench, i, 10_000_000);
        bench.Survives(Many, i => holders[i % Holders].Segment(0, 0, win: 0));
        Assert.InRange(bench.Net.Sample().TcpMemory, 1, Holders * LargestSend);
        int before = bench.Net.Answers;
        bench.Net.Attack(600, TimeSpan.FromMinutes(10), i => holders[i % Holders].Segment(0, 0, win: 0));

        // A probe each two minutes at last, and answers to those that he sends.
        Assert.InRange(bench.Net.Answers - before, 0, Holders * 30 + 600);
    }

    [Fact]
    public void Connections_that_nobody_owns_any_more_end_although_their_windows_stay_shut()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        HostileConnection[] holders = [.. Enumerable.Range(0, 20).Select(i => bench.Net.Connect(5000 + i, window: 0))];
        bench.Net.RunFor(TimeSpan.FromMilliseconds(1));
        for (int i = 0; i < holders.Length; i++)
            _ = Write(bench, i, 10_000);
        bench.Net.RunFor(TimeSpan.FromMilliseconds(10));
        foreach (LinnetSocket stranger in bench.Net.Strangers)
            stranger.Dispose();
        Assert.Equal(20, TcpMachine.Of(bench.Net.Machine).OrphanCount);
        bench.Net.RunFor(TimeSpan.FromMinutes(20));
        Assert.Equal(0, TcpMachine.Of(bench.Net.Machine).OrphanCount);
        Assert.Equal(0, bench.Net.Sample().TcpMemory);
    }

    [Fact]
    public void Slow_readers_hold_no_more_than_a_send_buffer()
    {
        using HostileBench bench = new();
        bench.Net.ReadsStrangers = false;
        HostileConnection reader = bench.Net.Connect(5000, window: 100);
        bench.Net.RunFor(TimeSpan.FromMilliseconds(1));
        _ = Write(bench, 0, 50_000_000);

        // He takes a byte at a time and opens the window by as little.
        bench.Survives(Many, i => reader.Segment(0, 0, win: 1 + i % 100, ack: reader.Ack + (uint)i / 100));
        Assert.InRange(bench.Net.Peak.TcpMemory, 1, LargestSend + LargestReceive);
    }

    [Fact]
    public void Fragments_that_never_complete_stay_within_their_limit_and_time()
    {
        using HostileBench bench = new();
        Func<int, byte[]?> fragment = i => ForgeIp(Stranger(i), Victim, IPPROTO_UDP, new byte[1000], i % 65536, IP_MF);
        bench.Survives(Many, fragment);
        Assert.InRange(bench.Net.Peak.FragmentMemory, 1 << 20, (4 << 20) + 4096);
        bench.Net.RunFor(TimeSpan.FromSeconds(31));
        Assert.Equal((0, 0), (bench.Ipv4.FragQueues.Count, bench.Ipv4.FragQueues.Memory));
    }

    [Fact]
    public void Datagrams_that_are_begun_cannot_be_filled_beyond_the_limit()
    {
        using HostileBench bench = new();

        // Two thousand begun first, then filled with pieces of eight bytes that never close the gap.
        bench.Survives(60_000, i => i < 2000
            ? ForgeIp(Attacker, Victim, IPPROTO_UDP, new byte[8], i, IP_MF)
            : ForgeIp(Attacker, Victim, IPPROTO_UDP, new byte[8], i % 2000, IP_MF | 2 + 2 * (i / 2000)));
        Assert.InRange(bench.Net.Peak.FragmentMemory, 1 << 20, (4 << 20) + 4096);
        Assert.True(bench.Ipv4.IpStatistics[IpstatsMib.ReasmFails] > 10_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Many_small_fragments_of_one_datagram_are_sorted_quickly_in_any_order(bool backwards)
    {
        using HostileBench bench = new();
        Func<int, byte[]?> piece = i => ForgeIp(
            Attacker, Victim, IPPROTO_UDP, new byte[8], 1 + i / 4000, IP_MF | 1 + (backwards ? 8000 - 2 * (i % 4000) : 2 * (i % 4000)));
        bench.Survives(Many, piece);
        bench.WorkStaysEven(piece);
        Assert.InRange(bench.Net.Peak.FragmentMemory, 1 << 19, (4 << 20) + 4096);
    }

    [Fact]
    public void Fragments_that_overlap_take_their_datagram_with_them()
    {
        using HostileBench bench = new();
        Random random = new(6);
        bench.Survives(Many, i => ForgeIp(
            Stranger(i % 50), Victim, IPPROTO_UDP, new byte[8 * random.Next(1, 20)], i % 7, (random.Next(4) == 0 ? 0 : IP_MF) | random.Next(0, 200)));
        Assert.True(bench.Ipv4.IpStatistics[IpstatsMib.ReasmOverlaps] > 100);
        Assert.InRange(bench.Net.Peak.FragmentMemory, 0, (4 << 20) + 4096);
    }

    private static async Task Write(HostileBench bench, int stranger, int bytes)
    {
        try
        {
            await bench.Net.Strangers[stranger].SendAsync(new byte[bytes]);
        }
        catch (Exception e) when (e is LinnetSocketException or ObjectDisposedException)
        {
            // He went away, or the test is over.
        }
    }

    // Three blocks of one segment or less each, anywhere in what was sent.
    private static byte[] SackBlocks(uint una, Random random)
    {
        byte[] options = [1, 1, 5, 26, .. new byte[24]];
        for (int block = 0; block < 3; block++)
        {
            uint left = una + 1 + (uint)random.Next(100_000);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(options.AsSpan(4 + 8 * block), left);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(options.AsSpan(8 + 8 * block), left + (uint)random.Next(1, 1000));
        }

        return options;
    }
}
