using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A packet filter that is attached to a socket (<c>struct sk_filter</c>), shared by a listener and its connections: a
/// program of classic BPF that was checked, so that it ends and touches nothing but its registers and the packet.
/// </summary>
[LinuxStruct("sk_filter")]
public sealed class SkFilter
{
    // What Linux charges for the program's head.
    private const int HeadSize = 56;
    private const int InstructionSize = 8;

    private readonly SockFilter[] program;

    internal SkFilter(SockFilter[] program) => this.program = program;

    /// <summary>The program as it was attached.</summary>
    public ReadOnlySpan<SockFilter> Program => program;

    private int Size => HeadSize + program.Length * InstructionSize;

    /// <summary>Charges the filter to a socket (<c>sk_filter_charge</c>).</summary>
    /// <returns>Whether it fits under <c>net.core.optmem_max</c>.</returns>
    public bool Charge(Sock sk) => sk.SockKmalloc(Size);

    /// <summary>Takes the charge back (<c>sk_filter_uncharge</c>).</summary>
    public void Uncharge(Sock sk) => sk.SockKfree(Size);

    /// <summary>Runs the program on a packet's data.</summary>
    /// <returns>How many bytes of it to keep; 0 to drop it, also when the program reads beyond the packet.</returns>
    [SkipLocalsInit]
    public uint Run(SkBuff skb)
    {
        Span<uint> memory = stackalloc uint[BPF_MEMWORDS];
        uint a = 0;
        uint x = 0;
        for (int pc = 0; ; pc++)
        {
            ref readonly SockFilter insn = ref program[pc];
            uint k = insn.K;
            switch (BPF_CLASS(insn.Code))
            {
                case BPF_LD:
                    if (!Load(skb, insn, memory, x, ref a))
                        return 0;
                    break;
                case BPF_LDX:
                    if (!LoadX(skb, insn, memory, ref x))
                        return 0;
                    break;
                case BPF_ST:
                    memory[(int)k] = a;
                    break;
                case BPF_STX:
                    memory[(int)k] = x;
                    break;
                case BPF_ALU:
                    uint operand = BPF_SRC(insn.Code) == BPF_X ? x : k;
                    if (operand == 0 && BPF_OP(insn.Code) is BPF_DIV or BPF_MOD)
                        return 0;
                    a = Calculate(BPF_OP(insn.Code), a, operand);
                    break;
                case BPF_JMP:
                    pc += Jump(insn, a, x);
                    break;
                case BPF_RET:
                    return BPF_RVAL(insn.Code) == BPF_A ? a : k;
                default:
                    if (BPF_MISCOP(insn.Code) == BPF_TAX)
                        x = a;
                    else
                        a = x;
                    break;
            }
        }
    }

    private static bool Load(SkBuff skb, in SockFilter insn, ReadOnlySpan<uint> memory, uint x, ref uint a)
    {
        switch (BPF_MODE(insn.Code))
        {
            case BPF_IMM:
                a = insn.K;
                return true;
            case BPF_MEM:
                a = memory[(int)insn.K];
                return true;
            case BPF_LEN:
                a = (uint)skb.Len;
                return true;
            case BPF_ABS when (int)insn.K is >= SKF_AD_OFF and < SKF_AD_OFF + SKF_AD_MAX:
                return LoadAncillary(skb, (int)insn.K - SKF_AD_OFF, x, ref a);
            case BPF_IND:
                return LoadPacket(skb, (int)(insn.K + x), BPF_SIZE(insn.Code), ref a);
            default:
                return LoadPacket(skb, (int)insn.K, BPF_SIZE(insn.Code), ref a);
        }
    }

    private static bool LoadX(SkBuff skb, in SockFilter insn, ReadOnlySpan<uint> memory, ref uint x)
    {
        switch (BPF_MODE(insn.Code))
        {
            case BPF_IMM:
                x = insn.K;
                return true;
            case BPF_MEM:
                x = memory[(int)insn.K];
                return true;
            case BPF_LEN:
                x = (uint)skb.Len;
                return true;
            default:
                // BPF_MSH: the length of an IPv4 header whose first byte is there.
                if (!LoadPacket(skb, (int)insn.K, BPF_B, ref x))
                    return false;
                x = (x & 0xf) << 2;
                return true;
        }
    }

