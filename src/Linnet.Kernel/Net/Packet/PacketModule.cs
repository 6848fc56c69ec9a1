using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <summary>The module <c>af_packet</c> (alias <c>net-pf-17</c>): sockets that see and send whole frames.</summary>
[LinuxFile("net/packet/af_packet.c")]
public sealed class PacketModule : Module
{
    private readonly PacketDiag diag;
    private Notifier? notifier;

    /// <summary>The module, not loaded yet.</summary>
    public PacketModule()
        : base("af_packet")
    {
        diag = new PacketDiag(this);
        Proto = new PacketProto(this);
        Ops = new PacketOps(this);
        OpsSpkt = new PacketOpsSpkt(this);
    }

    internal PacketTable Table { get; } = new();

    internal PacketProto Proto { get; }

    internal PacketOps Ops { get; }

    internal PacketOpsSpkt OpsSpkt { get; }

    /// <inheritdoc/>
    [Linux("packet_init")]
    protected internal override int Init(Machine machine)
    {
        ProtoList.ProtoRegister(machine, Proto);
        int err = Socket.SockRegister(machine, new PacketFamily(this));
        if (err < 0)
            return err;
        notifier = new Notifier(this);
        NetCore.Of(machine).RegisterNetdeviceNotifier(notifier);
        ProcNet.Of(machine).Register("packet", PacketSeqShow);
        SockDiag.SockDiagRegister(machine, diag);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("packet_exit")]
    protected internal override void Exit(Machine machine)
    {
        SockDiag.SockDiagUnregister(machine, diag);
        ProcNet.Of(machine).Unregister("packet");
        NetCore.Of(machine).UnregisterNetdeviceNotifier(notifier!);
        Socket.SockUnregister(machine, PF_PACKET);
        ProtoList.ProtoUnregister(machine, Proto);
    }

    [Linux("packet_seq_show")]
    private void PacketSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append($"{"sk",-17}RefCnt Type Proto  Iface R Rmem   User   Inode\n");
        foreach (PacketSock sk in Table.All)
        {
            if (sk.SkcNet != net)
                continue;
            seq.Append(
                CultureInfo.InvariantCulture,
                $"{0:x16} {sk.SkcRefcnt,-6} {sk.SkType,-4} {sk.Num:x4}   {sk.Ifindex,-5} {(sk.Running ? 1 : 0)} "
                + $"{Volatile.Read(ref sk.SkRmemAlloc),-6} {sk.SkUid,-6} {sk.SkSocket?.Ino ?? 0,-6}\n");
        }
    }

    private sealed class PacketFamily(PacketModule module) : NetProtoFamily
    {
        public override int Family => PF_PACKET;

        public override Module? Owner => module;

        public override int Create(NetNamespace net, Socket sock, int protocol, bool kern) =>
            AfPacket.PacketCreate(module, net, sock, protocol, kern);
    }

    private sealed class Notifier(PacketModule module) : NetdevNotifier
    {
        [Linux("packet_notifier", "net/packet/af_packet.c")]
        public override void Call(NetdevEvent what, NetDevice dev)
        {
            foreach (PacketSock sk in module.Table.All)
            {
                if (sk.SkcNet == dev.Net)
                    AfPacket.DeviceEvent(sk, what, dev);
            }
        }
    }
}

/// <summary>Packet sockets' protocol (<c>packet_proto</c>).</summary>
[LinuxStruct("packet_proto")]
internal sealed class PacketProto(PacketModule module) : Proto
{
    public override string Name => "PACKET";

    public override Module? Owner => module;

    public override Sock AllocSock() => new PacketSock();

    public override int InuseGet(NetNamespace net) => module.Table.All.Count(sk => sk.SkcNet == net);

    public override void Close(Sock sk, long timeout) =>
        throw new BugException("packet sockets are released, not closed");
}
