using System.Buffers.Binary;
using System.IO;
using System.Text;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Drivers;

/// <summary>
/// Writes the packets of devices to a pcapng file (IETF draft-ietf-opsawg-pcapng), as Wireshark and tcpdump read. Times are
/// the machine's clock, in nanoseconds, so that a run in virtual time always gives the same file.
/// </summary>
public sealed class PcapngWriter : IDisposable
{
    private const uint SectionHeaderBlock = 0x0A0D0D0A;
    private const uint InterfaceDescriptionBlock = 1;
    private const uint EnhancedPacketBlock = 6;
    private const uint ByteOrderMagic = 0x1A2B3C4D;
    private const ushort LinktypeEthernet = 1;
    private const ushort LinktypeRaw = 101;
    private const int SnapLen = 262144;

    private readonly Stream output;
    private readonly Machine machine;
    private readonly long epoch;
    private readonly List<Tap> taps = [];
    private byte[] block = new byte[2048];
    private int length;

    /// <summary>Begins a file.</summary>
    /// <param name="output">Where to; disposed with the writer.</param>
    /// <param name="machine">The machine whose devices will be captured.</param>
    public PcapngWriter(Stream output, Machine machine)
    {
        this.output = output;
        this.machine = machine;
        epoch = machine.Clock.RealNow - machine.Clock.Now;
        Begin(SectionHeaderBlock);
        Put32(ByteOrderMagic);
        Put16(1);
        Put16(0);
        Put64(ulong.MaxValue);
        Option(4, "Linnet"u8);
        EndOptions();
        End();
    }

    /// <summary>Captures a device from now on.</summary>
    /// <param name="dev">The device. On loopback each packet is captured once, when it comes in.</param>
    /// <param name="label">Name of the interface in the file; null for the device's.</param>
    public void Capture(NetDevice dev, string? label = null)
    {
        Tap tap;
        lock (output)
        {
            tap = new Tap(this, dev, taps.Count);
            taps.Add(tap);
            Begin(InterfaceDescriptionBlock);
            Put16(dev.HardHeaderLen == 0 ? LinktypeRaw : LinktypeEthernet);
            Put16(0);
            Put32(SnapLen);
            Option(2, Encoding.UTF8.GetBytes(label ?? dev.Name));
            Option(9, [9]);
            EndOptions();
            End();
        }

        Dev.AddTap(dev, tap);
    }

    /// <summary>Ends all captures and closes the file.</summary>
    public void Dispose()
    {
        foreach (Tap tap in taps)
            Dev.RemoveTap(tap.Device, tap);
        lock (output)
            output.Dispose();
    }

    private void WritePacket(int interfaceId, SkBuff skb, bool outgoing)
    {
        lock (output)
        {
            if (!output.CanWrite)
                return;
            int linkLength = skb.DataOffset - skb.MacHeader;
            int tagLength = skb.VlanTagPresent ? IfVlan.VLAN_HLEN : 0;
            int packetLength = tagLength + linkLength + skb.Len;
            ulong time = (ulong)(epoch + machine.Clock.Now);
            Begin(EnhancedPacketBlock);
            Put32((uint)interfaceId);
            Put32((uint)(time >> 32));
            Put32((uint)time);
            Put32((uint)packetLength);
            Put32((uint)packetLength);
            Span<byte> packet = Room(packetLength);
            Span<byte> untagged = packet[tagLength..];
            skb.MacHeaderSpan[..linkLength].CopyTo(untagged);
            skb.CopyBits(0, untagged[linkLength..]);
            FinishChecksum(skb, untagged);
            if (tagLength != 0)
                WriteTag(skb, packet);
            Pad();
            Option(2, [(byte)(outgoing ? 2 : 1), 0, 0, 0]);
            EndOptions();
            End();
        }
    }

    // So does a VLAN tag that is carried beside the frame.
    private static void WriteTag(SkBuff skb, Span<byte> packet)
    {
        const int typeOffset = 2 * ETH_ALEN;
        packet.Slice(IfVlan.VLAN_HLEN, typeOffset).CopyTo(packet);
        BinaryPrimitives.WriteUInt16BigEndian(packet[typeOffset..], skb.VlanProto);
        BinaryPrimitives.WriteUInt16BigEndian(packet[(typeOffset + 2)..], skb.VlanTci);
    }

    // A checksum that a device would have filled in stands in the file as it would stand on the wire.
    private static void FinishChecksum(SkBuff skb, Span<byte> packet)
    {
        if (skb.IpSummed != ChecksumState.Partial)
            return;
        int start = skb.CsumStart - skb.MacHeader;
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(packet[start..], 0));
        BinaryPrimitives.WriteUInt16BigEndian(packet[(start + skb.CsumOffset)..], Checksum.CsumMangle(sum, skb.CsumOffset));
    }

    private void Begin(uint type)
    {
        length = 0;
        Put32(type);
        Put32(0);
    }

    private void End()
    {
        Put32((uint)length + 4);
        BinaryPrimitives.WriteUInt32LittleEndian(block.AsSpan(4), (uint)length);
        output.Write(block, 0, length);
    }

    private void Option(ushort code, ReadOnlySpan<byte> value)
    {
        Put16(code);
        Put16((ushort)value.Length);
        value.CopyTo(Room(value.Length));
        Pad();
    }

    private void EndOptions() => Put32(0);

    private void Put16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Room(2), value);

    private void Put32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Room(4), value);

    private void Put64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);

    private void Pad() => Room(-length & 3).Clear();

    private Span<byte> Room(int bytes)
    {
        if (length + bytes > block.Length)
            Array.Resize(ref block, Math.Max(block.Length * 2, length + bytes));
        length += bytes;
        return block.AsSpan(length - bytes, bytes);
    }

    private sealed class Tap(PcapngWriter writer, NetDevice dev, int interfaceId) : PacketTap
    {
        public NetDevice Device => dev;

        public override void Packet(SkBuff skb, NetDevice device, bool outgoing)
        {
            if (outgoing && (device.Flags & IFF_LOOPBACK) != 0)
                return;
            writer.WritePacket(interfaceId, skb, outgoing);
        }
    }
}
