namespace Linnet.Kernel.Net;

/// <summary>Where things are in a caller's <c>msghdr</c>: that of a 64-bit program, or that of a 32-bit one.</summary>
internal readonly record struct MsghdrLayout(bool IsCompat)
{
    /// <summary>Offset of <c>msg_namelen</c>.</summary>
    public int NamelenOffset => IsCompat ? 4 : 8;

    /// <summary>Offset of <c>msg_flags</c>.</summary>
    public int FlagsOffset => IsCompat ? 24 : 48;

    /// <summary>Bytes of a <c>msghdr</c>, which is the offset of <c>msg_len</c> in an <c>mmsghdr</c>.</summary>
    public int MsghdrSize => IsCompat ? 28 : 56;

    /// <summary>Bytes of an <c>mmsghdr</c>.</summary>
    public int MmsghdrSize => IsCompat ? 32 : 64;

    /// <summary>The layout that goes with a call's flags.</summary>
    public static MsghdrLayout Of(uint flags) => new((flags & MSG_CMSG_COMPAT) != 0);

    /// <summary>Reads a <c>msghdr</c>.</summary>
    public bool ReadMsghdr(Sockptr from, out UserMsghdr user)
    {
        if (!IsCompat)
            return from.Get(out user) == 0;
        user = default;
        Span<uint> words = stackalloc uint[7];
        if (from.CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words)) < 0)
            return false;
        user.MsgName = words[0];
        user.MsgNamelen = (int)words[1];
        user.MsgIov = words[2];
        user.MsgIovlen = words[3];
        user.MsgControl = words[4];
        user.MsgControllen = words[5];
        user.MsgFlags = words[6];
        return true;
    }

    /// <summary>Writes <c>msg_controllen</c>.</summary>
    public int WriteControllen(Sockptr umsg, ulong length) =>
        IsCompat ? umsg.Add(20).Put((uint)length) : umsg.Add(40).Put(length);

    /// <summary>Reads a <c>timespec</c>.</summary>
    public bool ReadTimespec(Sockptr from, out Timespec time)
    {
        if (!IsCompat)
            return from.Get(out time) == 0;
        bool read = from.Get(out (int Sec, int Nsec) narrow) == 0;
        time = new Timespec { TvSec = narrow.Sec, TvNsec = narrow.Nsec };
        return read;
    }

    /// <summary>Writes a <c>timespec</c>.</summary>
    public int WriteTimespec(Sockptr to, Timespec time) =>
        IsCompat ? to.Put(((int)time.TvSec, (int)time.TvNsec)) : to.Put(time);
}
