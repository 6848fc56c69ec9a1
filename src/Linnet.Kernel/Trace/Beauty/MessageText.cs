using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>
/// Messages of <c>sendmsg</c>, <c>recvmsg</c> and their plural forms: address, pieces of data with their lengths, control messages, flags.
/// </summary>
internal static class MessageText
{
    private const int MostPieces = 8;
    private const int MostMessages = 4;
    private const int MostData = 64;
    private const int MostControl = 1024;
    private const int MostAddress = 128;

    /// <summary>A message that is to be sent.</summary>
    /// <returns>Null where it cannot be read.</returns>
    public static string? OfSent(Sockptr pointer) => pointer.Get(out UserMsghdr msg) < 0 ? null : Format(msg, null);

    /// <summary>A message that was received.</summary>
    /// <param name="pointer">Where it is.</param>
    /// <param name="length">Bytes that were received.</param>
    /// <returns>Null where it cannot be read.</returns>
    public static string? OfReceived(Sockptr pointer, long length) => pointer.Get(out UserMsghdr msg) < 0 ? null : Format(msg, length);

    /// <summary>Several messages, with how many bytes each came to be.</summary>
    /// <param name="pointer">Where they are.</param>
    /// <param name="count">How many.</param>
    /// <param name="isReceived">Whether they were received, or are to be sent.</param>
    /// <returns>Null where they cannot be read.</returns>
    public static string? OfSeveral(Sockptr pointer, long count, bool isReceived)
    {
        StringBuilder text = new("[");
        int size = Marshal.SizeOf<Mmsghdr>();
        for (int i = 0; i < Math.Min(count, MostMessages); i++)
        {
            if (pointer.Add(i * size).Get(out Mmsghdr msg) < 0)
                return null;
            text.Append(i > 0 ? ", " : "").Append(Format(msg.MsgHdr, isReceived ? msg.MsgLen : null));
        }

        return text.Append(count > MostMessages ? ", ...]" : "]").ToString();
    }

    // What is sent fills its pieces; of what is received the length says how far.
    private static string Format(in UserMsghdr msg, long? received)
    {
        StringBuilder text = new("{ ");
        if (msg.MsgName != 0 && msg.MsgNamelen > 0)
            text.Append(".name: ").Append(Address(msg)).Append(", ");
        text.Append(".iov: ");
        AddPieces(text, msg, received);
        if (msg.MsgControl != 0 && msg.MsgControllen > 0)
            AddControl(text.Append(", .control: "), msg);
        if (received != null && msg.MsgFlags != 0)
            text.Append(", .flags: ").Append(Names.MsgFlags(msg.MsgFlags));
        return text.Append(" }").ToString();
    }

    private static string Address(in UserMsghdr msg)
    {
        byte[] address = new byte[Math.Min(msg.MsgNamelen, MostAddress)];
        return Uaccess.User(msg.MsgName).CopyFrom(address) < 0 ? Names.Hex((long)msg.MsgName) : SockaddrText.Format(address);
    }

    private static void AddPieces(StringBuilder text, in UserMsghdr msg, long? received)
    {
        Sockptr vector = Uaccess.User(msg.MsgIov);
        long left = received ?? long.MaxValue;
        text.Append('[');
        for (int i = 0; i < (int)Math.Min(msg.MsgIovlen, MostPieces); i++)
        {
            text.Append(i > 0 ? ", " : "");
            if (vector.Add(i * Marshal.SizeOf<Iovec>()).Get(out Iovec piece) < 0)
            {
                text.Append(Names.Hex((long)vector.Address));
                break;
            }

            long length = Math.Min((long)piece.IovLen, left);
            byte[] data = new byte[Math.Clamp(length, 0, MostData)];
            bool isReadable = Uaccess.User(piece.IovBase).CopyFrom(data) >= 0;
            text.Append("{ ").Append(isReadable ? Beautifier.Quote(data, (int)Math.Min(length, int.MaxValue)) : Names.Hex((long)piece.IovBase));
            text.Append(", ").Append(piece.IovLen).Append(" }");
            left -= length;
        }

        text.Append(msg.MsgIovlen > MostPieces ? ", ...]" : "]");
    }

    private static void AddControl(StringBuilder text, in UserMsghdr msg)
    {
        byte[] control = new byte[Math.Min(msg.MsgControllen, MostControl)];
        if (Uaccess.User(msg.MsgControl).CopyFrom(control) < 0)
        {
            text.Append(Names.Hex((long)msg.MsgControl));
            return;
        }

        int head = Marshal.SizeOf<Cmsghdr>();
        text.Append('[');
        for (ReadOnlySpan<byte> rest = control; rest.Length >= head;)
        {
            Cmsghdr cmsg = MemoryMarshal.Read<Cmsghdr>(rest);
            if (cmsg.CmsgLen < (ulong)head || cmsg.CmsgLen > (ulong)rest.Length)
                break;
            text.Append(text[^1] == '[' ? "" : ", ").Append("{ ").Append(Names.Level(cmsg.CmsgLevel)).Append(", ")
                .Append(Names.ControlMessage(cmsg.CmsgLevel, cmsg.CmsgType)).Append(", ")
                .Append(OptionText.OfControl(cmsg.CmsgLevel, cmsg.CmsgType, rest[head..(int)cmsg.CmsgLen])).Append(" }");
            int padded = ((int)cmsg.CmsgLen + 7) & ~7;
            rest = rest[Math.Min(padded, rest.Length)..];
        }

        text.Append(']');
    }
}
