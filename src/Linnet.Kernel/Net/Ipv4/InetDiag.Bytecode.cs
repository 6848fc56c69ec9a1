using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Filters (<c>INET_DIAG_REQ_BYTECODE</c>): a program of conditions, each of which goes on by so many bytes when it holds and by
/// so many when not. A jump to the end lets the socket through, one beyond it does not. Jumps only lead forward.
/// </content>
internal static partial class InetDiag
{
    private const int OpSize = 4;

    /// <summary>Checks a filter, so that it can be run without checks.</summary>
    /// <param name="bytecode">The filter.</param>
    /// <param name="netAdmin">Whether conditions on marks are allowed.</param>
    /// <returns>0, -EINVAL or -EPERM.</returns>
    [Linux("inet_diag_bc_audit")]
    internal static int InetDiagBcAudit(ReadOnlySpan<byte> bytecode, bool netAdmin)
    {
        if (bytecode.Length < OpSize)
            return -EINVAL;
        ReadOnlySpan<byte> bc = bytecode;
        while (bc.Length > 0)
        {
            if (!MemoryMarshal.TryRead(bc, out InetDiagBcOp op))
                return -EINVAL;
            if (op.Code == INET_DIAG_BC_MARK_COND && !netAdmin)
                return -EPERM;
            int minLen = LengthOf(op, bc);
            if (minLen < 0)
                return -EINVAL;
            if (op.Code != INET_DIAG_BC_NOP && !IsJump(op.No, minLen, bc.Length))
                return -EINVAL;
            if (op.Code != INET_DIAG_BC_NOP && op.No < bc.Length && !ValidCc(bytecode, bc.Length - op.No))
                return -EINVAL;
            if (!IsJump(op.Yes, minLen, bc.Length) || op.Yes > bc.Length)
                return -EINVAL;
            bc = bc[op.Yes..];
        }

        return 0;
    }

    /// <summary>Whether a filter lets a socket through.</summary>
    [Linux("inet_diag_bc_sk")]
    private static bool InetDiagBcSk(ReadOnlySpan<byte> bc, SockCommon sk)
    {
        if (bc.IsEmpty)
            return true;
        return InetDiagBcRun(bc, new InetDiagEntry
        {
            Sk = sk,
            Userlocks = sk is Sock full ? full.SkUserlocks : 0,
            Mark = sk switch
            {
                Sock { SkMark: var mark } => mark,
                InetRequestSock req => req.IrMark,
                InetTimewaitSock tw => tw.TwMark,
                _ => 0,
            },
        });
    }

    [Linux("inet_diag_bc_run")]
    private static bool InetDiagBcRun(ReadOnlySpan<byte> bc, in InetDiagEntry entry)
    {
        while (bc.Length > 0)
        {
            InetDiagBcOp op = MemoryMarshal.Read<InetDiagBcOp>(bc);
            int next = Holds(op, bc[OpSize..], entry) ? op.Yes : op.No;
            if (next > bc.Length)
                return false;
            bc = bc[next..];
        }

        return true;
    }

    private static bool Holds(InetDiagBcOp op, ReadOnlySpan<byte> operand, in InetDiagEntry entry)
    {
        SockCommon sk = entry.Sk;
        return op.Code switch
        {
            INET_DIAG_BC_JMP => false,
            INET_DIAG_BC_S_EQ => sk.SkcNum == PortOf(operand),
            INET_DIAG_BC_S_GE => sk.SkcNum >= PortOf(operand),
            INET_DIAG_BC_S_LE => sk.SkcNum <= PortOf(operand),
            INET_DIAG_BC_D_EQ => sk.SkcDport == PortOf(operand),
            INET_DIAG_BC_D_GE => sk.SkcDport >= PortOf(operand),
            INET_DIAG_BC_D_LE => sk.SkcDport <= PortOf(operand),
            INET_DIAG_BC_AUTO => (entry.Userlocks & SockUserLocks.BindPort) == 0,
            INET_DIAG_BC_S_COND => HostFits(operand, sk.SkcFamily, sk.SkcRcvSaddr, sk.SkcNum),
            INET_DIAG_BC_D_COND => HostFits(operand, sk.SkcFamily, sk.SkcDaddr, sk.SkcDport),
            INET_DIAG_BC_DEV_COND => MemoryMarshal.Read<int>(operand) == sk.SkcBoundDevIf,
            INET_DIAG_BC_MARK_COND => MemoryMarshal.Read<InetDiagMarkcond>(operand) is var cond && (entry.Mark & cond.Mask) == cond.Mark,
            _ => true,
        };
    }

