using Linnet.Kernel;
using Linnet.Kernel.Net.Core;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>ethtool -K DEVICE FEATURE on|off ...</c></summary>
internal static class EthtoolCommand
{
    // Those without a counterpart are always off here: nothing joins what is received, and what the device does not segment is sent in
    // segments from the start.
    private static readonly Dictionary<string, NetdevFeatures> Features = new()
    {
        ["tso"] = NetdevFeatures.Tso,
        ["tcp-segmentation-offload"] = NetdevFeatures.Tso,
        ["tx-tcp-segmentation"] = NetdevFeatures.Tso,
        ["tx-udp-segmentation"] = NetdevFeatures.GsoUdpL4,
        ["sg"] = NetdevFeatures.Sg,
        ["scatter-gather"] = NetdevFeatures.Sg,
        ["tx"] = NetdevFeatures.HwCsum,
        ["tx-checksumming"] = NetdevFeatures.HwCsum,
        ["gso"] = NetdevFeatures.None,
        ["generic-segmentation-offload"] = NetdevFeatures.None,
        ["gro"] = NetdevFeatures.None,
        ["generic-receive-offload"] = NetdevFeatures.None,
        ["lro"] = NetdevFeatures.None,
        ["large-receive-offload"] = NetdevFeatures.None,
    };

    public static int Run(CommandCall call)
    {
        if (call.Arguments is not ["-K" or "--features" or "--offload", var name, .. var settings] || settings.Length % 2 != 0)
            throw call.Unsupported(string.Join(' ', call.Arguments));
        if (call.Host.Net.Devices.DevGetByName(name) is not { } dev)
            return call.Fail($"Cannot get device feature names: No such device");

        using KernelEntry entry = call.Host.Net.Machine.Enter();
        for (int i = 0; i < settings.Length; i += 2)
        {
            bool on = settings[i + 1] == "on";
            if (!Features.TryGetValue(settings[i], out NetdevFeatures feature) || !(on || settings[i + 1] == "off"))
                throw call.Unsupported($"{settings[i]} {settings[i + 1]}");
            if (on && feature == NetdevFeatures.None)
                return call.Fail($"Could not change {settings[i]}: it is fixed to off");
            int result = Dev.NetdevUpdateFeatures(dev, on ? feature : 0, on ? 0 : feature);
            if (result < 0)
                return call.Fail($"Could not change {settings[i]}: {Errno.Describe(-result)}");
        }
        return 0;
    }
}
