using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>What an attribute has to look like (<c>NLA_*</c>).</summary>
public enum NlaKind : byte
{
    /// <summary>Anything; refused by strict checks, as nobody knows the attribute.</summary>
    Unspec,

    /// <summary>A byte.</summary>
    U8,

    /// <summary>Two bytes.</summary>
    U16,

    /// <summary>Four bytes.</summary>
    U32,

    /// <summary>Eight bytes.</summary>
    U64,

    /// <summary>A text; a zero at its end does not count.</summary>
    String,

    /// <summary>A text with a zero in it.</summary>
    NulString,

    /// <summary>Other attributes.</summary>
    Nested,

    /// <summary>Any bytes, so many at most.</summary>
    Binary,

    /// <summary>So many bytes at least.</summary>
    MinLen,

    /// <summary>No bytes.</summary>
    Flag,
}

/// <summary>What one attribute has to look like (<c>struct nla_policy</c>).</summary>
/// <param name="Kind">Its kind.</param>
/// <param name="Length">Bytes of it that there may or must be; 0 for any.</param>
[LinuxStruct("nla_policy")]
public readonly record struct NlaPolicy(NlaKind Kind, int Length = 0);

/// <summary>The attributes of a message, by type: where they are in it. Of several of a type the last counts.</summary>
[LinuxFile("lib/nlattr.c")]
public sealed class NlAttributes
{
    private readonly byte[] message;
    private readonly (int Offset, int Length)[] found;

    private NlAttributes(byte[] message, int max)
    {
        this.message = message;
        found = new (int, int)[max + 1];
    }

    /// <summary>No attributes of so many types.</summary>
    public static NlAttributes Empty(int types) => new([], types - 1);

    /// <summary>Whether there is an attribute of a type.</summary>
    public bool Has(int type) => found[type].Offset != 0;

    /// <summary>Where the attribute of a type is in the message, its head included; 0 when there is none.</summary>
    public int OffsetOf(int type) => found[type].Offset;

    /// <summary>The value of a type; empty when there is none.</summary>
    public ReadOnlySpan<byte> this[int type] =>
        Has(type) ? message.AsSpan(found[type].Offset + NLA_HDRLEN, found[type].Length) : default;

    /// <summary>The value as a number; 0 when there is none or it is too short.</summary>
    public T Get<T>(int type)
        where T : unmanaged => this[type] is { } value && value.Length >= Unsafe.SizeOf<T>() ? MemoryMarshal.Read<T>(value) : default;

    /// <summary>The value as a number in network order.</summary>
    public uint GetBe32(int type) => BinaryPrimitives.ReverseEndianness(Get<uint>(type));

