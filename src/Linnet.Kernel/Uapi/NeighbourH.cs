namespace Linnet.Kernel.Uapi;

/// <summary>
/// Attributes and flags of neighbours (linux/neighbour.h).
/// </summary>
public static class NeighbourH
{
    public const int NDA_UNSPEC = 0;
    public const int NDA_DST = 1;
    public const int NDA_LLADDR = 2;
    public const int NDA_CACHEINFO = 3;
    public const int NDA_PROBES = 4;
    public const int NDA_VLAN = 5;
    public const int NDA_PORT = 6;
    public const int NDA_VNI = 7;
    public const int NDA_IFINDEX = 8;
    public const int NDA_MASTER = 9;
    public const int NDA_LINK_NETNSID = 10;
    public const int NDA_SRC_VNI = 11;
    public const int NDA_PROTOCOL = 12;
    public const int NDA_NH_ID = 13;
    public const int NDA_FDB_EXT_ATTRS = 14;
    public const int NDA_FLAGS_EXT = 15;
    public const int NDA_NDM_STATE_MASK = 16;
    public const int NDA_NDM_FLAGS_MASK = 17;
    public const int NDA_MAX = 17;

    public const int NTF_USE = 1;
    public const int NTF_SELF = 2;
    public const int NTF_MASTER = 4;
    public const int NTF_PROXY = 8;
    public const int NTF_EXT_LEARNED = 16;
    public const int NTF_OFFLOADED = 32;
    public const int NTF_STICKY = 64;
    public const int NTF_ROUTER = 128;
}
