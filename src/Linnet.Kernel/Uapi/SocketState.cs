namespace Linnet.Kernel.Uapi;

/// <summary>State of a struct socket, apart from that of its protocol (linux/net.h, socket_state).</summary>
public enum SocketState
{
    SS_FREE = 0,
    SS_UNCONNECTED,
    SS_CONNECTING,
    SS_CONNECTED,
    SS_DISCONNECTING,
}
