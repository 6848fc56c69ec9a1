using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Attaching packet filters (<c>net/core/filter.c</c>): programs of classic BPF are checked before they run.</content>
public partial class Sock
{
    /// <summary>Attaches a filter in place of the one that is there (<c>sk_attach_filter</c>); socket owned.</summary>
    /// <returns>0, -EPERM when the filter is locked, -EINVAL for a bad program, -EFAULT, -ENOMEM.</returns>
    [Linux("sk_attach_filter", "net/core/filter.c")]
    internal int SkAttachFilter(Sockptr filter, int length)
    {
        int err = GetFilterCore(filter, length, out SockFilter[] program);
        if (err < 0)
            return err;
        SkFilter made = new(program);
        if (!made.Charge(this))
            return -ENOMEM;
        Interlocked.Exchange(ref SkFilter, made)?.Uncharge(this);
        return 0;
    }

    [Linux("__get_filter", "net/core/filter.c")]
    private int GetFilterCore(Sockptr filter, int length, out SockFilter[] program)
    {
        program = [];
        if (SockFlag(SockFlags.FilterLocked))
            return -EPERM;
        if (filter.IsNull || length is 0 or > BPF_MAXINSNS)
            return -EINVAL;
        program = new SockFilter[length];
        if (filter.CopyFrom(MemoryMarshal.AsBytes(program.AsSpan())) < 0)
            return -EFAULT;
        return BpfCheckClassic(program);
    }

    /// <summary>Takes the filter off (<c>sk_detach_filter</c>); socket owned.</summary>
    /// <returns>0, -EPERM when it is locked, -ENOENT when there is none.</returns>
    [Linux("sk_detach_filter", "net/core/filter.c")]
    internal int SkDetachFilter()
    {
        if (SockFlag(SockFlags.FilterLocked))
            return -EPERM;
        if (Interlocked.Exchange(ref SkFilter, null) is not { } filter)
            return -ENOENT;
        filter.Uncharge(this);
        return 0;
    }

    /// <summary>Whether a program ends, and stays within its bounds whatever the packet (<c>bpf_check_classic</c>).</summary>
    /// <returns>0 or -EINVAL.</returns>
    [Linux("bpf_check_classic", "net/core/filter.c")]
    internal static int BpfCheckClassic(ReadOnlySpan<SockFilter> program)
    {
        for (int pc = 0; pc < program.Length; pc++)
        {
            if (!IsKnown(program[pc].Code) || !IsInBounds(program[pc], pc, program.Length))
                return -EINVAL;
        }

        return BPF_CLASS(program[^1].Code) == BPF_RET ? CheckLoadAndStores(program) : -EINVAL;
    }

    private int SetFilterOption(int optname, Sockptr optval, int optlen)
    {
        switch (optname)
        {
            case SO_ATTACH_FILTER when SkIsTcp && !TaskStruct.Current.NsCapable(SkNet.UserNs, CAP_NET_ADMIN):
                // A filter that cuts segments confuses TCP itself.
                return -EPERM;
            case SO_ATTACH_FILTER:
                int err = CopyBpfFprogFromUser(optval, optlen, out Sockptr filter, out int length);
                return err < 0 ? err : SkAttachFilter(filter, length);
            case SO_DETACH_FILTER:
                return SkDetachFilter();
            case SO_ATTACH_BPF or SO_ATTACH_REUSEPORT_EBPF:
                return AttachBpf(optval, optlen);
            case SO_DETACH_REUSEPORT_BPF:
                // No group of sockets here has a program that chooses among them.
                return SkcReuseport ? -ENOENT : -EINVAL;
            default:
                return AttachReuseportCbpf(optval, optlen);
        }
    }

    // The sockets of a port are chosen among by the hash of the flow alone.
    private int AttachReuseportCbpf(Sockptr optval, int optlen)
    {
        int err = CopyBpfFprogFromUser(optval, optlen, out Sockptr filter, out int length);
        if (err == 0)
            err = GetFilterCore(filter, length, out _);
        return err < 0 ? err : -ENOPROTOOPT;
    }

    [Linux("copy_bpf_fprog_from_user", "net/core/filter.c")]
    private static int CopyBpfFprogFromUser(Sockptr optval, int optlen, out Sockptr filter, out int length)
    {
        filter = default;
        length = 0;
        if (TaskStruct.Current.InCompatSyscall)
        {
            if (optlen != 2 * sizeof(uint))
                return -EINVAL;
            if (optval.Get(out (ushort Len, uint Filter) narrow) < 0)
                return -EFAULT;
            filter = new Sockptr(optval.Mm, narrow.Filter);
            length = narrow.Len;
            return 0;
        }

        if (optlen != Unsafe.SizeOf<SockFprog>())
            return -EINVAL;
        if (optval.Get(out SockFprog fprog) < 0)
            return -EFAULT;
        filter = new Sockptr(optval.Mm, fprog.Filter);
        length = fprog.Len;
        return 0;
    }

    // A program of extended BPF is a descriptor, and no descriptor here is one.
    private int AttachBpf(Sockptr optval, int optlen)
    {
        if (optlen != sizeof(int))
            return -EINVAL;
        if (optval.Get(out int fd) < 0)
            return -EFAULT;
        if (SockFlag(SockFlags.FilterLocked))
            return -EPERM;
        if (TaskStruct.Current.Files.Fget(fd) is not { } file)
            return -EBADF;
        file.Fput();
        return -EINVAL;
    }

