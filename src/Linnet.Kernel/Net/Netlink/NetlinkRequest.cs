using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>What a kernel socket does with messages that are sent to it (<c>netlink_kernel_cfg.input</c>).</summary>
/// <param name="sk">The kernel's socket.</param>
/// <param name="ssk">The sender.</param>
/// <param name="skb">The messages, one or more; the caller frees them.</param>
public delegate void NetlinkInput(NetlinkSock sk, NetlinkSock ssk, SkBuff skb);

/// <summary>Answers one request.</summary>
/// <returns>0 or a negative errno; -EINTR when nothing more is to be said (a dump began).</returns>
public delegate int NetlinkHandler(NetlinkRequest request);

/// <summary>Writes the next messages of a dump, as many as fit.</summary>
/// <returns>More than 0 to be called again, 0 at the end, or a negative errno; -EMSGSIZE when there was no room for more.</returns>
public delegate int NetlinkDump(NlmsgWriter skb, NetlinkCallback cb);

/// <summary>How a kernel socket is made (<c>struct netlink_kernel_cfg</c>).</summary>
[LinuxStruct("netlink_kernel_cfg")]
public sealed class NetlinkKernelCfg
{
    /// <summary>How many groups the protocol has; there are 32 at least.</summary>
    public int Groups { get; init; }

    /// <summary>Everybody may listen to groups (<c>NL_CFG_F_NONROOT_RECV</c>).</summary>
    public bool NonrootRecv { get; init; }

    /// <summary>Everybody may send to groups and to other users (<c>NL_CFG_F_NONROOT_SEND</c>).</summary>
    public bool NonrootSend { get; init; }

    /// <summary>What is done with messages.</summary>
    public required NetlinkInput Input { get; init; }

    /// <summary>Asked before a socket joins a group, counted from 1; null to let all in.</summary>
    public Func<NetNamespace, int, int>? Bind { get; init; }
}

/// <summary>What an acknowledgement says beside the error (<c>struct netlink_ext_ack</c>).</summary>
[LinuxStruct("netlink_ext_ack")]
public sealed class NetlinkExtAck
{
    /// <summary>Why, in words; null for nothing.</summary>
    public string? Msg { get; set; }

    /// <summary>Where in the request the attribute is that is wrong; 0 for none.</summary>
    public int BadAttr { get; set; }

    /// <summary>The attribute that is missing; 0 for none.</summary>
    public int MissType { get; set; }

    /// <summary>Where the nest is that it is missing in; 0 for the message itself.</summary>
    public int MissNest { get; set; }

    /// <summary>Says why, and answers the error (<c>NL_SET_ERR_MSG</c>).</summary>
    public int Error(int err, string msg)
    {
        Msg = msg;
        return err;
    }

    /// <summary>Says why and where, and answers the error (<c>NL_SET_ERR_MSG_ATTR</c>).</summary>
    public int ErrorAt(int err, int attribute, string msg)
    {
        Msg = msg;
        BadAttr = attribute;
        return err;
    }
}

/// <summary>One request to the kernel: a copy of the message, so that a dump can keep it.</summary>
public sealed class NetlinkRequest
{
    private readonly bool hasDst;

    internal NetlinkRequest(NetlinkSock kernelSk, NetlinkSock sk, in NetlinkSkbParms parms, byte[] data)
    {
        KernelSk = kernelSk;
        Sk = sk;
        Portid = parms.Portid;
        hasDst = parms.HasDst;
        Data = data;
        Header = MemoryMarshal.Read<Nlmsghdr>(data);
    }

    /// <summary>The kernel's socket, which the request was sent to.</summary>
    public NetlinkSock KernelSk { get; }

    /// <summary>The socket that it came from.</summary>
    public NetlinkSock Sk { get; }

    /// <summary>The namespace that it is about.</summary>
    public NetNamespace Net => KernelSk.SkNet;

    /// <summary>Address of the sender.</summary>
    public uint Portid { get; }

    /// <summary>The message's head.</summary>
    public Nlmsghdr Header { get; }

    /// <summary>The whole message, its head included.</summary>
    public byte[] Data { get; }

    /// <summary>What follows the head.</summary>
    public ReadOnlySpan<byte> Payload => Data.AsSpan(NLMSG_HDRLEN);

