using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>The devices of a network namespace, by name and by index.</summary>
[LinuxFile("net/core/dev.c")]
public sealed class NetDeviceTable(NetNamespace net)
{
    // Changed under its own lock, replaced whole, read without a lock.
    private NetDevice[] devices = [];
    private int lastIfindex;

    /// <summary>All devices, in the order of their indices.</summary>
    public IReadOnlyList<NetDevice> All => Volatile.Read(ref devices);

    /// <summary>The loopback device.</summary>
    public NetDevice Loopback => DevGetByIndex(1) ?? throw new BugException($"namespace {net.Inum} has no loopback device");

    /// <summary>The device with an index, or null.</summary>
    public NetDevice? DevGetByIndex(int ifindex)
    {
        foreach (NetDevice dev in Volatile.Read(ref devices))
        {
            if (dev.Ifindex == ifindex)
                return dev;
        }

        return null;
    }

    /// <summary>The device with a name, or null.</summary>
    public NetDevice? DevGetByName(string name)
    {
        foreach (NetDevice dev in Volatile.Read(ref devices))
        {
            if (dev.Name == name)
                return dev;
        }

        return null;
    }

    internal void List(NetDevice dev)
    {
        lock (this)
        {
            dev.Ifindex = ++lastIfindex;
            Volatile.Write(ref devices, [.. devices, dev]);
        }
    }

    internal void Unlist(NetDevice dev)
    {
        lock (this)
            Volatile.Write(ref devices, [.. devices.Where(other => other != dev)]);
    }
}
