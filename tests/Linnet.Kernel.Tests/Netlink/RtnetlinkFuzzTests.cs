using System.Runtime.InteropServices;
using CsCheck;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;
using static Linnet.Kernel.Uapi.RtnetlinkH;

namespace Linnet.Kernel.Tests.Netlink;

/// <summary>Whatever is sent to the kernel is answered by an errno or done; nothing breaks and nothing is left over.</summary>
public class RtnetlinkFuzzTests : NetlinkFixture
{
    private static readonly int[] Lengths = [0, 1, 3, 4, 5, 6, 8, 12, 16, 20, 0xFFFF];

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    // Attributes whose heads are right more often than not, so that what is in them is looked at.
    private static readonly Gen<byte[]> Attribute =
        from type in Gen.Int[0, 70]
        from flags in Gen.Int[0, 7]
        from value in Gen.OneOf(Gen.Byte.Array[0, 24], Gen.Byte[0, 4].Array[4, 4], Gen.Const("lo\0"u8.ToArray()))
        from length in Gen.Frequency((8, Gen.Const(NLA_HDRLEN + value.Length)), (1, OneOf(Lengths)))
        select MakeAttribute(flags == 0 ? type | NLA_F_NESTED : type, length, value);

    private static readonly Gen<byte[]> Request =
        from type in Gen.Int[RTM_BASE - 2, RTM_MAX + 2]
        from flags in OneOf(0, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE, NLM_F_CREATE | NLM_F_EXCL, NLM_F_REPLACE, NLM_F_ECHO)
        from head in Gen.OneOf(Gen.Byte[0, 2].Array[0, 20], Gen.Byte.Array[0, 20])
        from family in OneOf<byte>(0, AF_INET, AF_INET6, 7)
        from attributes in Attribute.Array[0, 6]
        from nested in Attribute.Array[0, 3]
        from length in Gen.Frequency((9, Gen.Const(-1)), (1, Gen.Int[0, 60]))
        select MakeMessage(type, flags, family, head, attributes, nested, length);

    [Fact]
    public void No_message_breaks_anything() => Request.Array[1, 3].Sample(
        messages =>
        {
            TestSocket s = Netlink(NETLINK_ROUTE);
            s.Set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
            s.Set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, messages[0].Length & 1);
            byte[] data = [.. messages.SelectMany(m => m)];
            Assert.Equal(data.Length, s.Send(data));
            for (int i = 0; s.Recv(32768) is { Result: > 0 } got; i++)
            {
                Assert.True(i < 1000);
                foreach ((Nlmsghdr head, byte[] payload) in Split(got.Data))
                {
                    if (head.NlmsgType == NLMSG_ERROR)
                        Assert.InRange(MemoryMarshal.Read<int>(payload), -133, 0);
                }
            }

            CloseAll();
        },
        iter: 20_000, threads: 1);

    private static byte[] MakeAttribute(int type, int length, byte[] value)
    {
        byte[] attribute = new byte[NLA_HDRLEN + value.Length + 3 & ~3];
        MemoryMarshal.Write(attribute, new Nlattr { NlaLen = (ushort)length, NlaType = (ushort)type });
        value.CopyTo(attribute, NLA_HDRLEN);
        return attribute;
    }

    private static byte[] MakeMessage(
        int type, int flags, byte family, byte[] head, byte[][] attributes, byte[][] nested, int length)
    {
        if (head.Length > 0)
            head[0] = family;
        byte[] inner = [.. nested.SelectMany(a => a)];
        byte[] payload = [.. head, .. attributes.SelectMany(a => a), .. MakeAttribute(18, NLA_HDRLEN + inner.Length, inner)];
        byte[] message = Message(type, NLM_F_REQUEST | flags, payload);
        if (length >= 0)
            MemoryMarshal.Write(message, length);
        return [.. message, .. new byte[-message.Length & 3]];
    }
}