    /// <summary>What the acknowledgement is to say.</summary>
    public NetlinkExtAck Extack { get; } = new();

    /// <summary>Whether a flag of the head is set, <c>NLM_F_*</c>.</summary>
    public bool Has(int flag) => (Header.NlmsgFlags & flag) == flag;

    /// <summary>Whether both who opened the socket and who sends may do something (<c>netlink_ns_capable</c>).</summary>
    [Linux("netlink_ns_capable", "net/netlink/af_netlink.c")]
    public bool NetlinkNsCapable(UserNamespace userNs, int capability)
    {
        bool opener = hasDst || Sk.SkSocket?.File is not { Cred: { } cred } || cred.HasCapability(userNs, capability);
        return opener && TaskStruct.Current.NsCapable(userNs, capability);
    }

    /// <summary>Whether the sender may change the namespace (<c>netlink_net_capable</c>).</summary>
    public bool NetlinkNetCapable(int capability) => NetlinkNsCapable(Net.UserNs, capability);
}

/// <summary>What a dump consists of (<c>struct netlink_dump_control</c>).</summary>
[LinuxStruct("netlink_dump_control")]
public sealed class NetlinkDumpControl
{
    /// <summary>Checks the request and prepares; may be null.</summary>
    public Func<NetlinkCallback, int>? Start { get; init; }

    /// <summary>Writes messages.</summary>
    public required NetlinkDump Dump { get; init; }

    /// <summary>Called when the dump ends, however that comes about; may be null.</summary>
    public Action<NetlinkCallback>? Done { get; init; }

    /// <summary>Room that one message may need, in bytes; 0 for what is usual.</summary>
    public int MinDumpAlloc { get; init; }

    /// <summary>For <see cref="NetlinkCallback.Data"/>.</summary>
    public object? Data { get; init; }
}

/// <summary>A dump that is under way (<c>struct netlink_callback</c>).</summary>
[LinuxStruct("netlink_callback")]
public sealed class NetlinkCallback
{
    internal NetlinkCallback(NetlinkRequest request, NetlinkDumpControl control)
    {
        Request = request;
        Control = control;
        StrictCheck = request.Sk.Has(NetlinkFlags.StrictChk);
        Data = control.Data;
    }

    /// <summary>The request.</summary>
    public NetlinkRequest Request { get; }

    /// <summary>The namespace that it is about.</summary>
    public NetNamespace Net => Request.Net;

    /// <summary>Whether the request is checked to the last byte (<c>strict_check</c>).</summary>
    public bool StrictCheck { get; }

    /// <summary>What the dump was started with.</summary>
    public object? Data { get; set; }

    /// <summary>How far the dump came; it begins with zeros (<c>args</c>).</summary>
    public long[] Args { get; } = new long[6];

    /// <summary>What the dump keeps beside that.</summary>
    public object? Context { get; set; }

    /// <summary>Flags for each message, as <c>NLM_F_DUMP_FILTERED</c> (<c>answer_flags</c>).</summary>
    public int AnswerFlags { get; set; }

    /// <summary>What the last message is to say.</summary>
    public NetlinkExtAck Extack { get; set; } = new();

    /// <summary>State of what is dumped; another in a later part says that the parts do not fit (<c>seq</c>).</summary>
    public uint Seq { get; set; }

    internal uint PrevSeq { get; set; }

    internal NetlinkDumpControl Control { get; }

    /// <summary>What the dump answered last; more than 0 while it goes on (<c>dump_done_errno</c>).</summary>
    internal int DumpDoneErrno { get; set; } = int.MaxValue;

    /// <summary>Begins a message of the dump (<c>nlmsg_put_answer</c>).</summary>
    public bool Put<T>(NlmsgWriter skb, int type, in T head, int flags = NLM_F_MULTI)
        where T : unmanaged
    {
        // What was dumped before may have changed: the user should begin again (nl_dump_check_consistent).
        if (PrevSeq != 0 && Seq != PrevSeq)
            flags |= NLM_F_DUMP_INTR;
        PrevSeq = Seq;
        return skb.NlmsgPut(Request.Portid, Request.Header.NlmsgSeq, type, flags | AnswerFlags, in head);
    }
}
