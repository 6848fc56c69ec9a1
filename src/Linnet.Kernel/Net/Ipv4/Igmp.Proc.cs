using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The texts of <c>/proc/net/igmp</c> and <c>/proc/net/mcfilter</c>.</content>
public static partial class Igmp
{
    /// <summary>Registers the files.</summary>
    [Linux("igmp_mc_init")]
    internal static void IgmpMcInit(Machine machine)
    {
        ProcNet proc = ProcNet.Of(machine);
        proc.Register("igmp", IgmpMcSeqShow);
        proc.Register("mcfilter", IgmpMcfSeqShow);
    }

    [Linux("igmp_mc_seq_show")]
    private static void IgmpMcSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
        foreach (NetDevice dev in net.Devices.All)
        {
            if (InDevice.Get(dev) is not { } inDev || inDev.McList is not { Length: > 0 } groups)
                continue;
            string querier = IgmpV1Seen(inDev) ? "V1" : IgmpV2Seen(inDev) ? "V2" : "V3";
            seq.Append(CultureInfo.InvariantCulture, $"{dev.Ifindex}\t{dev.Name,-10}: {groups.Length,5} {querier,7}\n");
            foreach (IpMcList im in groups)
            {
                // In hundredths of a second, whatever the tick is (USER_HZ).
                long left = im.TmRunning ? (im.Timer!.Expires - net.Machine.Clock.Now) / 10_000_000 : 0;
                seq.Append(CultureInfo.InvariantCulture, $"\t\t\t\t{BinaryPrimitives.ReverseEndianness(im.Multiaddr):X8} {im.Users,5} ")
                    .Append(CultureInfo.InvariantCulture, $"{(im.TmRunning ? 1 : 0)}:{Math.Max(left, 0):X8}\t\t{(im.Reporter ? 1 : 0)}\n");
            }
        }
    }

    [Linux("igmp_mcf_seq_show")]
    private static void IgmpMcfSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("Idx Device        MCA        SRC    INC    EXC\n");
        foreach (NetDevice dev in net.Devices.All)
        {
            foreach (IpMcList im in InDevice.Get(dev)?.McList ?? [])
            {
                string name = dev.Name.Length > 6 ? dev.Name[..6] : dev.Name;
                foreach (IpSfList psf in im.Sources)
                {
                    seq.Append(CultureInfo.InvariantCulture, $"{dev.Ifindex,3} {name,6} 0x{im.Multiaddr:x8} 0x{psf.SfInaddr:x8} ")
                        .Append(CultureInfo.InvariantCulture, $"{psf.SfCount[MCAST_INCLUDE],6} {psf.SfCount[MCAST_EXCLUDE],6}\n");
                }
            }
        }
    }
}
