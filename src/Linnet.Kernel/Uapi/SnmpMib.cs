namespace Linnet.Kernel.Uapi;

/// <summary>
/// Counters of IP: first the group Ip of /proc/net/snmp, then IpExt of /proc/net/netstat, under the names shown
/// there.
/// </summary>
public enum IpstatsMib
{
    InReceives,
    InHdrErrors,
    InAddrErrors,
    ForwDatagrams,
    InUnknownProtos,
    InDiscards,
    InDelivers,
    OutRequests,
    OutDiscards,
    OutNoRoutes,
    ReasmTimeout,
    ReasmReqds,
    ReasmOKs,
    ReasmFails,
    FragOKs,
    FragFails,
    FragCreates,
    OutTransmits,
    InNoRoutes,
    InTruncatedPkts,
    InMcastPkts,
    OutMcastPkts,
    InBcastPkts,
    OutBcastPkts,
    InOctets,
    OutOctets,
    InMcastOctets,
    OutMcastOctets,
    InBcastOctets,
    OutBcastOctets,
    InCsumErrors,
    InNoECTPkts,
    InECT1Pkts,
    InECT0Pkts,
    InCEPkts,
    ReasmOverlaps,
}

/// <summary>Counters of ICMP that are not per type, under their names in /proc/net/snmp.</summary>
public enum IcmpMib
{
    InMsgs,
    InErrors,
    InCsumErrors,
    OutMsgs,
    OutErrors,
    OutRateLimitGlobal,
    OutRateLimitHost,
}

/// <summary>Group Tcp of /proc/net/snmp. The first four are settings, CurrEstab is a gauge, the rest count.</summary>
public enum TcpMib
{
    RtoAlgorithm,
    RtoMin,
    RtoMax,
    MaxConn,
    ActiveOpens,
    PassiveOpens,
    AttemptFails,
    EstabResets,
    CurrEstab,
    InSegs,
    OutSegs,
    RetransSegs,
    InErrs,
    OutRsts,
    InCsumErrors,
}

/// <summary>Groups Udp and UdpLite of /proc/net/snmp.</summary>
public enum UdpMib
{
    InDatagrams,
    NoPorts,
    InErrors,
    OutDatagrams,
    RcvbufErrors,
    SndbufErrors,
    InCsumErrors,
    IgnoredMulti,
    MemErrors,
}