    // A port is the second number of an instruction that follows.
    private static ushort PortOf(ReadOnlySpan<byte> operand) => MemoryMarshal.Read<InetDiagBcOp>(operand).No;

    private static bool HostFits(ReadOnlySpan<byte> operand, int family, uint address, ushort port)
    {
        InetDiagHostcond cond = MemoryMarshal.Read<InetDiagHostcond>(operand);
        if (cond.Port != -1 && cond.Port != port)
            return false;
        if (cond.Family != AF_UNSPEC && cond.Family != family)
            return false;
        if (cond.PrefixLen == 0)
            return true;
        uint wanted = BinaryPrimitives.ReadUInt32BigEndian(operand[Unsafe.SizeOf<InetDiagHostcond>()..]);
        return (address ^ wanted) >> (32 - cond.PrefixLen) == 0;
    }

    // Bytes of an instruction with its operand; -1 when it is none, or not all of it is there.
    private static int LengthOf(InetDiagBcOp op, ReadOnlySpan<byte> bc)
    {
        int length = op.Code switch
        {
            INET_DIAG_BC_NOP or INET_DIAG_BC_JMP or INET_DIAG_BC_AUTO => OpSize,
            INET_DIAG_BC_S_EQ or INET_DIAG_BC_S_GE or INET_DIAG_BC_S_LE => OpSize + OpSize,
            INET_DIAG_BC_D_EQ or INET_DIAG_BC_D_GE or INET_DIAG_BC_D_LE => OpSize + OpSize,
            INET_DIAG_BC_DEV_COND => OpSize + sizeof(uint),
            INET_DIAG_BC_MARK_COND => OpSize + Unsafe.SizeOf<InetDiagMarkcond>(),
            INET_DIAG_BC_S_COND or INET_DIAG_BC_D_COND => ValidHostcond(bc),
            _ => -1,
        };
        return length > bc.Length ? -1 : length;
    }

    [Linux("valid_hostcond")]
    private static int ValidHostcond(ReadOnlySpan<byte> bc)
    {
        if (!MemoryMarshal.TryRead(bc[OpSize..], out InetDiagHostcond cond))
            return -1;
        int addrLen = cond.Family switch { AF_UNSPEC => 0, AF_INET => 4, AF_INET6 => 16, _ => -1 };
        return addrLen < 0 || cond.PrefixLen > 8 * addrLen ? -1 : OpSize + Unsafe.SizeOf<InetDiagHostcond>() + addrLen;
    }

    private static bool IsJump(int by, int minLen, int left) => by >= minLen && by <= left + OpSize && (by & 3) == 0;

    // Whether an instruction begins where so many bytes are left.
    [Linux("valid_cc")]
    private static bool ValidCc(ReadOnlySpan<byte> bc, int cc)
    {
        while (bc.Length >= cc)
        {
            if (bc.Length == cc)
                return true;
            if (!MemoryMarshal.TryRead(bc, out InetDiagBcOp op) || op.Yes < OpSize || (op.Yes & 3) != 0 || op.Yes > bc.Length)
                return false;
            bc = bc[op.Yes..];
        }

        return false;
    }

    /// <summary>What a filter sees of a socket (<c>struct inet_diag_entry</c>).</summary>
    [LinuxStruct("inet_diag_entry")]
    private readonly ref struct InetDiagEntry
    {
        public SockCommon Sk { get; init; }

        public SockUserLocks Userlocks { get; init; }

        public uint Mark { get; init; }
    }
}
