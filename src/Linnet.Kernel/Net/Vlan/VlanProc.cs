using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Vlan;

/// <summary>The texts in <c>/proc/net/vlan</c>: <c>config</c>, and one for each VLAN device.</summary>
[LinuxFile("net/8021q/vlanproc.c")]
internal static class VlanProc
{
    [Linux("vlan_proc_init")]
    internal static void VlanProcInit(Machine machine) => ProcNet.Of(machine).Register("vlan/config", VlanSeqShow);

    [Linux("vlan_proc_add_dev")]
    internal static void VlanProcAddDev(NetDevice dev)
    {
        string name = VlanDev.PrivOf(dev)!.ProcName = dev.Name;
        ProcNet.Of(dev.Net.Machine).Register($"vlan/{name}", (net, seq) =>
        {
            if (net.Devices.DevGetByName(name) is { } vlanDev)
                VlandevSeqShow(vlanDev, seq);
        });
    }

    // Other namespaces may have a device of the same name.
    [Linux("vlan_proc_rem_dev")]
    internal static void VlanProcRemDev(NetDevice dev)
    {
        string name = VlanDev.PrivOf(dev)!.ProcName;
        if (!dev.Net.Core.Namespaces.Any(net => net.Devices.DevGetByName(name) is { Priv: VlanDevPriv }))
            ProcNet.Of(dev.Net.Machine).Unregister($"vlan/{name}");
    }

    [Linux("vlan_seq_show")]
    private static void VlanSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\n");
        foreach (NetDevice dev in net.Devices.All)
        {
            if (VlanDev.PrivOf(dev) is { } vlan)
                seq.Append(CultureInfo.InvariantCulture, $"{dev.Name,-15}| {vlan.VlanId}  | {vlan.RealDev.Name}\n");
        }
    }

    [Linux("vlandev_seq_show")]
    private static void VlandevSeqShow(NetDevice dev, StringBuilder seq)
    {
        const int IFF_802_1Q_VLAN = 1;
        if (VlanDev.PrivOf(dev) is not { } vlan)
            return;
        ref NetDeviceStats stats = ref dev.Stats;
        seq.Append(
            CultureInfo.InvariantCulture,
            $"{dev.Name}  VID: {vlan.VlanId}\t REORDER_HDR: {(int)(vlan.Flags & VlanFlags.ReorderHdr)}  dev->priv_flags: {IFF_802_1Q_VLAN:x}\n");
        Line("total frames received", stats.RxPackets);
        Line("total bytes received", stats.RxBytes);
        Line("Broadcast/Multicast Rcvd", stats.Multicast);
        seq.Append('\n');
        Line("total frames transmitted", stats.TxPackets);
        Line("total bytes transmitted", stats.TxBytes);
        uint[] map = vlan.IngressPriorityMap;
        seq.Append(CultureInfo.InvariantCulture, $"Device: {vlan.RealDev.Name}\nINGRESS priority mappings: 0:{map[0]}  1:{map[1]}  2:{map[2]}  ")
            .Append(CultureInfo.InvariantCulture, $"3:{map[3]}  4:{map[4]}  5:{map[5]}  6:{map[6]} 7:{map[7]}\n EGRESS priority mappings: ");
        foreach ((uint priority, ushort qos) in vlan.EgressPriorityMap)
            seq.Append(CultureInfo.InvariantCulture, $"{priority}:{qos} ");
        seq.Append('\n');

        void Line(string what, long value) => seq.Append(CultureInfo.InvariantCulture, $"{what,30} {value,12}\n");
    }
}