    private static bool LoadPacket(SkBuff skb, int offset, int size, ref uint value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        bytes = bytes[..(size == BPF_W ? 4 : size == BPF_H ? 2 : 1)];
        if (offset < 0)
        {
            // Far negative offsets count from the network and the link header.
            int header = offset >= SKF_NET_OFF ? skb.NetworkHeader : skb.MacHeader;
            int relative = offset - (offset >= SKF_NET_OFF ? SKF_NET_OFF : SKF_LL_OFF);
            if (relative < 0 || header == SkBuff.NoHeader)
                return false;
            offset = header + relative - skb.DataOffset;
            if (offset < 0)
                return LoadHead(skb, offset, bytes, ref value);
        }

        if (offset > skb.Len - bytes.Length)
            return false;
        skb.CopyBits(offset, bytes);
        value = ReadBigEndian(bytes);
        return true;
    }

    // Before the data: in headers that were pulled already.
    private static bool LoadHead(SkBuff skb, int offset, Span<byte> bytes, ref uint value)
    {
        if (offset + bytes.Length > 0 || -offset > skb.Headroom)
            return false;
        skb.Push(-offset)[..bytes.Length].CopyTo(bytes);
        skb.Pull(-offset);
        value = ReadBigEndian(bytes);
        return true;
    }

    private static uint ReadBigEndian(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        4 => BinaryPrimitives.ReadUInt32BigEndian(bytes),
        2 => BinaryPrimitives.ReadUInt16BigEndian(bytes),
        _ => bytes[0],
    };

    private static bool LoadAncillary(SkBuff skb, int what, uint x, ref uint a)
    {
        switch (what)
        {
            case SKF_AD_PROTOCOL:
                a = skb.Protocol;
                return true;
            case SKF_AD_PKTTYPE:
                a = skb.PktType;
                return true;
            case SKF_AD_IFINDEX or SKF_AD_HATYPE when skb.Dev == null:
                return false;
            case SKF_AD_IFINDEX:
                a = (uint)skb.Dev!.Ifindex;
                return true;
            case SKF_AD_HATYPE:
                a = skb.Dev!.Type;
                return true;
            case SKF_AD_MARK:
                a = skb.Mark;
                return true;
            case SKF_AD_RXHASH:
                a = skb.Hash;
                return true;
            case SKF_AD_ALU_XOR_X:
                a ^= x;
                return true;
            case SKF_AD_RANDOM:
                a = skb.Sk!.Machine.Random.NextU32();
                return true;
            default:
                // One queue, one CPU, and no VLAN tags outside of the data.
                a = 0;
                return true;
        }
    }

    private static uint Calculate(int op, uint a, uint operand) => op switch
    {
        BPF_ADD => a + operand,
        BPF_SUB => a - operand,
        BPF_MUL => a * operand,
        BPF_DIV => a / operand,
        BPF_MOD => a % operand,
        BPF_OR => a | operand,
        BPF_AND => a & operand,
        BPF_XOR => a ^ operand,
        BPF_LSH => operand < 32 ? a << (int)operand : 0,
        BPF_RSH => operand < 32 ? a >> (int)operand : 0,
        _ => (uint)-(int)a,
    };

    private static int Jump(in SockFilter insn, uint a, uint x)
    {
        uint operand = BPF_SRC(insn.Code) == BPF_X ? x : insn.K;
        bool taken;
        switch (BPF_OP(insn.Code))
        {
            case BPF_JA:
                return (int)insn.K;
            case BPF_JEQ:
                taken = a == operand;
                break;
            case BPF_JGT:
                taken = a > operand;
                break;
            case BPF_JGE:
                taken = a >= operand;
                break;
            default:
                taken = (a & operand) != 0;
                break;
        }

        return taken ? insn.Jt : insn.Jf;
    }
}
