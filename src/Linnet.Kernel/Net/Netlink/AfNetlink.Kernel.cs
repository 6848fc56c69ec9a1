using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>The kernel's sockets: how they are made, what is done with requests, and how they are answered.</content>
public static partial class AfNetlink
{
    /// <summary>Makes the kernel's socket of a protocol in a namespace; with the first of them the protocol exists.</summary>
    /// <returns>The socket, or null when a security module refused or there is one already.</returns>
    [Linux("__netlink_kernel_create")]
    public static NetlinkSock? NetlinkKernelCreate(NetNamespace net, int unit, NetlinkKernelCfg cfg)
    {
        if (unit is < 0 or >= MAX_LINKS)
            return null;
        if (Socket.SockCreateLite(net.Machine, PF_NETLINK, SOCK_DGRAM, unit, out Socket? sock) != 0)
            return null;
        NetlinkLayer layer = NetlinkLayer.Of(net.Machine);
        if (NetlinkCreateCore(layer, net, sock!, unit, kern: true) != 0)
        {
            Socket.SockRelease(sock!);
            return null;
        }

        var sk = (NetlinkSock)sock!.Sk!;
        sk.NetlinkRcv = cfg.Input;
        sk.Set(NetlinkFlags.KernelSocket, true);
        if (NetlinkInsert(sk, 0) != 0)
        {
            Socket.SockRelease(sock);
            return null;
        }

        NetlinkTable table = sk.Table;
        lock (table)
        {
            if (table.Registered++ == 0)
            {
                table.Groups = Math.Max(cfg.Groups, 32);
                table.NonrootRecv = cfg.NonrootRecv;
                table.NonrootSend = cfg.NonrootSend;
                table.Bind = cfg.Bind;
            }
        }

        return sk;
    }

    /// <summary>Takes the kernel's socket of a protocol away; with the last of them the protocol is gone.</summary>
    [Linux("netlink_kernel_release")]
    public static void NetlinkKernelRelease(NetlinkSock sk)
    {
        lock (sk.Table)
            sk.Table.Registered--;
        Socket.SockRelease((Socket)sk.SkSocket!);
    }

    /// <summary>Goes through the messages of a packet: each request is handed on, and acknowledged where that is wanted or it failed.</summary>
    /// <param name="sk">The kernel's socket.</param>
    /// <param name="ssk">The sender.</param>
    /// <param name="skb">The messages.</param>
    /// <param name="cb">Answers one request.</param>
    [Linux("netlink_rcv_skb")]
    public static void NetlinkRcvSkb(NetlinkSock sk, NetlinkSock ssk, SkBuff skb, NetlinkHandler cb)
    {
        ReadOnlySpan<byte> rest = skb.Data;
        ref NetlinkSkbParms parms = ref skb.Cb<NetlinkSkbParms>();
        while (rest.Length >= NLMSG_HDRLEN)
        {
            uint length = MemoryMarshal.Read<uint>(rest);
            if (length < NLMSG_HDRLEN || length > (uint)rest.Length)
                return;
            NetlinkRequest request = new(sk, ssk, in parms, rest[..(int)length].ToArray());
            // What is not meant for the kernel, and control messages, are only acknowledged.
            bool asks = request.Has(NLM_F_REQUEST) && request.Header.NlmsgType >= NLMSG_MIN_TYPE;
            int err = asks ? cb(request) : 0;
            if (err != -EINTR && (err != 0 || request.Has(NLM_F_ACK)))
                NetlinkAck(request, err);
            rest = rest[Math.Min(((int)length + NLMSG_ALIGNTO - 1) & ~(NLMSG_ALIGNTO - 1), rest.Length)..];
        }
    }

