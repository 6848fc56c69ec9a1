using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>The head of every netlink message, all in host order.</summary>
[LinuxStruct("nlmsghdr"), StructLayout(LayoutKind.Sequential)]
public struct Nlmsghdr
{
    public uint NlmsgLen;
    public ushort NlmsgType;
    public ushort NlmsgFlags;
    public uint NlmsgSeq;
    public uint NlmsgPid;
}

/// <summary>What an acknowledgement begins with: a negative errno or 0, and the head of the request.</summary>
[LinuxStruct("nlmsgerr"), StructLayout(LayoutKind.Sequential)]
public struct Nlmsgerr
{
    public int Error;
    public Nlmsghdr Msg;
}

/// <summary>The head of an attribute; its length counts the head, not the padding.</summary>
[LinuxStruct("nlattr"), StructLayout(LayoutKind.Sequential)]
public struct Nlattr
{
    public ushort NlaLen;
    public ushort NlaType;
}

/// <summary>Control message of NETLINK_PKTINFO.</summary>
[LinuxStruct("nl_pktinfo"), StructLayout(LayoutKind.Sequential)]
public struct NlPktinfo
{
    public uint Group;
}
