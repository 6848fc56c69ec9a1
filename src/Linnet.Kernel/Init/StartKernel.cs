using Linnet.Kernel.Drivers;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Bridge;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Net.Packet;
using Linnet.Kernel.Net.Sched;
using Linnet.Kernel.Net.Vlan;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>Boots machines (<c>init/main.c</c>). The only place that knows every subsystem.</summary>
[LinuxFile("init/main.c")]
public static class StartKernel
{
    /// <summary>Boots a machine: subsystems in the order of Linux's initcalls, then the first namespaces and the first task.</summary>
    /// <returns>The machine; it runs whenever a thread enters it.</returns>
    [Linux("start_kernel")]
    public static Machine Boot(MachineOptions options)
    {
        Machine machine = new(options);
        using KernelEntry entry = machine.Enter();
        Lsm.SecurityInit(machine);
        FsState.FilesInit(machine);
        NetCore core = NetCore.NetDevInit(machine);
        CoreInitcalls(machine);
        FsInitcalls(machine);
        DeviceInitcalls(machine);
        RestInit(machine, core);
        return machine;
    }

    // core_initcall: what everything else registers with.
    private static void CoreInitcalls(Machine machine)
    {
        Socket.SockInit(machine);
        AfNetlink.NetlinkProtoInit(machine);
        Rtnetlink.RtnetlinkInit(machine);
        SysctlNetCore.SysctlCoreInit(machine);
        NetProcfs.DevProcInit(machine);
        SchApi.PktschedInit(machine);
        SockDiag.SockDiagInit(machine);
    }

    // fs_initcall: protocol families that are built in.
    private static void FsInitcalls(Machine machine) => AfInet.InetInit(machine);

    // device_initcall: drivers, and what is a module.
    private static void DeviceInitcalls(Machine machine)
    {
        NetCore.Of(machine).RegisterPernetSubsys(new LoopbackNetOps());
        InetDiag.InetDiagInit(machine);
        Rtnetlink.RtnlLinkRegister(machine, new VethLinkOps());
        Rtnetlink.RtnlLinkRegister(machine, new TunLinkOps());
        Vlan8021Q.VlanProtoInit(machine);
        Rtnetlink.RtnlLinkRegister(machine, new VlanLinkOps());
        BrIf.BrInit(machine);
        Rtnetlink.RtnlLinkRegister(machine, new BrLinkOps());
        NetCore.Of(machine).RegisterNetdeviceNotifier(Rtnetlink.LastNotifier());
        machine.Modules.MakeAvailable("af_packet", () => new PacketModule(), "net-pf-17", "net-pf-16-proto-4-type-17");
    }

    [Linux("rest_init")]
    private static void RestInit(Machine machine, NetCore core)
    {
        int err = core.CopyNetNs(machine.InitUserNs, out NetNamespace? net);
        Bug.On(err < 0);
        machine.InitNsproxy = Nsproxy.Initial(machine, net!);
        machine.InitTask = new TaskStruct(machine, "init", Cred.Root(machine.InitUserNs), machine.InitNsproxy);
    }

    private sealed class LoopbackNetOps : PernetOperations
    {
        public override int Init(NetNamespace net) => Loopback.LoopbackNetInit(net);
    }
}
