using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Uapi;

namespace Linnet.Diagnostics;

/// <summary>A packet that a device sent or received.</summary>
/// <param name="Time">Since the machine booted.</param>
/// <param name="Device">The device.</param>
/// <param name="IsOutgoing">Whether the device sent it.</param>
/// <param name="Text">The packet as tcpdump prints it.</param>
public sealed record LoggedPacket(TimeSpan Time, NetDevice Device, bool IsOutgoing, string Text);

/// <summary>
/// Prints the packets of devices, each once on a loopback device. The packets are told to a callback as they pass, on the
/// thread that handles them.
/// </summary>
/// <param name="logged">Receives each packet; must make no calls into the machine.</param>
public sealed class PacketLog(Action<LoggedPacket> logged) : PacketTap, IDisposable
{
    private readonly Lock gate = new();
    private readonly PacketPrinter printer = new();
    private readonly List<NetDevice> devices = [];
    private byte[] frame = new byte[2048];

    /// <summary>Begins to log the packets of a device.</summary>
    public void Watch(NetDevice device)
    {
        lock (gate)
            devices.Add(device);
        Dev.AddTap(device, this);
    }

    /// <summary>Ends the log.</summary>
    public void Dispose()
    {
        foreach (NetDevice device in devices)
            Dev.RemoveTap(device, this);
    }

    /// <inheritdoc/>
    public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
    {
        if (outgoing && (dev.Flags & IfH.IFF_LOOPBACK) != 0)
            return;
        lock (gate)
        {
            int linkLength = skb.DataOffset - skb.MacHeader;
            int length = linkLength + skb.Len;
            if (frame.Length < length)
                frame = new byte[length];
            skb.MacHeaderSpan[..linkLength].CopyTo(frame);
            skb.CopyBits(0, frame.AsSpan(linkLength, skb.Len));
            PacketLink link = dev.HardHeaderLen == 0 ? PacketLink.Ip : PacketLink.Ethernet;
            var time = TimeSpan.FromTicks(dev.Net.Machine.Clock.Now / 100);
            logged(new LoggedPacket(time, dev, outgoing, printer.Print(frame.AsSpan(0, length), link)));
        }
    }
}
