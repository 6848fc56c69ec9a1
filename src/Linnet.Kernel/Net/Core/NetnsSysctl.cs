namespace Linnet.Kernel.Net.Core;

/// <summary>Finds the settings of a namespace.</summary>
public static class NetnsSysctlExtensions
{
    private static readonly StateSlot<SysctlTable> Slot = new();

    extension(NetNamespace net)
    {
        /// <summary>The namespace's settings (<c>/proc/sys/net</c> as its tasks see it).</summary>
        public SysctlTable Sysctl
        {
            get
            {
                if (Slot.Find(net.Slots) is { } found)
                    return found;
                lock (net.Slots)
                {
                    if (Slot.Find(net.Slots) == null)
                        Slot.Set(net.Slots, new SysctlTable());
                }

                return Slot.Of(net.Slots);
            }
        }
    }
}
