namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Kinds of IPv4 addresses (linux/in.h); host order.</summary>
public static class Ipv4Addr
{
    /// <summary>127/8 (<c>ipv4_is_loopback</c>).</summary>
    public static bool IsLoopback(uint addr) => addr >> 24 == 127;

    /// <summary>224/4 (<c>ipv4_is_multicast</c>).</summary>
    public static bool IsMulticast(uint addr) => addr >> 28 == 14;

    /// <summary>224.0.0/24 (<c>ipv4_is_local_multicast</c>).</summary>
    public static bool IsLocalMulticast(uint addr) => addr >> 8 == 0xe00000;

    /// <summary>255.255.255.255 (<c>ipv4_is_lbcast</c>).</summary>
    public static bool IsLbcast(uint addr) => addr == INADDR_BROADCAST;

    /// <summary>0/8 (<c>ipv4_is_zeronet</c>). Linux takes only the address 0.0.0.0 itself, so that the rest of 0/8 can be used.</summary>
    public static bool IsZeronet(uint addr) => addr == 0;

    /// <summary>The address as text.</summary>
    public static string Text(uint addr) => $"{addr >> 24}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}";
}