    // The length of this option is a number of instructions.
    [Linux("sk_get_filter", "net/core/filter.c")]
    private int SkGetFilter(Sockptr optval, Sockptr optlen, int len)
    {
        if (SkFilter is not { } filter)
            return optlen.Put(0);
        ReadOnlySpan<SockFilter> program = filter.Program;
        if (len != 0)
        {
            if (len < program.Length)
                return -EINVAL;
            if (optval.CopyTo(MemoryMarshal.AsBytes(program)) < 0)
                return -EFAULT;
        }

        return optlen.Put(program.Length);
    }

    private static bool IsKnown(int code) => BPF_CLASS(code) switch
    {
        BPF_LD => code is (BPF_LD | BPF_W | BPF_ABS) or (BPF_LD | BPF_H | BPF_ABS) or (BPF_LD | BPF_B | BPF_ABS)
            or (BPF_LD | BPF_W | BPF_IND) or (BPF_LD | BPF_H | BPF_IND) or (BPF_LD | BPF_B | BPF_IND)
            or (BPF_LD | BPF_W | BPF_LEN) or (BPF_LD | BPF_IMM) or (BPF_LD | BPF_MEM),
        BPF_LDX => code is (BPF_LDX | BPF_W | BPF_LEN) or (BPF_LDX | BPF_B | BPF_MSH) or (BPF_LDX | BPF_IMM) or (BPF_LDX | BPF_MEM),
        BPF_ST => code == BPF_ST,
        BPF_STX => code == BPF_STX,
        BPF_ALU => BPF_OP(code) <= BPF_XOR && (code & ~0xff) == 0 && (BPF_OP(code) != BPF_NEG || BPF_SRC(code) == BPF_K),
        BPF_JMP => BPF_OP(code) <= BPF_JSET && (code & ~0xff) == 0 && (BPF_OP(code) != BPF_JA || BPF_SRC(code) == BPF_K),
        BPF_RET => code is (BPF_RET | BPF_K) or (BPF_RET | BPF_A),
        _ => code is (BPF_MISC | BPF_TAX) or (BPF_MISC | BPF_TXA),
    };

    private static bool IsInBounds(in SockFilter insn, int pc, int length)
    {
        uint after = (uint)(length - pc - 1);
        switch (BPF_CLASS(insn.Code))
        {
            case BPF_ALU when BPF_SRC(insn.Code) == BPF_K && BPF_OP(insn.Code) is BPF_DIV or BPF_MOD:
                return insn.K != 0;
            case BPF_ALU when BPF_SRC(insn.Code) == BPF_K && BPF_OP(insn.Code) is BPF_LSH or BPF_RSH:
                return insn.K < 32;
            case BPF_ST or BPF_STX:
                return insn.K < BPF_MEMWORDS;
            case BPF_LD or BPF_LDX when BPF_MODE(insn.Code) == BPF_MEM:
                return insn.K < BPF_MEMWORDS;
            case BPF_LD when BPF_MODE(insn.Code) == BPF_ABS && (int)insn.K is >= SKF_AD_OFF and < 0:
                return IsAncillary((int)insn.K - SKF_AD_OFF);
            case BPF_JMP when BPF_OP(insn.Code) == BPF_JA:
                return insn.K < after;
            case BPF_JMP:
                return insn.Jt < after && insn.Jf < after;
            default:
                return true;
        }
    }

    private static bool IsAncillary(int what) => what is SKF_AD_PROTOCOL or SKF_AD_PKTTYPE or SKF_AD_IFINDEX or SKF_AD_MARK
        or SKF_AD_QUEUE or SKF_AD_HATYPE or SKF_AD_RXHASH or SKF_AD_CPU or SKF_AD_ALU_XOR_X or SKF_AD_VLAN_TAG
        or SKF_AD_VLAN_TAG_PRESENT or SKF_AD_RANDOM or SKF_AD_VLAN_TPID;

    // No word of memory may be read before it was written, on any way through the program.
    [Linux("check_load_and_stores", "net/core/filter.c")]
    private static int CheckLoadAndStores(ReadOnlySpan<SockFilter> program)
    {
        var masks = new ushort[program.Length];
        Array.Fill(masks, ushort.MaxValue);
        ushort valid = 0;
        for (int pc = 0; pc < program.Length; pc++)
        {
            ref readonly SockFilter insn = ref program[pc];
            valid &= masks[pc];
            switch (BPF_CLASS(insn.Code))
            {
                case BPF_ST or BPF_STX:
                    valid |= (ushort)(1 << (int)insn.K);
                    break;
                case BPF_LD or BPF_LDX when BPF_MODE(insn.Code) == BPF_MEM && (valid >> (int)insn.K & 1) == 0:
                    return -EINVAL;
                case BPF_JMP when BPF_OP(insn.Code) == BPF_JA:
                    masks[pc + 1 + (int)insn.K] &= valid;
                    valid = ushort.MaxValue;
                    break;
                case BPF_JMP:
                    masks[pc + 1 + insn.Jt] &= valid;
                    masks[pc + 1 + insn.Jf] &= valid;
                    valid = ushort.MaxValue;
                    break;
            }
        }

        return 0;
    }
}
