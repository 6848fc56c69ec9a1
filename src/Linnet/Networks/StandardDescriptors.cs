using Linnet.Kernel;
using Linnet.Kernel.Fs;
using File = Linnet.Kernel.Fs.File;

namespace Linnet;

/// <summary>
/// The descriptors 0, 1 and 2 of a task, which read nothing and drop what is written, as <c>/dev/null</c> does: the first
/// descriptor that a program makes is 3, as on Linux.
/// </summary>
internal static class StandardDescriptors
{
    /// <summary>Opens them for a new task. The caller is in the kernel as that task.</summary>
    public static void Open(TaskStruct task)
    {
        for (int fd = 0; fd < 3; fd++)
        {
            Host.Check(
                FileTable.AllocFilePseudo(task.Machine, NullFile.Instance, null, O_RDWR, out File? file), "open /dev/null");
            Bug.On(task.Files.GetUnusedFdFlags(0) != fd);
            task.Files.FdInstall(fd, file!);
        }
    }

    private sealed class NullFile : FileOperations
    {
        public static readonly NullFile Instance = new();

        public override long ReadIter(File file, ref IovIter to) => 0;

        public override long WriteIter(File file, ref IovIter from)
        {
            long count = from.Count;
            from.Advance(count);
            return count;
        }
    }
}