    /// <summary>Acknowledges a request, with an error or 0.</summary>
    [Linux("netlink_ack")]
    public static void NetlinkAck(NetlinkRequest request, int err)
    {
        NetlinkSock sk = request.Sk;
        // The whole request comes back with an error, unless its head is enough.
        bool whole = err != 0 && !sk.Has(NetlinkFlags.CapAck);
        int flags = whole ? 0 : NLM_F_CAPPED;
        NlmsgWriter writer = new();
        var error = new Nlmsgerr { Error = err, Msg = request.Header };
        writer.NlmsgPut(request.Portid, request.Header.NlmsgSeq, NLMSG_ERROR, flags, in error);
        if (whole)
            writer.Append(request.Payload);
        if (sk.Has(NetlinkFlags.ExtAck))
            NetlinkAckTlvFill(writer, request, err);
        writer.NlmsgEnd();
        NlmsgUnicast(request.KernelSk, writer, request.Portid);
    }

    /// <summary>Answers a request with a message (<c>nlmsg_unicast</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    public static int NlmsgUnicast(NetlinkSock sk, NlmsgWriter message, uint portid)
    {
        int err = NetlinkUnicast(sk, message.ToSkb(sk.SkNet.SkbPool), portid);
        return err > 0 ? 0 : err;
    }

    /// <summary>Tells a group what happened, and the requester where it wants an echo.</summary>
    /// <param name="sk">The kernel's socket.</param>
    /// <param name="message">What is told.</param>
    /// <param name="portid">The requester, who does not get it as a member; 0 for none.</param>
    /// <param name="group">The group, counted from 1; 0 for none.</param>
    /// <param name="report">Whether the requester gets it for himself (<c>NLM_F_ECHO</c>).</param>
    /// <returns>0 or a negative errno; -ESRCH when nobody listened.</returns>
    [Linux("nlmsg_notify")]
    public static int NlmsgNotify(NetlinkSock sk, NlmsgWriter message, uint portid, int group, bool report)
    {
        int err = 0;
        SkBuff skb = message.ToSkb(sk.SkNet.SkbPool);
        if (group != 0)
            err = NetlinkBroadcast(sk, report ? skb.Clone() : skb, report ? portid : 0, group);
        if (!report)
        {
            if (group == 0)
                skb.Free();
            return err;
        }

        int err2 = NetlinkUnicast(sk, skb, portid);
        return err is 0 or -ESRCH && err2 < 0 ? err2 : err;
    }

    /// <summary>Tells all who listen to a group that something was lost (<c>netlink_set_err</c>).</summary>
    [Linux("netlink_set_err")]
    public static void NetlinkSetErr(NetlinkSock ssk, uint portid, int group, int code)
    {
        foreach (NetlinkSock sk in ssk.Table.McList)
        {
            if (sk == ssk || sk.Portid == portid || !sk.ListensTo(group) || sk.SkNet != ssk.SkNet)
                continue;
            if (code == -ENOBUFS && sk.Has(NetlinkFlags.RecvNoEnobufs))
                continue;
            Volatile.Write(ref sk.SkErr, -code);
            sk.SkErrorReport(sk);
        }
    }

    [Linux("netlink_ack_tlv_fill")]
    private static void NetlinkAckTlvFill(NlmsgWriter writer, NetlinkRequest request, int err)
    {
        NetlinkExtAck extack = request.Extack;
        int before = writer.Length;
        if (extack.Msg != null)
            writer.NlaPutString(NLMSGERR_ATTR_MSG, extack.Msg);
        // A warning says nothing of attributes.
        if (err != 0)
        {
            if (extack.BadAttr != 0)
                writer.NlaPut(NLMSGERR_ATTR_OFFS, (uint)extack.BadAttr);
            if (extack.MissType != 0)
                writer.NlaPut(NLMSGERR_ATTR_MISS_TYPE, (uint)extack.MissType);
            if (extack.MissNest != 0)
                writer.NlaPut(NLMSGERR_ATTR_MISS_NEST, (uint)extack.MissNest);
        }

        if (writer.Length > before)
            writer.AddFlags(NLM_F_ACK_TLVS);
    }
}
