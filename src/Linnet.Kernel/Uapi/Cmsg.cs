using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Linnet.Kernel.Uapi;

/// <summary>Sizes of ancillary messages (linux/socket.h), in bytes.</summary>
public static class CmsgH
{
    /// <summary>Bytes of a <c>cmsghdr</c>.</summary>
    public const int CMSG_HDRLEN = 16;

    /// <summary>Rounds up to the alignment of ancillary messages.</summary>
    public static int CMSG_ALIGN(int length) => (length + sizeof(ulong) - 1) & ~(sizeof(ulong) - 1);

    /// <summary>Bytes that a message with so much data takes, padding included.</summary>
    public static int CMSG_SPACE(int length) => CMSG_HDRLEN + CMSG_ALIGN(length);

    /// <summary>What goes into <c>cmsg_len</c> for so much data.</summary>
    public static int CMSG_LEN(int length) => CMSG_HDRLEN + length;
}

/// <summary>
/// Lays ancillary messages one after another into a caller's control buffer, by the rule of put_cmsg: data that does
/// not fit is cut and MSG_CTRUNC raised, a message whose head does not fit is left out.
/// </summary>
/// <param name="control">The control buffer, msg_controllen bytes.</param>
public ref struct CmsgWriter(Span<byte> control)
{
    private readonly Span<byte> _control = control;

    /// <summary>Bytes taken so far: the msg_controllen that recvmsg reports.</summary>
    public int Written { get; private set; }

    /// <summary>MSG_CTRUNC once something did not fit, else 0.</summary>
    public int Flags { get; private set; }

    /// <summary>Bytes left.</summary>
    public readonly int Room => _control.Length - Written;

    /// <summary>Appends one message.</summary>
    /// <returns>False when it was cut or left out.</returns>
    public bool Put(int level, int type, scoped ReadOnlySpan<byte> data)
    {
        if (Room < CMSG_HDRLEN)
        {
            Flags |= MSG_CTRUNC;
            return false;
        }

        var whole = CMSG_LEN(data.Length);
        var length = Math.Min(whole, Room);
        if (length < whole) Flags |= MSG_CTRUNC;

        var target = _control[Written..];
        var head = new Cmsghdr { CmsgLen = (ulong)length, CmsgLevel = level, CmsgType = type };
        MemoryMarshal.Write(target, in head);
        data[..(length - CMSG_HDRLEN)].CopyTo(target[CMSG_HDRLEN..]);
        Written += Math.Min(CMSG_SPACE(length - CMSG_HDRLEN), Room);
        return length == whole;
    }

    /// <summary>Appends one message whose data is a struct or a number.</summary>
    /// <returns>False when it was cut or left out.</returns>
    public bool Put<T>(int level, int type, in T value) where T : unmanaged =>
        Put(level, type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}

/// <summary>
/// Walks through the ancillary messages that a caller gave to sendmsg, by the rules of CMSG_OK and CMSG_NXTHDR.
/// </summary>
/// <param name="control">The control buffer, msg_controllen bytes.</param>
public ref struct CmsgReader(ReadOnlySpan<byte> control)
{
    private readonly ReadOnlySpan<byte> _control = control;
    private int _next;

    /// <summary>Level of the current message.</summary>
    public int Level { get; private set; }

    /// <summary>Type of the current message.</summary>
    public int Type { get; private set; }

    /// <summary>Data of the current message, without head and padding.</summary>
    public ReadOnlySpan<byte> Data { get; private set; }

    /// <summary>Steps to the next message.</summary>
    /// <returns>1 when there is one, 0 at the end, <c>-EINVAL</c> when its length is impossible.</returns>
    public int Next()
    {
        var rest = _control.Length - _next;
        if (rest < CMSG_HDRLEN) return 0;

        var head = MemoryMarshal.Read<Cmsghdr>(_control[_next..]);
        if (head.CmsgLen < CMSG_HDRLEN || head.CmsgLen > (ulong)rest) return -EINVAL;

        var length = (int)head.CmsgLen;
        Level = head.CmsgLevel;
        Type = head.CmsgType;
        Data = _control.Slice(_next + CMSG_HDRLEN, length - CMSG_HDRLEN);
        _next += Math.Min(CMSG_ALIGN(length), rest);
        return 1;
    }

    /// <summary>The current message's data as a struct or a number.</summary>
    /// <returns>False unless the data has exactly that size.</returns>
    public readonly bool TryRead<T>(out T value) where T : unmanaged
    {
        value = default;
        if (Data.Length != Unsafe.SizeOf<T>()) return false;

        value = MemoryMarshal.Read<T>(Data);
        return true;
    }
}
