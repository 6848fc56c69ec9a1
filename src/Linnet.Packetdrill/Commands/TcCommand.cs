using System.Globalization;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>tc qdisc add|replace|change|del dev DEVICE root DISCIPLINE OPTIONS</c></summary>
internal static class TcCommand
{
    public static int Run(CommandCall call)
    {
        if (call.Arguments is not ["qdisc", var command, "dev", var name, "root", .. var rest])
            throw call.Unsupported(string.Join(' ', call.Arguments));
        if (call.Host.Net.Devices.DevGetByName(name) is not { } dev)
            return call.Fail($"Cannot find device \"{name}\"");
        using KernelEntry entry = call.Host.Net.Machine.Enter();
        Qdisc? before = dev.Qdisc;
        switch (command, rest)
        {
            case ("del" or "delete", []):
                dev.Qdisc = null;
                break;
            case ("add" or "replace", ["pfifo"]):
                dev.Qdisc = new Pfifo(dev, 1000);
                break;
            case ("add" or "replace", ["pfifo", "limit", var limit])
                when int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int packets):
                dev.Qdisc = new Pfifo(dev, packets);
                break;
            default:
                throw call.Unsupported(string.Join(' ', call.Arguments));
        }
        before?.Reset();
        return 0;
    }
}
