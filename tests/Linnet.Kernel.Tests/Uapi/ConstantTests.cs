using System.Reflection;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Uapi;

/// <summary>The constants as a whole, and the names of the counters.</summary>
public sealed class ConstantTests
{
    [Fact]
    public void No_name_is_given_by_two_headers()
    {
        // Every class is imported everywhere, so a name in two of them could not be used at all.
        var twice = typeof(Errno).Assembly.GetTypes()
            .Where(type => type is { Namespace: "Linnet.Kernel.Uapi", IsAbstract: true, IsSealed: true })
            .SelectMany(type => type.GetFields(BindingFlags.Public | BindingFlags.Static))
            .Where(field => field.IsLiteral)
            .GroupBy(field => field.Name)
            .Where(group => group.Count() > 1)
            .Select(group => group.Key);

        Assert.Empty(twice);
    }

    [Fact]
    public void Counters_stand_in_the_order_of_proc()
    {
        Assert.Equal("InReceives", SnmpNames.Ip[0]);
        Assert.Equal("OutTransmits", SnmpNames.Ip[^1]);
        Assert.Equal("InNoRoutes", SnmpNames.IpExt[0]);
        Assert.Equal("ReasmOverlaps", SnmpNames.IpExt[^1]);
        Assert.Equal("SyncookiesSent", SnmpNames.TcpExt[0]);
        Assert.Equal("ListenOverflows", SnmpNames.TcpExt[(int)LinuxMib.ListenOverflows]);
        Assert.Equal("TCPAODroppedIcmps", SnmpNames.TcpExt[^1]);
        Assert.Equal("RetransSegs", SnmpNames.Tcp[(int)TcpMib.RetransSegs]);
        Assert.Equal("NoPorts", SnmpNames.Udp[(int)UdpMib.NoPorts]);
        Assert.Equal((18, 18), (SnmpNames.Ip.Length, SnmpNames.IpExt.Length));
        Assert.Equal((15, 9), (SnmpNames.Tcp.Length, SnmpNames.Udp.Length));
    }

    [Fact]
    public void Sent_and_received_types_of_icmp_have_counters_of_their_own()
    {
        Assert.Equal(8, IcmpMsgMib.In(ICMP_ECHO));
        Assert.Equal(264, IcmpMsgMib.Out(ICMP_ECHO));
    }
}
