using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>The open files of a machine.</summary>
[LinuxFile("fs/file_table.c")]
public static class FileTable
{
    [Linux("__fput")]
    internal static void FputCore(File file) => file.FOp.Release(file);
}
