using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>What a user turns on and off of a device's features.</content>
public static partial class Dev
{
    private static readonly StateSlot<HwFeatures> HwFeaturesSlot = new();

    private const NetdevFeatures Changeable =
        NetdevFeatures.HwCsum | NetdevFeatures.Sg | NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4;

    /// <summary>Turns features on and off, as <c>ethtool -K</c> does (<c>__netdev_update_features</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="on">Those to turn on.</param>
    /// <param name="off">Those to turn off.</param>
    /// <returns>0, or -EINVAL for one that the device cannot have or that says what the device is.</returns>
    [Linux("__netdev_update_features")]
    public static int NetdevUpdateFeatures(NetDevice dev, NetdevFeatures on, NetdevFeatures off)
    {
        lock (dev.Slots)
        {
            if (HwFeaturesSlot.Find(dev.Slots) == null)
                HwFeaturesSlot.Set(dev.Slots, new HwFeatures(dev.Features));
        }

        if ((on & ~HwFeaturesSlot.Of(dev.Slots).Features) != 0 || ((on | off) & ~Changeable) != 0)
            return -EINVAL;
        dev.Features = NetdevFixFeatures(dev.Features & ~off | on);
        return 0;
    }

    /// <summary>Takes away what does not work without something else that is off (<c>netdev_fix_features</c>).</summary>
    [Linux("netdev_fix_features")]
    private static NetdevFeatures NetdevFixFeatures(NetdevFeatures features)
    {
        if ((features & NetdevFeatures.HwCsum) == 0)
            features &= ~(NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4);
        if ((features & NetdevFeatures.Sg) == 0)
            features &= ~NetdevFeatures.Tso;
        return features;
    }

    /// <summary>What the device can do when all of it is turned on (<c>hw_features</c>).</summary>
    private sealed record HwFeatures(NetdevFeatures Features);
}
