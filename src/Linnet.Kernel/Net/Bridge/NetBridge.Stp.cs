using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Bridge;

/// <content>Spanning tree state (IEEE 802.1D-1998 section 8), guarded by the bridge's lock. Times are in ms.</content>
public sealed partial class NetBridge
{
    // What is to be sent, and whether the link is there, once the lock is given back.
    private readonly List<SkBuff> outbox = [];

    /// <summary>Whether the bridge takes part in the spanning tree protocol (<c>stp_enabled</c>); off at first.</summary>
    public bool StpEnabled { get; internal set; }

    /// <summary>Priority (16 bits) and address; the lowest of all bridges is the root.</summary>
    public ulong BridgeId { get; internal set; } = 0x8000ul << 48;

    /// <summary>The root of the tree.</summary>
    public ulong DesignatedRoot { get; internal set; }

    /// <summary>Cost of the way to the root.</summary>
    public uint RootPathCost { get; internal set; }

    /// <summary>Number of the port towards the root; 0 for none.</summary>
    public int RootPort { get; internal set; }

    /// <summary>How long what another bridge said is believed; the root's figure.</summary>
    public long MaxAge { get; internal set; } = 20_000;

    /// <summary>Time between configuration messages; the root's figure.</summary>
    public long HelloTime { get; internal set; } = 2_000;

    /// <summary>How long a port listens, and then learns, before it passes frames; the root's figure.</summary>
    public long ForwardDelay { get; internal set; } = 15_000;

    /// <summary>Whether addresses are forgotten soon, as the way to them may have changed.</summary>
    public bool TopologyChange { get; internal set; }

    internal long BridgeMaxAge { get; set; } = 20_000;

    internal long BridgeHelloTime { get; set; } = 2_000;

    internal long BridgeForwardDelay { get; set; } = 15_000;

    internal bool TopologyChangeDetected { get; set; }

    internal TimerList HelloTimer { get; private set; } = null!;

    internal TimerList TcnTimer { get; private set; } = null!;

    internal TimerList TopologyChangeTimer { get; private set; } = null!;

    internal bool Carrier { get; set; }

    internal bool IsRootBridge => BridgeId == DesignatedRoot;

    internal void InitStp()
    {
        TimerBase timers = Dev.Net.Machine.Timers;
        BridgeId = (0x8000ul << 48) | BrFdb.KeyOf(Dev.DevAddr);
        DesignatedRoot = BridgeId;
        HelloTimer = new TimerList(timers, static br => BrStpTimer.BrHelloTimerExpired((NetBridge)br), this);
        TcnTimer = new TimerList(timers, static br => BrStpTimer.BrTcnTimerExpired((NetBridge)br), this);
        TopologyChangeTimer = new TimerList(timers, static br => BrStpTimer.BrTopologyChangeTimerExpired((NetBridge)br), this);
    }

    /// <summary>Arms a timer that expires so many ms from now.</summary>
    internal void Arm(TimerList timer, long delay) => timer.Mod(Dev.Net.Machine.Clock.Now + (delay * (1_000_000_000 / Clock.Hz)));

    /// <summary>Sends a frame when the lock is given back.</summary>
    internal void Post(SkBuff skb) => outbox.Add(skb);

    /// <summary>Does something with the lock held, then sends what came of it.</summary>
    internal void Locked(Action action)
    {
        SkBuff[] posted;
        bool carrier;
        lock (Lock)
        {
            action();
            posted = [.. outbox];
            outbox.Clear();
            carrier = Carrier;
        }

        foreach (SkBuff skb in posted)
            Core.Dev.DevQueueXmit(skb);
        if (carrier)
            Core.Dev.NetifCarrierOn(Dev);
        else
            Core.Dev.NetifCarrierOff(Dev);
    }
}

/// <content>What a port knows of the spanning tree.</content>
public sealed partial class NetBridgePort
{
    private const int PortBits = 10;

    /// <summary>Cost of the link.</summary>
    public uint PathCost { get; internal set; } = 100;

    /// <summary>Priority of the port, 0 to 63; the lowest wins.</summary>
    public int Priority { get; internal set; } = 32;

    /// <summary>The bridge that is responsible for the link.</summary>
    public ulong DesignatedBridge { get; internal set; }

    internal ushort PortId => (ushort)(PortNo | Priority << PortBits);

    internal ulong DesignatedRoot { get; set; }

    internal uint DesignatedCost { get; set; }

    internal ushort DesignatedPort { get; set; }

    internal bool TopologyChangeAck { get; set; }

    internal bool ConfigPending { get; set; }

    internal TimerList MessageAgeTimer { get; private set; } = null!;

    internal TimerList ForwardDelayTimer { get; private set; } = null!;

    internal TimerList HoldTimer { get; private set; } = null!;

    internal bool IsDesignatedPort => DesignatedBridge == Br.BridgeId && DesignatedPort == PortId;

    internal void InitTimers()
    {
        TimerBase timers = Dev.Net.Machine.Timers;
        MessageAgeTimer = new TimerList(timers, static p => BrStpTimer.BrMessageAgeTimerExpired((NetBridgePort)p), this);
        ForwardDelayTimer = new TimerList(timers, static p => BrStpTimer.BrForwardDelayTimerExpired((NetBridgePort)p), this);
        HoldTimer = new TimerList(timers, static p => BrStpTimer.BrHoldTimerExpired((NetBridgePort)p), this);
    }
}
