using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Settings of IPv4 on a device (<c>IPV4_DEVCONF_*</c>), <c>net.ipv4.conf.DEV.*</c>.</summary>
public enum Ipv4Devconf
{
    /// <summary><c>forwarding</c></summary>
    Forwarding,

    /// <summary><c>accept_redirects</c></summary>
    AcceptRedirects,

    /// <summary><c>secure_redirects</c></summary>
    SecureRedirects,

    /// <summary><c>shared_media</c></summary>
    SharedMedia,

    /// <summary><c>rp_filter</c></summary>
    RpFilter,

    /// <summary><c>accept_local</c></summary>
    AcceptLocal,

    /// <summary><c>route_localnet</c></summary>
    RouteLocalnet,

    /// <summary><c>log_martians</c></summary>
    LogMartians,

    /// <summary><c>arp_filter</c></summary>
    ArpFilter,

    /// <summary><c>arp_announce</c></summary>
    ArpAnnounce,

    /// <summary><c>arp_ignore</c></summary>
    ArpIgnore,

    /// <summary><c>arp_accept</c></summary>
    ArpAccept,

    /// <summary><c>arp_notify</c></summary>
    ArpNotify,

    /// <summary><c>drop_gratuitous_arp</c></summary>
    DropGratuitousArp,

    /// <summary><c>drop_unicast_in_l2_multicast</c></summary>
    DropUnicastInL2Multicast,

    /// <summary><c>promote_secondaries</c></summary>
    PromoteSecondaries,

    /// <summary><c>src_valid_mark</c></summary>
    SrcValidMark,

    /// <summary><c>bc_forwarding</c></summary>
    BcForwarding,

    /// <summary><c>send_redirects</c></summary>
    SendRedirects,

    /// <summary><c>accept_source_route</c></summary>
    AcceptSourceRoute,

    /// <summary><c>ignore_routes_with_linkdown</c></summary>
    IgnoreRoutesWithLinkdown,

    /// <summary><c>proxy_arp</c></summary>
    ProxyArp,

    /// <summary><c>proxy_arp_pvlan</c></summary>
    ProxyArpPvlan,

    /// <summary><c>medium_id</c></summary>
    MediumId,

    /// <summary><c>arp_evict_nocarrier</c></summary>
    ArpEvictNocarrier,

    /// <summary><c>force_igmp_version</c></summary>
    ForceIgmpVersion,

    /// <summary><c>igmpv2_unsolicited_report_interval</c>, ms</summary>
    Igmpv2UnsolicitedReportInterval,

    /// <summary><c>igmpv3_unsolicited_report_interval</c>, ms</summary>
    Igmpv3UnsolicitedReportInterval,
}

/// <summary>The values of all <see cref="Ipv4Devconf"/> settings (<c>struct ipv4_devconf</c>).</summary>
[LinuxStruct("ipv4_devconf")]
public sealed class Ipv4DevconfTable
{
    private readonly int[] values = new int[Enum.GetValues<Ipv4Devconf>().Length];
    private ulong set;

    /// <summary>One value.</summary>
    public int this[Ipv4Devconf setting]
    {
        get => Volatile.Read(ref values[(int)setting]);
        set => Volatile.Write(ref values[(int)setting], value);
    }

    /// <summary>Whether somebody gave the setting a value, so that a new default does not change it.</summary>
    internal bool IsSet(Ipv4Devconf setting) => (Volatile.Read(ref set) & 1UL << (int)setting) != 0;

    internal void MarkSet(Ipv4Devconf setting) => Interlocked.Or(ref set, 1UL << (int)setting);

    internal void CopyFrom(Ipv4DevconfTable other) => other.values.CopyTo(values, 0);
}

/// <summary>An address of a device (<c>struct in_ifaddr</c>); addresses are in host order. Not changed once listed.</summary>
[LinuxStruct("in_ifaddr")]
public sealed class InIfaddr
{
    /// <summary>Another address of the same subnet came first (<c>IFA_F_SECONDARY</c>).</summary>
    public const uint IFA_F_SECONDARY = 0x01;

    /// <summary>Set by a user, for ever (<c>IFA_F_PERMANENT</c>).</summary>
    public const uint IFA_F_PERMANENT = 0x80;

    /// <summary>No route to the prefix is added (<c>IFA_F_NOPREFIXROUTE</c>).</summary>
    public const uint IFA_F_NOPREFIXROUTE = 0x200;

    /// <summary>The device.</summary>
    public required InDevice IfaDev { get; init; }

