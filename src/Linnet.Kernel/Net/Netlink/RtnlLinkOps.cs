using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>What a kind of device can be asked by netlink (<c>struct rtnl_link_ops</c>).</summary>
[LinuxStruct("rtnl_link_ops")]
public abstract class RtnlLinkOps
{
    /// <summary>Name of the kind, as <c>veth</c> (<c>kind</c>).</summary>
    public abstract string Kind { get; }

    /// <summary>What the attributes in <c>IFLA_INFO_DATA</c> look like (<c>policy</c>).</summary>
    public virtual NlaPolicy[] Policy => [default];

    /// <summary>Whether a device is of this kind.</summary>
    public abstract bool Owns(NetDevice dev);

    /// <summary>Makes a device (<c>newlink</c>).</summary>
    /// <param name="link">What it is to be.</param>
    /// <param name="dev">The device, registered and down.</param>
    /// <returns>0 or a negative errno.</returns>
    public virtual int Newlink(NewlinkParams link, out NetDevice? dev)
    {
        dev = null;
        return -EOPNOTSUPP;
    }

    /// <summary>Removes a device (<c>dellink</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    public virtual int Dellink(NetDevice dev)
    {
        Dev.UnregisterNetdev(dev);
        return 0;
    }

    /// <summary>Changes a device (<c>changelink</c>).</summary>
    public virtual int Changelink(NetDevice dev, NlAttributes data, NetlinkExtAck extack) => -EOPNOTSUPP;

    /// <summary>Writes what is special about a device (<c>fill_info</c>).</summary>
    /// <returns>False when there is nothing.</returns>
    public virtual bool FillInfo(NlmsgWriter skb, NetDevice dev) => false;

    /// <summary>The namespace that the device's other end is in (<c>get_link_net</c>).</summary>
    public virtual NetNamespace GetLinkNet(NetDevice dev) => dev.Net;

    /// <summary>The device's other end, or the one below it; null for the device itself (<c>ndo_get_iflink</c>).</summary>
    public virtual NetDevice? GetIflink(NetDevice dev) => dev.Lower;

    /// <summary>Makes a device the part of one of this kind (<c>ndo_add_slave</c>).</summary>
    public virtual int AddSlave(NetDevice dev, NetDevice slave, NetlinkExtAck extack) =>
        extack.Error(-EOPNOTSUPP, "Device does not support enslaving");

    /// <summary>Takes it out again (<c>ndo_del_slave</c>).</summary>
    public virtual int DelSlave(NetDevice dev, NetDevice slave) => -EOPNOTSUPP;
}

/// <summary>A device as <c>RTM_NEWLINK</c> wants it (<c>struct rtnl_newlink_params</c>).</summary>
[LinuxStruct("rtnl_newlink_params")]
public sealed class NewlinkParams
{
    /// <summary>Where it is to be.</summary>
    public required NetNamespace Net { get; init; }

    /// <summary>Its name; null for one that the kind chooses.</summary>
    public string? Name { get; init; }

    /// <summary>The message.</summary>
    public required NetlinkRequest Request { get; init; }

    /// <summary>Attributes of the link, <c>IFLA_*</c>.</summary>
    public required NlAttributes Tb { get; init; }

    /// <summary>Attributes of the kind.</summary>
    public required NlAttributes Data { get; init; }
}
