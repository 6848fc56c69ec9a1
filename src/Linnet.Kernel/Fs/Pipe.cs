using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>A pipe's buffer (<c>struct pipe_inode_info</c>).</summary>
[LinuxStruct("pipe_inode_info")]
public sealed class Pipe
{
}
