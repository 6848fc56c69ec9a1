using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Uapi;

/// <summary>What <c>fstat</c> tells of a file: 144 bytes on x86-64.</summary>
[LinuxStruct("stat"), StructLayout(LayoutKind.Sequential, Size = 144)]
public struct Stat
{
    public ulong StDev;
    public ulong StIno;
    public ulong StNlink;
    public uint StMode;
    public uint StUid;
    public uint StGid;
    private readonly uint _pad0;
    public ulong StRdev;
    public long StSize;
    public long StBlksize;
    public long StBlocks;
    public Timespec StAtim;
    public Timespec StMtim;
    public Timespec StCtim;
}
