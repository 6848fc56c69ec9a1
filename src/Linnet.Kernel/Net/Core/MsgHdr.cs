using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// One message of <c>sendmsg</c> or <c>recvmsg</c> inside the kernel (<c>struct msghdr</c>). Reusable: the one who waits
/// keeps it over several tries, and <see cref="MsgIter"/> remembers how far they came.
/// </summary>
[LinuxStruct("msghdr")]
public sealed class MsgHdr
{
    private AddressBuffer name;

    /// <summary>Whether there is a place for an address: given to send to, or wanted when receiving.</summary>
    public bool HasName;

    /// <summary>Bytes of address that are valid in <see cref="MsgName"/>.</summary>
    public int MsgNamelen;

    /// <summary>The data.</summary>
    public IovIter MsgIter;

    /// <summary>Control data: given when sending; when receiving, where it is to go next.</summary>
    public Sockptr MsgControl;

    /// <summary>Bytes of control data, or of room for it that is left.</summary>
    public int MsgControllen;

    /// <summary>Flags: given (<c>MSG_DONTWAIT</c> ...) or, after receiving, returned (<c>MSG_TRUNC</c> ...).</summary>
    public int MsgFlags;

    /// <summary>Set with an -EAGAIN that no waiting can mend: no port is left to bind the sender to.</summary>
    public bool AgainIsFinal;

    /// <summary>The whole room for an address: <c>sizeof(struct sockaddr_storage)</c> bytes.</summary>
    public Span<byte> NameBuffer => name;

    /// <summary>The valid part of the address.</summary>
    public Span<byte> MsgName => NameBuffer[..MsgNamelen];

    /// <summary>Makes the message new.</summary>
    public void Reset(in IovIter iter, int flags)
    {
        HasName = false;
        AgainIsFinal = false;
        MsgNamelen = 0;
        MsgIter = iter;
        MsgControl = default;
        MsgControllen = 0;
        MsgFlags = flags;
    }

    /// <summary>Appends a control message for the receiver (<c>put_cmsg</c>); sets <c>MSG_CTRUNC</c> when it does not fit.</summary>
    /// <returns>0 or -EFAULT.</returns>
    [Linux("put_cmsg", "net/core/scm.c")]
    public int PutCmsg(int level, int type, ReadOnlySpan<byte> value)
    {
        const int HeaderSize = 16;
        if ((MsgFlags & unchecked((int)MSG_CMSG_COMPAT)) != 0)
            return PutCmsgCompat(level, type, value);
        if (MsgControl.IsNull || MsgControllen < HeaderSize)
        {
            MsgFlags |= MSG_CTRUNC;
            return 0;
        }

        int length = HeaderSize + value.Length;
        if (MsgControllen < length)
        {
            MsgFlags |= MSG_CTRUNC;
            length = MsgControllen;
        }

        Span<byte> header = stackalloc byte[HeaderSize];
        Unsafe.WriteUnaligned(ref header[0], (ulong)length);
        Unsafe.WriteUnaligned(ref header[8], level);
        Unsafe.WriteUnaligned(ref header[12], type);
        if (MsgControl.CopyTo(header) < 0 || MsgControl.Add(HeaderSize).CopyTo(value[..(length - HeaderSize)]) < 0)
            return -EFAULT;
        int space = Math.Min((HeaderSize + value.Length + 7) & ~7, MsgControllen);
        MsgControl = MsgControl.Add(space);
        MsgControllen -= space;
        return 0;
    }

    /// <summary>The same for a 32-bit caller: a shorter head, and times in 32 bits where the option's old form was asked for.</summary>
    [Linux("put_cmsg_compat", "net/compat.c")]
    private int PutCmsgCompat(int level, int type, ReadOnlySpan<byte> value)
    {
        const int HeaderSize = 12;
        Span<byte> narrow = stackalloc byte[value.Length];
        scoped ReadOnlySpan<byte> data = value;
        if (level == SOL_SOCKET && type is SO_TIMESTAMP_OLD or SO_TIMESTAMPNS_OLD or SO_TIMESTAMPING_OLD)
        {
            // Pairs of 64-bit numbers become pairs of 32-bit ones.
            for (int i = 0; i < value.Length / sizeof(long); i++)
                Unsafe.WriteUnaligned(ref narrow[i * sizeof(int)], (int)BitConverter.ToInt64(value[(i * sizeof(long))..]));
            data = narrow[..(value.Length / 2)];
        }

        if (MsgControl.IsNull || MsgControllen < HeaderSize)
        {
            MsgFlags |= MSG_CTRUNC;
            return 0;
        }

        int length = HeaderSize + data.Length;
        if (MsgControllen < length)
        {
            MsgFlags |= MSG_CTRUNC;
            length = MsgControllen;
        }

        Span<int> header = [length, level, type];
        if (MsgControl.CopyTo(System.Runtime.InteropServices.MemoryMarshal.AsBytes(header)) < 0
            || MsgControl.Add(HeaderSize).CopyTo(data[..(length - HeaderSize)]) < 0)
            return -EFAULT;
        int space = Math.Min((HeaderSize + data.Length + 3) & ~3, MsgControllen);
        MsgControl = MsgControl.Add(space);
        MsgControllen -= space;
        return 0;
    }

    [InlineArray(128)]
    private struct AddressBuffer
    {
        private byte first;
    }
}
