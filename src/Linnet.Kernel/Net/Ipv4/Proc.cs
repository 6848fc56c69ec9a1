using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The counters of the IPv4 protocols in <c>/proc/net</c>.</summary>
[LinuxFile("net/ipv4/proc.c")]
public static class Proc
{
    /// <summary>Registers the files.</summary>
    [Linux("ip_misc_proc_init")]
    public static void IpMiscProcInit(Machine machine)
    {
        ProcNet proc = ProcNet.Of(machine);
        proc.Register("snmp", SnmpSeqShow);
        proc.Register("netstat", NetstatSeqShow);
        proc.Register("sockstat", SockstatSeqShow);
        proc.Register("arp", ArpProc.ArpSeqShow);
        proc.Register("route", FibProc.FibRouteSeqShow);
    }

    [Linux("snmp_seq_show")]
    private static void SnmpSeqShow(NetNamespace net, StringBuilder seq)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        int forwarding = ipv4.DevconfAll[Ipv4Devconf.Forwarding] != 0 ? 1 : 2;
        long[] settings = [forwarding, ipv4.SysctlDefaultTtl];
        Group(seq, "Ip", ["Forwarding", "DefaultTTL", .. SnmpNames.Ip],
            [.. settings, .. Values(ipv4.IpStatistics, 0, SnmpNames.IpCount)]);
        IcmpPut(ipv4, seq);
        IcmpmsgPut(ipv4, seq);
        Group(seq, "Tcp", SnmpNames.Tcp, TcpValues(ipv4));
        Group(seq, "Udp", SnmpNames.Udp, Values(ipv4.UdpStatistics, 0, SnmpNames.Udp.Length));
        // UDP-Lite is not spoken here; readers expect the line.
        Group(seq, "UdpLite", SnmpNames.Udp, new long[SnmpNames.Udp.Length]);
    }

    [Linux("netstat_seq_show")]
    private static void NetstatSeqShow(NetNamespace net, StringBuilder seq)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        Group(seq, "TcpExt", SnmpNames.TcpExt, Values(ipv4.NetStatistics, 0, SnmpNames.TcpExt.Length));
        Group(seq, "IpExt", SnmpNames.IpExt, Values(ipv4.IpStatistics, SnmpNames.IpCount, SnmpNames.IpExt.Length));
    }

    [Linux("sockstat_seq_show")]
    private static void SockstatSeqShow(NetNamespace net, StringBuilder seq)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        TcpMachine tcp = ipv4.TcpMachine;
        seq.Append(CultureInfo.InvariantCulture, $"sockets: used {net.NetnsCore.SocketsInuse}\n");
        seq.Append(CultureInfo.InvariantCulture, $"TCP: inuse {ipv4.TcpInuse} orphan {tcp.OrphanCount} tw {ipv4.TcpDeathRow.TwCount} ");
        seq.Append(CultureInfo.InvariantCulture, $"alloc {tcp.Memory.SocketsAllocated} mem {tcp.Memory.Allocated}\n");
        seq.Append(CultureInfo.InvariantCulture, $"UDP: inuse {UdpInuse(net)} mem {UdpTable.Of(net.Machine).Memory.Allocated}\n");
        seq.Append("UDPLITE: inuse 0\n");
        seq.Append(CultureInfo.InvariantCulture, $"RAW: inuse {RawInuse(net)}\n");
        seq.Append(CultureInfo.InvariantCulture, $"FRAG: inuse {ipv4.FragQueues.Count} memory {ipv4.FragQueues.Memory}\n");
    }

    [Linux("icmp_put")]
    private static void IcmpPut(NetnsIpv4 ipv4, StringBuilder seq)
    {
        List<string> names = ["InMsgs", "InErrors", "InCsumErrors"];
        List<long> values = [.. new[] { IcmpMib.InMsgs, IcmpMib.InErrors, IcmpMib.InCsumErrors }.Select(c => ipv4.IcmpStatistics[c])];
        AddTypes("In", IcmpMsgMib.In);
        names.AddRange(["OutMsgs", "OutErrors", "OutRateLimitGlobal", "OutRateLimitHost"]);
        values.AddRange(new[] { IcmpMib.OutMsgs, IcmpMib.OutErrors, IcmpMib.OutRateLimitGlobal, IcmpMib.OutRateLimitHost }
            .Select(c => ipv4.IcmpStatistics[c]));
        AddTypes("Out", IcmpMsgMib.Out);
        Group(seq, "Icmp", [.. names], [.. values]);

        void AddTypes(string direction, Func<int, int> indexOf)
        {
            foreach ((string name, int type) in IcmpMsgMib.Named)
            {
                names.Add(direction + name);
                values.Add(ipv4.IcmpmsgStatistics.Read(indexOf(type)));
            }
        }
    }

    // Only types that were seen are shown, sixteen in a line.
    [Linux("icmpmsg_put")]
    private static void IcmpmsgPut(NetnsIpv4 ipv4, StringBuilder seq)
    {
        const int PerLine = 16;
        List<(string Name, long Value)> seen = [];
        for (int i = 0; i < IcmpMsgMib.Max; i++)
        {
            long value = ipv4.IcmpmsgStatistics.Read(i);
            if (value != 0)
                seen.Add(($"{(i < IcmpMsgMib.OutBase ? "In" : "Out")}Type{i & 0xff}", value));
        }

        foreach ((string Name, long Value)[] line in seen.Chunk(PerLine))
            Group(seq, "IcmpMsg", [.. line.Select(e => e.Name)], [.. line.Select(e => e.Value)]);
    }

    private static void Group(StringBuilder seq, string name, ReadOnlySpan<string> names, ReadOnlySpan<long> values)
    {
        seq.Append(name).Append(':');
        foreach (string each in names)
            seq.Append(' ').Append(each);
        seq.Append('\n').Append(name).Append(':');
        foreach (long value in values)
            seq.Append(' ').Append(value.ToString(CultureInfo.InvariantCulture));
        seq.Append('\n');
    }

    private static long[] Values(SnmpCounters counters, int first, int count) =>
        [.. Enumerable.Range(first, count).Select(counters.Read)];

    // The first four are constants of the protocol: Van Jacobson's algorithm, 200 ms, 120 s, no limit (RFC 4022).
    private static long[] TcpValues(NetnsIpv4 ipv4)
    {
        long[] values = Values(ipv4.TcpStatistics, 0, SnmpNames.Tcp.Length);
        values[(int)TcpMib.RtoAlgorithm] = 1;
        values[(int)TcpMib.RtoMin] = 200;
        values[(int)TcpMib.RtoMax] = 120_000;
        values[(int)TcpMib.MaxConn] = -1;
        return values;
    }

    internal static int UdpInuse(NetNamespace net)
    {
        UdpTable table = UdpTable.Of(net.Machine);
        int count = 0;
        for (int slot = 0; slot < UdpTable.Size; slot++)
        {
            foreach (UdpSock sk in table.Hash(slot).Socks)
                count += sk.SkcNet == net ? 1 : 0;
        }

        return count;
    }

    internal static int RawInuse(NetNamespace net)
    {
        RawTable table = RawTable.Of(net.Machine);
        int count = 0;
        for (int protocol = 0; protocol < 256; protocol++)
        {
            foreach (RawSock sk in table[protocol])
                count += sk.SkcNet == net ? 1 : 0;
        }

        return count;
    }
}

