namespace Linnet.Kernel.Uapi;

/// <summary>
/// UDP and UDP-Lite socket options and encapsulation types (linux/udp.h).
/// </summary>
public static class UdpH
{
    public const int UDP_CORK = 1;
    public const int UDP_ENCAP = 100;
    public const int UDP_NO_CHECK6_TX = 101;
    public const int UDP_NO_CHECK6_RX = 102;
    public const int UDP_SEGMENT = 103;
    public const int UDP_GRO = 104;
    public const int UDP_ENCAP_ESPINUDP_NON_IKE = 1;
    public const int UDP_ENCAP_ESPINUDP = 2;
    public const int UDP_ENCAP_L2TPINUDP = 3;
    public const int UDP_ENCAP_GTP0 = 4;
    public const int UDP_ENCAP_GTP1U = 5;
    public const int UDP_ENCAP_RXRPC = 6;
    public const int UDP_MAX_SEGMENTS = 128;

    public const int UDPLITE_SEND_CSCOV = 10;
    public const int UDPLITE_RECV_CSCOV = 11;
}
