using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>The messages of the spanning tree: IEEE 802.2 frames to the group of bridges (IEEE 802.1D section 9.3).</summary>
[LinuxFile("net/bridge/br_stp_bpdu.c")]
internal static class BrStpBpdu
{
    private const int LlcSize = 3;
    private const int ConfigSize = 35;
    private const int TcnSize = 4;
    private const byte TypeConfig = 0;
    private const byte TypeTcn = 0x80;
    private const byte FlagTopologyChange = 0x01;
    private const byte FlagTopologyChangeAck = 0x80;

    // Times on the wire count 1/256 s.
    private const int Ticks = 256;

    private static ReadOnlySpan<byte> BridgeGroup => [0x01, 0x80, 0xC2, 0x00, 0x00, 0x00];

    private static ReadOnlySpan<byte> SpanningTreeLlc => [0x42, 0x42, 0x03];

    /// <summary>Sends a configuration message, when the bridge's lock is given back.</summary>
    [Linux("br_send_config_bpdu")]
    public static void BrSendConfigBpdu(NetBridgePort p, in BrConfigBpdu bpdu)
    {
        if (!p.Br.StpEnabled)
            return;
        Span<byte> buf = stackalloc byte[ConfigSize];
        buf.Clear();
        buf[3] = TypeConfig;
        buf[4] = (byte)((bpdu.TopologyChange ? FlagTopologyChange : 0) | (bpdu.TopologyChangeAck ? FlagTopologyChangeAck : 0));
        BinaryPrimitives.WriteUInt64BigEndian(buf[5..], bpdu.Root);
        BinaryPrimitives.WriteUInt32BigEndian(buf[13..], bpdu.RootPathCost);
        BinaryPrimitives.WriteUInt64BigEndian(buf[17..], bpdu.BridgeId);
        BinaryPrimitives.WriteUInt16BigEndian(buf[25..], bpdu.PortId);
        SetTicks(buf[27..], bpdu.MessageAge);
        SetTicks(buf[29..], bpdu.MaxAge);
        SetTicks(buf[31..], bpdu.HelloTime);
        SetTicks(buf[33..], bpdu.ForwardDelay);
        BrSendBpdu(p, buf);
    }

    /// <summary>Tells the root that the tree changed.</summary>
    [Linux("br_send_tcn_bpdu")]
    public static void BrSendTcnBpdu(NetBridgePort p)
    {
        if (p.Br.StpEnabled)
            BrSendBpdu(p, [0, 0, 0, TypeTcn]);
    }

    /// <summary>A frame to the group of bridges came in; its data begins behind the link header.</summary>
    /// <returns>Whether it was taken over: it is of the spanning tree protocol.</returns>
    [Linux("br_stp_rcv")]
    public static bool BrStpRcv(NetBridgePort p, SkBuff skb)
    {
        if (skb.Protocol != ETH_P_802_2 || !skb.PskbMayPull(LlcSize + TcnSize) || !skb.Data[..LlcSize].SequenceEqual(SpanningTreeLlc))
            return false;
        Parse(p, skb);
        skb.Free();
        return true;
    }

    private static void Parse(NetBridgePort p, SkBuff skb)
    {
        NetBridge br = p.Br;
        if (skb.Data[LlcSize..(LlcSize + 3)].IndexOfAnyExcept((byte)0) >= 0)
            return;
        byte type = skb.Data[LlcSize + 3];
        BrConfigBpdu bpdu = default;
        if (type == TypeConfig)
        {
            if (!skb.PskbMayPull(LlcSize + ConfigSize))
                return;
            bpdu = ReadConfig(skb.Data[LlcSize..]);
            if (bpdu.MessageAge > bpdu.MaxAge)
                return;
        }

        br.Locked(() =>
        {
            if (!br.StpEnabled || !br.Dev.IsUp || p.State == BrState.Disabled)
                return;
            if (type == TypeConfig)
                BrStp.BrReceivedConfigBpdu(p, in bpdu);
            else if (type == TypeTcn)
                BrStp.BrReceivedTcnBpdu(p);
        });
    }

    private static BrConfigBpdu ReadConfig(ReadOnlySpan<byte> buf) => new()
    {
        TopologyChange = (buf[4] & FlagTopologyChange) != 0,
        TopologyChangeAck = (buf[4] & FlagTopologyChangeAck) != 0,
        Root = BinaryPrimitives.ReadUInt64BigEndian(buf[5..]),
        RootPathCost = BinaryPrimitives.ReadUInt32BigEndian(buf[13..]),
        BridgeId = BinaryPrimitives.ReadUInt64BigEndian(buf[17..]),
        PortId = BinaryPrimitives.ReadUInt16BigEndian(buf[25..]),
        MessageAge = GetTicks(buf[27..]),
        MaxAge = GetTicks(buf[29..]),
        HelloTime = GetTicks(buf[31..]),
        ForwardDelay = GetTicks(buf[33..]),
    };

    [Linux("br_send_bpdu")]
    private static void BrSendBpdu(NetBridgePort p, ReadOnlySpan<byte> data)
    {
        const int Room = 32;
        SkBuff skb = p.Dev.Net.SkbPool.Alloc(Room + ETH_HLEN + LlcSize + data.Length);
        skb.Reserve(Room);
        skb.Dev = p.Dev;
        skb.Protocol = ETH_P_802_2;
        skb.Priority = 7;
        Span<byte> frame = skb.Put(ETH_HLEN + LlcSize + data.Length);
        BridgeGroup.CopyTo(frame);
        p.Dev.DevAddr.CopyTo(frame[ETH_ALEN..]);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(2 * ETH_ALEN)..], (ushort)(LlcSize + data.Length));
        SpanningTreeLlc.CopyTo(frame[ETH_HLEN..]);
        data.CopyTo(frame[(ETH_HLEN + LlcSize)..]);
        skb.ResetNetworkHeader(ETH_HLEN);
        p.Br.Post(skb);
    }


    private static void SetTicks(Span<byte> dest, long ms) =>
        BinaryPrimitives.WriteUInt16BigEndian(dest, (ushort)Math.Min(ushort.MaxValue, ((ms * Ticks) + 999) / 1000));


    private static long GetTicks(ReadOnlySpan<byte> src) => BinaryPrimitives.ReadUInt16BigEndian(src) * 1000L / Ticks;
}
