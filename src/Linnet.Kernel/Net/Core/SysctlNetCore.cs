using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>The settings of the network core that are honoured, under Linux's paths.</summary>
[LinuxFile("net/core/sysctl_net_core.c")]
public static class SysctlNetCore
{
    private const int LeastBuffer = 2048;

    /// <summary>Registers the settings of every namespace of a machine.</summary>
    [Linux("sysctl_core_init")]
    public static int SysctlCoreInit(Machine machine) => NetCore.Of(machine).RegisterPernetSubsys(new Pernet());

    [Linux("sysctl_core_net_init")]
    private static int SysctlCoreNetInit(NetNamespace net)
    {
        SysctlTable table = net.Sysctl;
        NetnsCore core = net.NetnsCore;
        NetCoreSysctl machine = net.Core.Sysctl;
        table.Register("net.core.somaxconn", new SysctlInt(() => core.SysctlSomaxconn, v => core.SysctlSomaxconn = (int)v, 0));
        table.Register("net.core.optmem_max", new SysctlInt(() => core.SysctlOptmemMax, v => core.SysctlOptmemMax = (int)v, 0));
        table.Register("net.core.txrehash", new SysctlInt(() => core.SysctlTxrehash, v => core.SysctlTxrehash = (byte)v, 0, 1));
        table.Register("net.core.wmem_max", new SysctlInt(() => machine.WmemMax, v => machine.WmemMax = (int)v, LeastBuffer));
        table.Register("net.core.rmem_max", new SysctlInt(() => machine.RmemMax, v => machine.RmemMax = (int)v, LeastBuffer));
        table.Register("net.core.wmem_default", new SysctlInt(() => machine.WmemDefault, v => machine.WmemDefault = (int)v, LeastBuffer));
        table.Register("net.core.rmem_default", new SysctlInt(() => machine.RmemDefault, v => machine.RmemDefault = (int)v, LeastBuffer));
        table.Register("net.core.tstamp_allow_data", new SysctlInt(
            () => machine.TstampAllowData ? 1 : 0, v => machine.TstampAllowData = v != 0, 0, 1));
        QdiscTable qdiscs = QdiscTable.Of(net.Machine);
        table.Register("net.core.default_qdisc", new SysctlString(() => qdiscs.DefaultQdisc, qdiscs.QdiscSetDefault));
        return 0;
    }

    private sealed class Pernet : PernetOperations
    {
        public override int Init(NetNamespace net) => SysctlCoreNetInit(net);
    }
}
