namespace Linnet.Kernel.Uapi;

/// <summary>Queueing disciplines: handles and priorities (linux/pkt_sched.h).</summary>
public static class PktSchedH
{
    /// <summary>No handle.</summary>
    public const uint TC_H_UNSPEC = 0;

    /// <summary>The place of a device's first discipline.</summary>
    public const uint TC_H_ROOT = 0xFFFFFFFF;

    /// <summary>The half of a handle that names a discipline.</summary>
    public const uint TC_H_MAJ_MASK = 0xFFFF0000;

    /// <summary>The half of a handle that names a class of it.</summary>
    public const uint TC_H_MIN_MASK = 0x0000FFFF;

    public const int TC_PRIO_BESTEFFORT = 0;
    public const int TC_PRIO_FILLER = 1;
    public const int TC_PRIO_BULK = 2;
    public const int TC_PRIO_INTERACTIVE_BULK = 4;
    public const int TC_PRIO_INTERACTIVE = 6;
    public const int TC_PRIO_CONTROL = 7;
    public const int TC_PRIO_MAX = 15;

    /// <summary>What one sigma of a delay distribution's table is.</summary>
    public const int NETEM_DIST_SCALE = 8192;
}
