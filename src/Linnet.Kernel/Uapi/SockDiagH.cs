namespace Linnet.Kernel.Uapi;

/// <summary>
/// Requests about sockets (linux/sock_diag.h, linux/inet_diag.h, linux/packet_diag.h).
/// </summary>
public static class SockDiagH
{
    public const int TCPDIAG_GETSOCK = 18;
    public const int DCCPDIAG_GETSOCK = 19;
    public const int SOCK_DIAG_BY_FAMILY = 20;
    public const int SOCK_DESTROY = 21;
    public const int INET_DIAG_GETSOCK_MAX = 24;

    public const int SK_MEMINFO_VARS = 9;

    public const int SKNLGRP_NONE = 0;
    public const int SKNLGRP_INET_TCP_DESTROY = 1;
    public const int SKNLGRP_INET_UDP_DESTROY = 2;
    public const int SKNLGRP_INET6_TCP_DESTROY = 3;
    public const int SKNLGRP_INET6_UDP_DESTROY = 4;
    public const int SKNLGRP_MAX = 4;

    public const int INET_DIAG_REQ_NONE = 0;
    public const int INET_DIAG_REQ_BYTECODE = 1;
    public const int INET_DIAG_REQ_SK_BPF_STORAGES = 2;
    public const int INET_DIAG_REQ_PROTOCOL = 3;

    public const int INET_DIAG_BC_NOP = 0;
    public const int INET_DIAG_BC_JMP = 1;
    public const int INET_DIAG_BC_S_GE = 2;
    public const int INET_DIAG_BC_S_LE = 3;
    public const int INET_DIAG_BC_D_GE = 4;
    public const int INET_DIAG_BC_D_LE = 5;
    public const int INET_DIAG_BC_AUTO = 6;
    public const int INET_DIAG_BC_S_COND = 7;
    public const int INET_DIAG_BC_D_COND = 8;
    public const int INET_DIAG_BC_DEV_COND = 9;
    public const int INET_DIAG_BC_MARK_COND = 10;
    public const int INET_DIAG_BC_S_EQ = 11;
    public const int INET_DIAG_BC_D_EQ = 12;
    public const int INET_DIAG_BC_CGROUP_COND = 13;

    public const int INET_DIAG_NONE = 0;
    public const int INET_DIAG_MEMINFO = 1;
    public const int INET_DIAG_INFO = 2;
    public const int INET_DIAG_VEGASINFO = 3;
    public const int INET_DIAG_CONG = 4;
    public const int INET_DIAG_TOS = 5;
    public const int INET_DIAG_TCLASS = 6;
    public const int INET_DIAG_SKMEMINFO = 7;
    public const int INET_DIAG_SHUTDOWN = 8;
    public const int INET_DIAG_DCTCPINFO = 9;
    public const int INET_DIAG_PROTOCOL = 10;
    public const int INET_DIAG_SKV6ONLY = 11;
    public const int INET_DIAG_LOCALS = 12;
    public const int INET_DIAG_PEERS = 13;
    public const int INET_DIAG_PAD = 14;
    public const int INET_DIAG_MARK = 15;
    public const int INET_DIAG_BBRINFO = 16;
    public const int INET_DIAG_CLASS_ID = 17;
    public const int INET_DIAG_MD5SIG = 18;
    public const int INET_DIAG_ULP_INFO = 19;
    public const int INET_DIAG_SK_BPF_STORAGES = 20;
    public const int INET_DIAG_CGROUP_ID = 21;
    public const int INET_DIAG_SOCKOPT = 22;

    public const uint INET_DIAG_NOCOOKIE = 0xFFFFFFFF;

    public const int PACKET_SHOW_INFO = 1;
    public const int PACKET_SHOW_MCLIST = 2;
    public const int PACKET_SHOW_RING_CFG = 4;
    public const int PACKET_SHOW_FANOUT = 8;
    public const int PACKET_SHOW_MEMINFO = 0x10;
    public const int PACKET_SHOW_FILTER = 0x20;

    public const int PACKET_DIAG_INFO = 0;
    public const int PACKET_DIAG_MCLIST = 1;
    public const int PACKET_DIAG_RX_RING = 2;
    public const int PACKET_DIAG_TX_RING = 3;
    public const int PACKET_DIAG_FANOUT = 4;
    public const int PACKET_DIAG_UID = 5;
    public const int PACKET_DIAG_MEMINFO = 6;
    public const int PACKET_DIAG_FILTER = 7;

    public const int PDI_RUNNING = 1;
    public const int PDI_AUXDATA = 2;
    public const int PDI_ORIGDEV = 4;
    public const int PDI_VNETHDR = 8;
    public const int PDI_LOSS = 0x10;
}
