using System.Globalization;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A multicast link address that a device is to take (<c>struct netdev_hw_addr</c>).</summary>
/// <param name="addr">The address.</param>
[LinuxStruct("netdev_hw_addr")]
public sealed class NetdevHwAddr(byte[] addr)
{
    /// <summary>The address.</summary>
    public byte[] Addr { get; } = addr;

    /// <summary>How many want it.</summary>
    public int Refcount { get; internal set; } = 1;

    /// <summary>Whether a user asked for it, rather than a protocol.</summary>
    public bool GlobalUse { get; internal set; }
}

/// <summary>The multicast link addresses of devices, changed under the lock of the namespace's table of devices.</summary>
[LinuxFile("net/core/dev_addr_lists.c")]
public static class DevAddrLists
{
    /// <summary>A protocol wants frames to an address (<c>dev_mc_add</c>).</summary>
    [Linux("dev_mc_add")]
    public static void DevMcAdd(NetDevice dev, ReadOnlySpan<byte> addr) => DevMcAddCore(dev, addr, global: false);

    /// <summary>A user wants frames to an address; asking again changes nothing (<c>dev_mc_add_global</c>).</summary>
    [Linux("dev_mc_add_global")]
    public static void DevMcAddGlobal(NetDevice dev, ReadOnlySpan<byte> addr) => DevMcAddCore(dev, addr, global: true);

    /// <summary>A protocol does not want it any more (<c>dev_mc_del</c>).</summary>
    /// <returns>0, or -ENOENT when nobody wanted it.</returns>
    [Linux("dev_mc_del")]
    public static int DevMcDel(NetDevice dev, ReadOnlySpan<byte> addr) => DevMcDelCore(dev, addr, global: false);

    /// <summary>A user does not want it any more (<c>dev_mc_del_global</c>).</summary>
    /// <returns>0, or -ENOENT when no user wanted it.</returns>
    [Linux("dev_mc_del_global")]
    public static int DevMcDelGlobal(NetDevice dev, ReadOnlySpan<byte> addr) => DevMcDelCore(dev, addr, global: true);

    /// <summary>Registers <c>/proc/net/dev_mcast</c>.</summary>
    [Linux("dev_mcast_init", "net/core/net-procfs.c")]
    internal static void DevMcastInit(Machine machine) => ProcNet.Of(machine).Register("dev_mcast", DevMcSeqShow);

    [Linux("__dev_mc_add")]
    private static void DevMcAddCore(NetDevice dev, ReadOnlySpan<byte> addr, bool global)
    {
        lock (dev.Net.Devices)
        {
            if (Find(dev, addr) is { } ha)
            {
                if (global && ha.GlobalUse)
                    return;
                ha.GlobalUse |= global;
                ha.Refcount++;
                return;
            }

            dev.Mc = [.. dev.Mc, new NetdevHwAddr(addr.ToArray()) { GlobalUse = global }];
        }

        dev.Ops.SetRxMode(dev);
    }

    [Linux("__dev_mc_del")]
    private static int DevMcDelCore(NetDevice dev, ReadOnlySpan<byte> addr, bool global)
    {
        lock (dev.Net.Devices)
        {
            if (Find(dev, addr) is not { } ha || (global && !ha.GlobalUse))
                return -ENOENT;
            if (global)
                ha.GlobalUse = false;
            if (--ha.Refcount != 0)
                return 0;
            dev.Mc = [.. dev.Mc.Where(other => other != ha)];
        }

        dev.Ops.SetRxMode(dev);
        return 0;
    }

    private static NetdevHwAddr? Find(NetDevice dev, ReadOnlySpan<byte> addr)
    {
        foreach (NetdevHwAddr ha in dev.Mc)
        {
            if (addr.SequenceEqual(ha.Addr))
                return ha;
        }

        return null;
    }

    [Linux("dev_mc_seq_show", "net/core/net-procfs.c")]
    private static void DevMcSeqShow(NetNamespace net, StringBuilder seq)
    {
        foreach (NetDevice dev in net.Devices.All)
        {
            foreach (NetdevHwAddr ha in dev.Mc)
            {
                seq.Append(CultureInfo.InvariantCulture, $"{dev.Ifindex,-4} {dev.Name,-15} {ha.Refcount,-5} {(ha.GlobalUse ? 1 : 0),-5} ")
                    .Append(Convert.ToHexStringLower(ha.Addr)).Append('\n');
            }
        }
    }
}
