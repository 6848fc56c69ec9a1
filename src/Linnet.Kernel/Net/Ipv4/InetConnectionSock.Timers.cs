using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Timers and delayed-ACK state (include/net/inet_connection_sock.h).</content>
public partial class InetConnectionSock
{
    /// <summary>
    /// When the event of <see cref="IcskPending"/> is due, in ns. The timer may fire earlier and is armed again then.
    /// </summary>
    public long IcskTimeout;

    /// <summary>Whether ACKs wait for data to ride on (<c>inet_csk_in_pingpong_mode</c>).</summary>
    public bool InetCskInPingpongMode => IcskAck.Pingpong >= SkNet.Ipv4.SysctlTcpPingpongThresh;

    /// <summary>Whether an ACK is to be sent some time (<c>inet_csk_ack_scheduled</c>).</summary>
    public bool InetCskAckScheduled => (IcskAck.Pending & ICSK_ACK_SCHED) != 0;

    /// <summary>
    /// Makes the socket's three timers; each is called with the socket (<c>inet_csk_init_xmit_timers</c>).
    /// </summary>
    [Linux("inet_csk_init_xmit_timers")]
    public void InetCskInitXmitTimers(
        Action<object> retransmitHandler, Action<object> delackHandler, Action<object> keepaliveHandler)
    {
        TimerBase timers = Machine.Timers;
        IcskRetransmitTimer = new TimerList(timers, retransmitHandler, this);
        IcskDelackTimer = new TimerList(timers, delackHandler, this);
        SkTimer = new TimerList(timers, keepaliveHandler, this);
        IcskPending = IcskAck.Pending = 0;
    }

    /// <summary>Stops all timers (<c>inet_csk_clear_xmit_timers</c>).</summary>
    [Linux("inet_csk_clear_xmit_timers")]
    public void InetCskClearXmitTimers()
    {
        IcskPending = IcskAck.Pending = 0;
        SkStopTimer(IcskRetransmitTimer!);
        SkStopTimer(IcskDelackTimer!);
        SkStopTimer(SkTimer!);
    }

    /// <summary>
    /// Has the retransmission timer fire for <paramref name="what"/> (<c>inet_csk_reset_xmit_timer</c>). Deferring a running
    /// timer only notes the time: the handler looks at it and arms the timer again.
    /// </summary>
    /// <param name="what"><c>ICSK_TIME_*</c></param>
    /// <param name="now">The present, in ns since boot.</param>
    /// <param name="when">Time from now, in ns.</param>
    /// <param name="maxWhen">Longest time, in ns.</param>
    public void InetCskResetXmitTimer(byte what, long now, long when, long maxWhen)
    {
        IcskPending = what;
        IcskTimeout = now + Math.Min(when, maxWhen);
        TimerList timer = IcskRetransmitTimer!;
        if (!timer.Pending || timer.Expires > IcskTimeout)
            SkResetTimer(timer, IcskTimeout);
    }

    /// <summary>
    /// Nothing is to be retransmitted or probed any more (<c>inet_csk_clear_xmit_timer</c>). The timer may fire once more
    /// for nothing, which costs less than to take it out at each ACK.
    /// </summary>
    public void InetCskClearXmitTimer() => IcskPending = 0;

    /// <summary>Has a delayed ACK be sent at the latest at <paramref name="timeout"/>, ns since boot.</summary>
    public void InetCskResetDelackTimer(long timeout)
    {
        IcskAck.Pending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER;
        IcskAck.Timeout = timeout;
        TimerList timer = IcskDelackTimer!;
        if (!timer.Pending || timer.Expires > timeout)
            SkResetTimer(timer, timeout);
    }

    /// <summary>
    /// No ACK has to be sent any more: one just went out (<c>inet_csk_clear_xmit_timer(ICSK_TIME_DACK)</c>).
    /// </summary>
    public void InetCskClearDelackTimer()
    {
        IcskAck.Pending = 0;
        IcskAck.Retry = 0;
    }

    /// <summary>Arms the keepalive timer (<c>inet_csk_reset_keepalive_timer</c>).</summary>
    /// <param name="when">Time from now, in ns.</param>
    [Linux("inet_csk_reset_keepalive_timer")]
    public void InetCskResetKeepaliveTimer(long when) => SkResetTimer(SkTimer!, Machine.Clock.Now + when);

    /// <summary>Stops it (<c>inet_csk_delete_keepalive_timer</c>).</summary>
    [Linux("inet_csk_delete_keepalive_timer")]
    public void InetCskDeleteKeepaliveTimer() => SkStopTimer(SkTimer!);

    /// <summary>An ACK is to be sent some time (<c>inet_csk_schedule_ack</c>).</summary>
    public void InetCskScheduleAck() => IcskAck.Pending |= ICSK_ACK_SCHED;

    /// <summary>Data flows both ways from now on (<c>inet_csk_enter_pingpong_mode</c>).</summary>
    public void InetCskEnterPingpongMode() => IcskAck.Pingpong = (byte)SkNet.Ipv4.SysctlTcpPingpongThresh;

    /// <summary>Data flows one way (<c>inet_csk_exit_pingpong_mode</c>).</summary>
    public void InetCskExitPingpongMode() => IcskAck.Pingpong = 0;

    /// <summary>A request was answered (<c>inet_csk_inc_pingpong_cnt</c>).</summary>
    public void InetCskIncPingpongCnt()
    {
        if (IcskAck.Pingpong < byte.MaxValue)
            IcskAck.Pingpong++;
    }

    /// <summary>Forgets the state of delayed ACKs (<c>inet_csk_delack_init</c>).</summary>
    public void InetCskDelackInit() => IcskAck = default;
}
