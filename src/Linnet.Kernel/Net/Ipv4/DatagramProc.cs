using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The texts of <c>/proc/net/udp</c>, <c>/proc/net/icmp</c> and <c>/proc/net/raw</c>.</summary>
[LinuxFile("net/ipv4/udp.c")]
internal static class DatagramProc
{
    // Lines of udp and icmp are padded to this width, those of raw are not.
    private const int LineWidth = 127;

    private const string Header =
        "sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        + " ref pointer drops";

    /// <summary>Registers the files.</summary>
    [Linux("udp4_proc_init")]
    public static void Udp4ProcInit(Machine machine)
    {
        ProcNet proc = ProcNet.Of(machine);
        proc.Register("udp", Udp4SeqShow);
        proc.Register("icmp", PingV4SeqShow);
        proc.Register("raw", RawSeqShow);
    }

    [Linux("udp4_seq_show")]
    private static void Udp4SeqShow(NetNamespace net, StringBuilder seq)
    {
        Padded(seq, "   " + Header);
        UdpTable table = UdpTable.Of(net.Machine);
        for (int slot = 0; slot < UdpTable.Size; slot++)
        {
            foreach (UdpSock sk in table.Hash(slot).Socks)
            {
                if (sk.SkcNet == net && sk.SkcFamily == AF_INET)
                    Padded(seq, $"{slot,5}: {Line(sk)}");
            }
        }
    }

    [Linux("ping_v4_seq_show", "net/ipv4/ping.c")]
    private static void PingV4SeqShow(NetNamespace net, StringBuilder seq)
    {
        Padded(seq, "  " + Header);
        foreach (InetSock sk in PingTable.Of(net.Machine).All)
        {
            if (sk.SkcNet == net)
                Padded(seq, $"{PingTable.SlotOf(net, sk.SkcNum),5}: {Line(sk)}");
        }
    }

    [Linux("raw_seq_show", "net/ipv4/raw.c")]
    private static void RawSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("  ").Append(Header).Append('\n');
        RawTable table = RawTable.Of(net.Machine);
        for (int protocol = 0; protocol < 256; protocol++)
        {
            foreach (RawSock sk in table[protocol])
            {
                if (sk.SkcNet == net)
                    seq.Append(CultureInfo.InvariantCulture, $"{protocol,4}: {Line(sk)}\n");
            }
        }
    }

    private static string Line(InetSock sk) => string.Create(
        CultureInfo.InvariantCulture,
        $"{Raw(sk.SkcRcvSaddr):X8}:{sk.InetSport:X4} {Raw(sk.SkcDaddr):X8}:{sk.SkcDport:X4} {sk.SkState:X2}"
        + $" {sk.SkWmemAllocGet:X8}:{Volatile.Read(ref sk.SkRmemAlloc):X8} {0:X2}:{0:X8} {0:X8} {sk.SkUid,5} {0,8}"
        + $" {sk.SkSocket?.Ino ?? 0} {sk.SkcRefcnt} {0:x16} {Volatile.Read(ref sk.SkDrops)}");

    // The four bytes of the address as x86 reads them.
    private static uint Raw(uint address) => BinaryPrimitives.ReverseEndianness(address);

    private static void Padded(StringBuilder seq, string line) => seq.Append(line.PadRight(LineWidth)).Append('\n');
}
