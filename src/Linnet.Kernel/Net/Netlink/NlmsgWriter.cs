using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>
/// Writes netlink messages and their attributes. A message for which there is no room is taken back as a whole by
/// <see cref="NlmsgEnd"/>, so that whoever fills it in need not look after each attribute.
/// </summary>
[LinuxFile("lib/nlattr.c")]
public sealed class NlmsgWriter
{
    private readonly int limit;
    private byte[] buffer;
    private int start = -1;
    private bool failed;

    /// <summary>A writer of messages.</summary>
    /// <param name="limit">Most bytes that they may have together.</param>
    public NlmsgWriter(int limit = int.MaxValue)
    {
        this.limit = limit;
        buffer = new byte[Math.Min(limit, 512)];
    }

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Bytes that are left.</summary>
    public int Room => limit - Length;

    /// <summary>The messages.</summary>
    public ReadOnlySpan<byte> Written => buffer.AsSpan(0, Length);

    /// <summary>Begins a message (<c>nlmsg_put</c>).</summary>
    /// <returns>False when there is no room for its head.</returns>
    public bool NlmsgPut<T>(uint portid, uint seq, int type, int flags, in T head)
        where T : unmanaged => NlmsgPut(portid, seq, type, flags, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in head)));

    /// <summary>Begins a message (<c>nlmsg_put</c>).</summary>
    /// <returns>False when there is no room for its head.</returns>
    public bool NlmsgPut(uint portid, uint seq, int type, int flags, ReadOnlySpan<byte> payload)
    {
        Bug.On(start >= 0);
        int at = Length;
        failed = false;
        if (Extend(NLMSG_HDRLEN + Align(payload.Length)) is not [_, ..] room)
            return false;
        start = at;
        var header = new Nlmsghdr
        {
            NlmsgLen = (uint)(NLMSG_HDRLEN + payload.Length),
            NlmsgType = (ushort)type,
            NlmsgFlags = (ushort)flags,
            NlmsgSeq = seq,
            NlmsgPid = portid,
        };
        MemoryMarshal.Write(room, in header);
        payload.CopyTo(room[NLMSG_HDRLEN..]);
        return true;
    }

    /// <summary>Ends a message (<c>nlmsg_end</c>), or takes it back when it did not fit (<c>nlmsg_cancel</c>).</summary>
    /// <returns>0 or -EMSGSIZE.</returns>
    public int NlmsgEnd()
    {
        int at = start;
        start = -1;
        if (failed)
        {
            Length = at;
            return -EMSGSIZE;
        }

        // Without attributes the length stays that of the payload, whose padding does not count.
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(buffer.AsSpan(at));
        if (Length - at > Align((int)length))
            BinaryPrimitives.WriteUInt32LittleEndian(buffer.AsSpan(at), (uint)(Length - at));
        return 0;
    }

    /// <summary>Takes the message back that was begun (<c>nlmsg_cancel</c>).</summary>
    public void NlmsgCancel()
    {
        Length = start;
        start = -1;
    }

    /// <summary>Sets flags in the head of the message that was begun.</summary>
    public void AddFlags(int flags) => MemoryMarshal.AsRef<Nlmsghdr>(buffer.AsSpan(start)).NlmsgFlags |= (ushort)flags;

    /// <summary>Appends an attribute (<c>nla_put</c>).</summary>
    public void NlaPut(int type, ReadOnlySpan<byte> value)
    {
        Span<byte> room = NlaReserve(type, value.Length);
        if (!room.IsEmpty || value.IsEmpty)
            value.CopyTo(room);
    }

    /// <summary>Appends an attribute whose value is a struct or a number (<c>nla_put_u32</c> and others).</summary>
    public void NlaPut<T>(int type, in T value)
        where T : unmanaged => NlaPut(type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Appends a number in network order (<c>nla_put_be32</c>, <c>nla_put_in_addr</c>).</summary>
    public void NlaPutBe32(int type, uint value) => NlaPut(type, BinaryPrimitives.ReverseEndianness(value));

    /// <summary>Appends a number in network order (<c>nla_put_be16</c>).</summary>
    public void NlaPutBe16(int type, ushort value) => NlaPut(type, BinaryPrimitives.ReverseEndianness(value));

    /// <summary>Appends a text with a zero at its end (<c>nla_put_string</c>).</summary>
    public void NlaPutString(int type, string value)
    {
        int length = Encoding.UTF8.GetByteCount(value);
        Span<byte> room = NlaReserve(type, length + 1);
        if (room.IsEmpty)
            return;
        Encoding.UTF8.GetBytes(value, room);
        room[length] = 0;
    }

    /// <summary>Appends room for an attribute's value, to be filled in at once (<c>nla_reserve</c>).</summary>
    /// <returns>The room; empty when there is none.</returns>
    public Span<byte> NlaReserve(int type, int length)
    {
        if (Extend(NLA_HDRLEN + Align(length)) is not [_, ..] room)
            return default;
        var head = new Nlattr { NlaLen = (ushort)(NLA_HDRLEN + length), NlaType = (ushort)type };
        MemoryMarshal.Write(room, in head);
        return room.Slice(NLA_HDRLEN, length);
    }

    /// <summary>Begins an attribute that holds others, without the flag that says so (<c>nla_nest_start_noflag</c>).</summary>
    /// <returns>For <see cref="NlaNestEnd"/>.</returns>
    public int NlaNestStartNoflag(int type)
    {
        int at = Length;
        NlaReserve(type, 0);
        return at;
    }

    /// <summary>Begins an attribute that holds others (<c>nla_nest_start</c>).</summary>
    /// <returns>For <see cref="NlaNestEnd"/>.</returns>
    public int NlaNestStart(int type) => NlaNestStartNoflag(type | NLA_F_NESTED);

    /// <summary>Ends it (<c>nla_nest_end</c>).</summary>
    public void NlaNestEnd(int nest)
    {
        if (!failed)
            BinaryPrimitives.WriteUInt16LittleEndian(buffer.AsSpan(nest), (ushort)(Length - nest));
    }

    /// <summary>Takes it back, with all that is in it (<c>nla_nest_cancel</c>).</summary>
    public void NlaNestCancel(int nest)
    {
        if (!failed)
            Length = nest;
    }

    /// <summary>Ends it, or takes it back when nothing came into it.</summary>
    public void NlaNestEndUnlessEmpty(int nest)
    {
        if (Length > nest + NLA_HDRLEN)
            NlaNestEnd(nest);
        else
            NlaNestCancel(nest);
    }

    /// <summary>Appends bytes that are no attribute, padded; what they hold is filled in later.</summary>
    /// <returns>Where they are; for <see cref="At"/>.</returns>
    public int Append(ReadOnlySpan<byte> bytes)
    {
        int at = Length;
        bytes.CopyTo(Extend(Align(bytes.Length)));
        return at;
    }

    /// <summary>What was written, from a place on.</summary>
    public Span<byte> At(int offset) => buffer.AsSpan(offset, Length - offset);

    /// <summary>The messages as a packet.</summary>
    public SkBuff ToSkb(SkbPool pool)
    {
        SkBuff skb = pool.Alloc(Math.Max(Length, 1));
        Written.CopyTo(skb.Put(Length));
        return skb;
    }

    private static int Align(int length) => (length + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1);

    private Span<byte> Extend(int bytes)
    {
        if (failed || bytes > Room)
        {
            failed = true;
            return default;
        }

        if (Length + bytes > buffer.Length)
            Array.Resize(ref buffer, Math.Min(limit, Math.Max(buffer.Length * 2, Length + bytes)));
        Span<byte> room = buffer.AsSpan(Length, bytes);
        room.Clear();
        Length += bytes;
        return room;
    }
}