    /// <summary>The address of this host.</summary>
    public required uint IfaLocal { get; init; }

    /// <summary>The peer's address on a point-to-point link; otherwise <see cref="IfaLocal"/>.</summary>
    public required uint IfaAddress { get; init; }

    /// <summary>Length of the prefix, 0 to 32.</summary>
    public required int IfaPrefixlen { get; init; }

    /// <summary>Broadcast address, or 0.</summary>
    public uint IfaBroadcast { get; init; }

    /// <summary>Scope, <c>RT_SCOPE_*</c>.</summary>
    public byte IfaScope { get; init; }

    /// <summary><c>IFA_F_*</c></summary>
    public uint IfaFlags { get; init; } = IFA_F_PERMANENT;

    /// <summary>Metric of the route to the prefix.</summary>
    public uint IfaRtPriority { get; init; }

    /// <summary>Who made it, <c>IFAPROT_*</c>; 0 for nobody in particular.</summary>
    public byte IfaProto { get; init; }

    /// <summary>When it was listed, in ms since boot.</summary>
    public long IfaCstamp { get; init; }

    /// <summary>Name under which old ioctls find the address.</summary>
    public required string IfaLabel { get; init; }

    /// <summary>The prefix as a mask.</summary>
    public uint IfaMask => InetMakeMask(IfaPrefixlen);

    /// <summary>Whether this is a secondary address.</summary>
    public bool IsSecondary => (IfaFlags & IFA_F_SECONDARY) != 0;

    /// <summary>The mask of a prefix length, 0 to 32 (<c>inet_make_mask</c>).</summary>
    public static uint InetMakeMask(int prefixLength) => prefixLength == 0 ? 0 : uint.MaxValue << (32 - prefixLength);

    /// <summary>Whether <paramref name="address"/> lies in the prefix (<c>inet_ifa_match</c>).</summary>
    public bool Match(uint address) => ((address ^ IfaAddress) & IfaMask) == 0;

    internal InIfaddr WithFlags(uint flags, long cstamp) => new()
    {
        IfaDev = IfaDev,
        IfaLocal = IfaLocal,
        IfaAddress = IfaAddress,
        IfaPrefixlen = IfaPrefixlen,
        IfaBroadcast = IfaBroadcast,
        IfaScope = IfaScope,
        IfaFlags = flags,
        IfaRtPriority = IfaRtPriority,
        IfaLabel = IfaLabel,
        IfaProto = IfaProto,
        IfaCstamp = cstamp,
    };
}

/// <summary>What IPv4 keeps for a device (<c>struct in_device</c>).</summary>
[LinuxStruct("in_device")]
public sealed partial class InDevice
{
    internal static readonly StateSlot<InDevice> Slot = new();

    private InIfaddr[] ifaList = [];

    internal InDevice(NetDevice dev, NetnsIpv4 ipv4)
    {
        Dev = dev;
        Ipv4 = ipv4;
        Cnf.CopyFrom(ipv4.DevconfDflt);
        Igmp.IpMcInitDev(this);
    }

    /// <summary>The device.</summary>
    public NetDevice Dev { get; }

    /// <summary>Its settings.</summary>
    public Ipv4DevconfTable Cnf { get; } = new();

    /// <summary>Addresses: primary ones by falling scope first, then the others; replaced whole, under the lock of addresses.</summary>
    public InIfaddr[] IfaList
    {
        get => Volatile.Read(ref ifaList);
        internal set => Volatile.Write(ref ifaList, value);
    }

    private NetnsIpv4 Ipv4 { get; }

    /// <summary>The IPv4 part of a device, or null when IPv4 does not run on it (<c>__in_dev_get_rcu</c>).</summary>
    public static InDevice? Get(NetDevice dev) => Slot.Find(dev.Slots);

    /// <summary>The larger of the device's and all devices' value (<c>IN_DEV_MAXCONF</c>).</summary>
    public int MaxConf(Ipv4Devconf setting) => Math.Max(Cnf[setting], Ipv4.DevconfAll[setting]);

    /// <summary>Whether the device's or all devices' value is set (<c>IN_DEV_ORCONF</c>).</summary>
    public bool OrConf(Ipv4Devconf setting) => (Cnf[setting] | Ipv4.DevconfAll[setting]) != 0;

    /// <summary>Whether both are set (<c>IN_DEV_ANDCONF</c>).</summary>
    public bool AndConf(Ipv4Devconf setting) => Cnf[setting] != 0 && Ipv4.DevconfAll[setting] != 0;
}
