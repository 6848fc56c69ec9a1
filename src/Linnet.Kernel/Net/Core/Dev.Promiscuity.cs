using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Devices that take more than what is for them; the flags follow the number of those who want it.</content>
public static partial class Dev
{
    /// <summary>Counts who wants frames for others (<c>dev_set_promiscuity</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="inc">1 for one more, -1 for one less.</param>
    [Linux("dev_set_promiscuity")]
    public static void DevSetPromiscuity(NetDevice dev, int inc)
    {
        lock (dev.Net.Devices)
        {
            Bug.On(dev.Promiscuity + inc < 0);
            dev.Promiscuity += inc;
            bool was = (dev.Flags & IFF_PROMISC) != 0;
            SetFlag(dev, IFF_PROMISC, dev.Promiscuity > 0);
            if (was != ((dev.Flags & IFF_PROMISC) != 0))
                dev.Net.Machine.Log.Write(LogLevel.Info, $"{dev.Name}: {(was ? "left" : "entered")} promiscuous mode");
        }
    }

    /// <summary>Counts who wants all multicast frames (<c>dev_set_allmulti</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="inc">1 for one more, -1 for one less.</param>
    [Linux("dev_set_allmulti")]
    public static void DevSetAllmulti(NetDevice dev, int inc)
    {
        lock (dev.Net.Devices)
        {
            Bug.On(dev.Allmulti + inc < 0);
            dev.Allmulti += inc;
            SetFlag(dev, IFF_ALLMULTI, dev.Allmulti > 0);
        }
    }

    private static void SetFlag(NetDevice dev, int flag, bool on) =>
        dev.Flags = on ? dev.Flags | (uint)flag : dev.Flags & ~(uint)flag;
}
