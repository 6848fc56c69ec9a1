using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The multicast groups that the host is in on each device. Nothing is reported to routers yet.</summary>
[LinuxFile("net/ipv4/igmp.c")]
public static class Igmp
{
    /// <summary>Counts one more user of a group (<c>ip_mc_inc_group</c>).</summary>
    [Linux("ip_mc_inc_group")]
    public static void IpMcIncGroup(InDevice inDev, uint addr)
    {
        inDev.McList.Change(addr, 1);
        Route.RtCacheFlush(inDev.Dev.Net);
    }

    /// <summary>Counts one user less of a group; the last one ends the membership (<c>ip_mc_dec_group</c>).</summary>
    [Linux("__ip_mc_dec_group")]
    public static void IpMcDecGroup(InDevice inDev, uint addr)
    {
        Bug.On(inDev.McList.Change(addr, -1) < 0);
        Route.RtCacheFlush(inDev.Dev.Net);
    }

    /// <summary>Whether packets for a group that come in on a device are for this host (<c>ip_check_mc_rcu</c>).</summary>
    /// <param name="inDev">The device.</param>
    /// <param name="mcAddr">The group.</param>
    /// <param name="srcAddr">The sender.</param>
    /// <param name="proto">Transport protocol.</param>
    [Linux("ip_check_mc_rcu")]
    public static bool IpCheckMc(InDevice inDev, uint mcAddr, uint srcAddr, byte proto) => inDev.McList.Contains(mcAddr);
}
