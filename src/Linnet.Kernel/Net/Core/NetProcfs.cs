using System.Globalization;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>The device counters in <c>/proc/net</c>.</summary>
[LinuxFile("net/core/net-procfs.c")]
public static class NetProcfs
{
    /// <summary>Registers the files.</summary>
    [Linux("dev_proc_init")]
    public static void DevProcInit(Machine machine)
    {
        ProcNet.Of(machine).Register("dev", DevSeqShow);
        DevAddrLists.DevMcastInit(machine);
        ProtoList.ProtoInit(machine);
    }

    [Linux("dev_seq_show")]
    private static void DevSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("Inter-|   Receive                                                |  Transmit\n")
            .Append(" face |bytes    packets errs drop fifo frame compressed multicast|")
            .Append("bytes    packets errs drop fifo colls carrier compressed\n");
        foreach (NetDevice dev in net.Devices.All)
        {
            ref NetDeviceStats stats = ref dev.Stats;
            seq.Append(CultureInfo.InvariantCulture, $"{dev.Name,6}: {stats.RxBytes,7} {stats.RxPackets,7} {stats.RxErrors,4} ")
                .Append(CultureInfo.InvariantCulture, $"{stats.RxDropped,4} {0,4} {0,5} {0,10} {stats.Multicast,9} ")
                .Append(CultureInfo.InvariantCulture, $"{stats.TxBytes,8} {stats.TxPackets,7} {stats.TxErrors,4} {stats.TxDropped,4} ")
                .Append(CultureInfo.InvariantCulture, $"{0,4} {0,5} {stats.TxCarrierErrors,7} {0,10}\n");
        }
    }
}
