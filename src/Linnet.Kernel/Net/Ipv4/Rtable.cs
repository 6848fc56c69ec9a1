using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What a route does with packets that came in (<c>dst.input</c>).</summary>
public enum RtInput : byte
{
    /// <summary>Only for output (<c>dst_discard</c>).</summary>
    Discard,

    /// <summary>For this host (<c>ip_local_deliver</c>).</summary>
    LocalDeliver,

    /// <summary>For somebody else (<c>ip_forward</c>).</summary>
    Forward,

    /// <summary>Nowhere (<c>ip_error</c>).</summary>
    Error,
}

/// <summary>What a route does with packets that go out (<c>dst.output</c>).</summary>
public enum RtOutput : byte
{
    /// <summary>Nowhere (<c>dst_discard</c>).</summary>
    Discard,

    /// <summary>To the device (<c>ip_output</c>).</summary>
    IpOutput,

    /// <summary>To the device, and to this host where it asked for a copy (<c>ip_mc_output</c>).</summary>
    IpMcOutput,

    /// <summary>A packet that came in for this host must not go out by the same entry (<c>ip_rt_bug</c>).</summary>
    RtBug,
}
