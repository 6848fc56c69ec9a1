namespace Linnet.Kernel.Uapi;

/// <summary>IGMP's message and record types (linux/igmp.h).</summary>
public static class IgmpH
{
    public const byte IGMP_HOST_MEMBERSHIP_QUERY = 0x11;
    public const byte IGMP_HOST_MEMBERSHIP_REPORT = 0x12;
    public const byte IGMPV2_HOST_MEMBERSHIP_REPORT = 0x16;
    public const byte IGMP_HOST_LEAVE_MESSAGE = 0x17;
    public const byte IGMPV3_HOST_MEMBERSHIP_REPORT = 0x22;

    public const int IGMPV3_MODE_IS_INCLUDE = 1;
    public const int IGMPV3_MODE_IS_EXCLUDE = 2;
    public const int IGMPV3_CHANGE_TO_INCLUDE = 3;
    public const int IGMPV3_CHANGE_TO_EXCLUDE = 4;
    public const int IGMPV3_ALLOW_NEW_SOURCES = 5;
    public const int IGMPV3_BLOCK_OLD_SOURCES = 6;
}
