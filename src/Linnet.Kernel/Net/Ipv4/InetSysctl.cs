using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The settings of datagram sockets and multicast groups, under Linux's paths.</summary>
internal sealed class InetSysctl : PernetOperations
{
    public override int Init(NetNamespace net)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        SysctlTable table = net.Sysctl;
        table.Register("net.ipv4.ip_nonlocal_bind", new SysctlInt(
            () => ipv4.SysctlIpNonlocalBind, v => ipv4.SysctlIpNonlocalBind = (byte)v, 0, 1));
        table.Register("net.ipv4.igmp_max_memberships", new SysctlInt(
            () => ipv4.SysctlIgmpMaxMemberships, v => ipv4.SysctlIgmpMaxMemberships = (int)v));
        table.Register("net.ipv4.igmp_max_msf", new SysctlInt(
            () => ipv4.SysctlIgmpMaxMsf, v => ipv4.SysctlIgmpMaxMsf = (int)v));
        table.Register("net.ipv4.igmp_qrv", new SysctlInt(
            () => ipv4.SysctlIgmpQrv, v => ipv4.SysctlIgmpQrv = (int)v, 1));
        table.Register("net.ipv4.igmp_link_local_mcast_reports", new SysctlInt(
            () => ipv4.SysctlIgmpLlmReports ? 1 : 0, v => ipv4.SysctlIgmpLlmReports = v != 0, 0, 1));
        table.Register("net.ipv4.ping_group_range", new SysctlInts(
            () => [ipv4.PingGroupRange.Low, ipv4.PingGroupRange.High], values => SetPingGroupRange(ipv4, values)));
        ProtoMemory memory = UdpTable.Of(net.Machine).Memory;
        table.Register("net.ipv4.udp_mem", new SysctlInts(
            () => [.. memory.Limits],
            values =>
            {
                memory.Limits = values;
                return 0;
            }));
        return 0;
    }

    // An upside-down range means nobody, which Linux stores as 1 0; group numbers have 32 bits.
    private static int SetPingGroupRange(NetnsIpv4 ipv4, long[] values)
    {
        if (values[0] is < 0 or > uint.MaxValue - 1 || values[1] is < 0 or > uint.MaxValue - 1)
            return -EINVAL;
        ipv4.PingGroupRange = values[1] < values[0] ? (1, 0) : ((uint)values[0], (uint)values[1]);
        return 0;
    }
}