/// <summary>The neighbours in <c>/proc/net/arp</c>.</summary>
[LinuxFile("net/ipv4/arp.c")]
internal static class ArpProc
{
    [Linux("arp_seq_show")]
    internal static void ArpSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("IP address       HW type     Flags       HW address            Mask     Device\n");
        foreach (Neighbour n in net.Ipv4.ArpTbl.Snapshot().Where(n => (n.NudState & Nud.NOARP) == 0).OrderBy(n => n.Key))
        {
            string ha = string.Join(':', n.Ha.ToArray().Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));
            seq.Append(CultureInfo.InvariantCulture, $"{Ipv4Addr.Text((uint)n.Key),-16} 0x{n.Dev.Type.ToString("x", CultureInfo.InvariantCulture),-10}")
                .Append(CultureInfo.InvariantCulture, $"0x{Arp.FlagsOf(n).ToString("x", CultureInfo.InvariantCulture),-10}{ha,-17}     *        {n.Dev.Name}\n");
        }

        const int Published = ATF_PUBL | ATF_PERM;
        foreach (PneighEntry proxy in net.Ipv4.ArpTbl.Proxies)
        {
            seq.Append(CultureInfo.InvariantCulture, $"{Ipv4Addr.Text((uint)proxy.Key),-16} 0x{(proxy.Dev?.Type ?? 0).ToString("x", CultureInfo.InvariantCulture),-10}")
                .Append(CultureInfo.InvariantCulture, $"0x{Published.ToString("x", CultureInfo.InvariantCulture),-10}00:00:00:00:00:00     *        {proxy.Dev?.Name ?? "*"}\n");
        }
    }
}

/// <summary>The main table in <c>/proc/net/route</c>.</summary>
[LinuxFile("net/ipv4/fib_trie.c")]
internal static class FibProc
{
    private const int Width = 127;

    [Linux("fib_route_seq_show")]
    internal static void FibRouteSeqShow(NetNamespace net, StringBuilder seq)
    {
        Line(seq, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
        foreach ((uint prefix, int length, FibAlias fa) in net.Ipv4.FibGetTable(RT_TABLE_MAIN)!.Snapshot())
        {
            if (fa.Type is RTN_BROADCAST or RTN_MULTICAST)
                continue;
            FibInfo fi = fa.Info;
            int flags = RTF_UP | (fa.Type is RTN_UNREACHABLE or RTN_PROHIBIT ? RTF_REJECT : 0)
                | (fi.Nh.NhGw != 0 ? RTF_GATEWAY : 0) | (length == 32 ? RTF_HOST : 0);
            uint advmss = fi.FibMetrics[RTAX_ADVMSS];
            Line(seq, string.Create(CultureInfo.InvariantCulture,
                $"{fi.Nh.NhDev?.Name ?? "*"}\t{Raw(prefix):X8}\t{Raw(fi.Nh.NhGw):X8}\t{flags:X4}\t0\t0\t{fi.FibPriority}\t{Raw(InIfaddr.InetMakeMask(length)):X8}\t{(advmss != 0 ? advmss + 40 : 0)}\t{fi.FibMetrics[RTAX_WINDOW]}\t{fi.FibMetrics[RTAX_RTT] >> 3}"));
        }
    }

    // Addresses are shown as a little-endian machine reads them out of memory.
    private static uint Raw(uint addr) => BinaryPrimitives.ReverseEndianness(addr);

    private static void Line(StringBuilder seq, string text) => seq.Append(text.PadRight(Width)).Append('\n');
}
