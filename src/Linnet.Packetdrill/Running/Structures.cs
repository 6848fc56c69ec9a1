using System.Runtime.InteropServices;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>Structures of calls: from scripts to bytes, and compared.</summary>
internal static class Structures
{
    private const int TimespecSize = 16;
    private const int TimestampingSize = 3 * TimespecSize;

    /// <summary>The control messages of a <c>msghdr</c>.</summary>
    public static byte[] EncodeCmsgs(ListExpression list)
    {
        List<byte> bytes = [];
        foreach (Expression item in list.Items)
        {
            if (item is not CmsgExpression cmsg)
                throw new CallFailure($"Bad type; actual: {Call.TypeName(item)} expected: cmsg");
            int level = Call.Int(cmsg.Level);
            byte[] data = EncodeCmsgData(level, cmsg.Data);
            byte[] message = new byte[CMSG_SPACE(data.Length)];
            Cmsghdr header = new() { CmsgLen = (ulong)CMSG_LEN(data.Length), CmsgLevel = level, CmsgType = Call.Int(cmsg.Type) };
            MemoryMarshal.Write(message, in header);
            data.CopyTo(message, CMSG_HDRLEN);
            bytes.AddRange(message);
        }

        return [.. bytes];
    }

    /// <summary>Compares the control messages that came with those that were expected.</summary>
    /// <param name="expected">Bytes of <see cref="EncodeCmsgs"/>.</param>
    /// <param name="actual">What <c>recvmsg</c> wrote.</param>
    /// <param name="startedAtReal">The wall clock at the script's start, ns.</param>
    /// <param name="toleranceUsecs">How far time stamps may be off.</param>
    public static void CheckCmsgs(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, long startedAtReal, long toleranceUsecs)
    {
        CmsgReader wanted = new(expected);
        CmsgReader got = new(actual);
        for (int index = 0; ; index++)
        {
            bool isWanted = wanted.Next() > 0;
            bool isThere = got.Next() > 0;
            if (!isWanted && !isThere)
                return;
            if (!isWanted)
                throw new CallFailure($"received more than {index} cmsgs");
            if (!isThere)
                throw new CallFailure($"received only {index} cmsgs");
            Same("level", index, wanted.Level, got.Level);
            Same("type", index, wanted.Type, got.Type);
            Same("len", index, CMSG_LEN(wanted.Data.Length), CMSG_LEN(got.Data.Length));
            if (IsExtendedError(wanted.Level, wanted.Type))
                CheckExtendedError(wanted.Data, got.Data, index);
            else if (wanted.Level == SOL_SOCKET && wanted.Type == SCM_TIMESTAMPING)
                CheckTimestamping(wanted.Data, got.Data, index, startedAtReal, toleranceUsecs);
            else if (!wanted.Data.SequenceEqual(got.Data))
                throw new CallFailure($"Bad data in cmsg {index}: expected={Convert.ToHexStringLower(wanted.Data)} actual={Convert.ToHexStringLower(got.Data)}");
        }
    }

    /// <summary>The events of <c>poll</c> by name.</summary>
    public static string PollFlags(short events)
    {
        (int Bit, string Name)[] names =
        [
            (POLLIN, "POLLIN"), (POLLPRI, "POLLPRI"), (POLLOUT, "POLLOUT"), (POLLRDNORM, "POLLRDNORM"), (POLLRDBAND, "POLLRDBAND"),
            (POLLWRNORM, "POLLWRNORM"), (POLLWRBAND, "POLLWRBAND"), (POLLMSG, "POLLMSG"), (POLLREMOVE, "POLLREMOVE"),
            (POLLRDHUP, "POLLRDHUP"), (POLLERR, "POLLERR"), (POLLHUP, "POLLHUP"), (POLLNVAL, "POLLNVAL"),
        ];
        string text = string.Join('|', names.Where(n => (events & n.Bit) != 0).Select(n => n.Name));
        return text.Length == 0 ? "0" : text;
    }

    private static bool IsExtendedError(int level, int type) =>
        (level == SOL_IP && type == IP_RECVERR) || (level == SOL_IPV6 && type == IPV6_RECVERR);

    private static byte[] EncodeCmsgData(int level, Expression data)
    {
        switch (data)
        {
            case ScmTimestampingExpression stamp:
                byte[] stamps = new byte[TimestampingSize];
                Timespec time = new() { TvSec = stamp.Seconds, TvNsec = stamp.Nanoseconds };
                MemoryMarshal.Write(stamps, in time);
                return stamps;
            case SockExtendedErrExpression error:
                // The address of who caused the error follows it.
                byte[] bytes = new byte[SockExtendedErrSize + (level == SOL_IP ? SockaddrIn.Size : SockaddrIn6.Size)];
                BitConverter.TryWriteBytes(bytes, Call.Int(error.Errno));
                bytes[4] = (byte)Call.Int(error.Origin);
                bytes[5] = (byte)Call.Int(error.Type);
                bytes[6] = (byte)Call.Int(error.Code);
                BitConverter.TryWriteBytes(bytes.AsSpan(8), Call.Int(error.Info));
                BitConverter.TryWriteBytes(bytes.AsSpan(12), Call.Int(error.Data));
                return bytes;
            case IntegerExpression or WordExpression or OrExpression:
                return BitConverter.GetBytes(Call.Int(data));
            default:
                throw new CallFailure("Unrecognized type for cmsg_data");
        }
    }

    private const int SockExtendedErrSize = 16;

    private static void CheckExtendedError(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, int index)
    {
        Error("errno", index, BitConverter.ToUInt32(expected), BitConverter.ToUInt32(actual));
        Error("origin", index, expected[4], actual[4]);
        Error("type", index, expected[5], actual[5]);
        Error("code", index, expected[6], actual[6]);
        Error("info", index, BitConverter.ToUInt32(expected[8..]), BitConverter.ToUInt32(actual[8..]));
        Error("data", index, BitConverter.ToUInt32(expected[12..]), BitConverter.ToUInt32(actual[12..]));
    }

    private static void CheckTimestamping(
        ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, int index, long startedAtReal, long toleranceUsecs)
    {
        for (int i = 0; i < 3; i++)
        {
            // A stamp of zero in the script is not compared.
            long wanted = Usecs(expected[(i * TimespecSize)..]);
            long got = Usecs(actual[(i * TimespecSize)..]);
            if (wanted == 0)
                continue;
            long start = startedAtReal / 1000;
            if (Math.Abs(start + wanted - got) > toleranceUsecs)
            {
                throw new CallFailure(
                    $"Bad timestamp {i} in scm_timestamping {index}: expected={start + wanted} ({wanted}) "
                    + $"actual={got} ({got - start}) start={start}");
            }
        }
    }

    private static long Usecs(ReadOnlySpan<byte> timespec)
    {
        Timespec time = MemoryMarshal.Read<Timespec>(timespec);
        return time.TvSec * 1_000_000 + time.TvNsec / 1000;
    }

    private static void Same(string what, int index, int expected, int actual)
    {
        if (expected != actual)
            throw new CallFailure($"Bad {what} in cmsg {index}: expected={expected} actual={actual}");
    }

    private static void Error(string what, int index, uint expected, uint actual)
    {
        if (expected != actual)
            throw new CallFailure($"Bad {what} in extended err {index}: expected={expected} actual={actual}");
    }
}