    /// <summary>The value as a text; null when there is none.</summary>
    public string? GetString(int type)
    {
        if (!Has(type))
            return null;
        ReadOnlySpan<byte> value = this[type];
        int end = value.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? value : value[..end]);
    }

    /// <summary>Reads the attributes that follow a message's head (<c>nlmsg_parse</c>).</summary>
    /// <param name="request">The message.</param>
    /// <param name="headLength">Bytes of the head that follows netlink's own.</param>
    /// <param name="policy">What attributes have to look like, by type; those beyond it are passed over.</param>
    /// <param name="strict">Whether unknown attributes and bytes behind the last are errors.</param>
    /// <param name="tb">The attributes.</param>
    /// <returns>0, -EINVAL or -ERANGE.</returns>
    public static int NlmsgParse(
        NetlinkRequest request, int headLength, ReadOnlySpan<NlaPolicy> policy, bool strict, out NlAttributes tb)
    {
        if (request.Data.Length >= NLMSG_HDRLEN + headLength)
        {
            int start = NLMSG_HDRLEN + ((headLength + NLMSG_ALIGNTO - 1) & ~(NLMSG_ALIGNTO - 1));
            return NlaParse(request.Data, start, request.Data.Length, policy, strict, request.Extack, out tb);
        }

        tb = new NlAttributes(request.Data, policy.Length - 1);
        return request.Extack.Error(-EINVAL, "Invalid header length");
    }

    /// <summary>Reads the attributes inside of one of them (<c>nla_parse_nested</c>).</summary>
    public int ParseNested(int type, ReadOnlySpan<NlaPolicy> policy, bool strict, NetlinkExtAck extack, out NlAttributes tb)
    {
        (int offset, int length) = found[type];
        if (!strict || offset == 0 || (MemoryMarshal.Read<Nlattr>(message.AsSpan(offset)).NlaType & NLA_F_NESTED) != 0)
            return NlaParse(message, offset + NLA_HDRLEN, offset == 0 ? 0 : offset + NLA_HDRLEN + length, policy, strict, extack, out tb);
        tb = new NlAttributes(message, policy.Length - 1);
        return extack.ErrorAt(-EINVAL, offset, "NLA_F_NESTED is missing");
    }

    /// <summary>Reads attributes that lie somewhere in a message (<c>__nla_parse</c>).</summary>
    [Linux("__nla_parse")]
    public static int NlaParse(
        byte[] message, int start, int end, ReadOnlySpan<NlaPolicy> policy, bool strict, NetlinkExtAck extack, out NlAttributes tb)
    {
        tb = new NlAttributes(message, policy.Length - 1);
        int at = start;
        while (end - at >= NLA_HDRLEN)
        {
            Nlattr head = MemoryMarshal.Read<Nlattr>(message.AsSpan(at));
            if (head.NlaLen < NLA_HDRLEN || head.NlaLen > end - at)
                break;
            int type = head.NlaType & NLA_TYPE_MASK;
            if (type > 0 && type < policy.Length)
            {
                int err = ValidateNla(policy[type], head, message, at, strict, extack);
                if (err != 0)
                    return err;
                tb.found[type] = (at, head.NlaLen - NLA_HDRLEN);
            }
            else if (strict)
            {
                return extack.ErrorAt(-EINVAL, at, "Unknown attribute type");
            }

            at += (head.NlaLen + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1);
        }

        return strict && at < end ? extack.Error(-EINVAL, "bytes leftover after parsing attributes") : 0;
    }

    [Linux("validate_nla")]
    private static int ValidateNla(NlaPolicy policy, Nlattr head, byte[] message, int at, bool strict, NetlinkExtAck extack)
    {
        ReadOnlySpan<byte> value = message.AsSpan(at + NLA_HDRLEN, head.NlaLen - NLA_HDRLEN);
        int length = value.Length;
        int least = LeastLength(policy);
        bool exact = strict && policy.Kind is NlaKind.U8 or NlaKind.U16 or NlaKind.U32 or NlaKind.U64;
        int err = policy.Kind switch
        {
            NlaKind.Unspec => strict ? -EINVAL : 0,
            NlaKind.Flag => length > 0 ? -ERANGE : 0,
            NlaKind.Binary => policy.Length != 0 && length > policy.Length ? -ERANGE : 0,
            NlaKind.String or NlaKind.NulString => CheckText(policy, value),
            NlaKind.Nested => length is > 0 and < NLA_HDRLEN ? -ERANGE : 0,
            _ => length < least || (exact && length != least) ? -ERANGE : 0,
        };
        if (err == 0)
            return 0;
        // What is only too long or unknown to strict eyes has words of its own.
        return policy.Kind == NlaKind.Unspec
            ? extack.ErrorAt(err, at, "Unsupported attribute")
            : extack.ErrorAt(err, at, exact && length > least ? "invalid attribute length" : "Attribute failed policy validation");
    }

    private static int CheckText(NlaPolicy policy, ReadOnlySpan<byte> value)
    {
        if (policy.Kind == NlaKind.NulString)
        {
            ReadOnlySpan<byte> within = policy.Length == 0 ? value : value[..Math.Min(value.Length, policy.Length + 1)];
            if (!within.Contains((byte)0))
                return -EINVAL;
        }

        if (value.IsEmpty)
            return -ERANGE;
        int length = value[^1] == 0 && policy.Kind == NlaKind.String ? value.Length - 1 : value.Length;
        return policy.Kind == NlaKind.String && policy.Length != 0 && length > policy.Length ? -ERANGE : 0;
    }

    private static int LeastLength(NlaPolicy policy) => policy.Kind switch
    {
        NlaKind.U8 => 1,
        NlaKind.U16 => 2,
        NlaKind.U32 => 4,
        NlaKind.U64 => 8,
        NlaKind.MinLen => policy.Length,
        _ => 0,
    };
}
