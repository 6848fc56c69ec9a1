using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>The machine-wide count of open files and its limits (<c>files_stat</c>, <c>/proc/sys/fs</c>).</summary>
[LinuxStruct("files_stat_struct")]
public sealed class FilesStat
{
    // What Linux computes for a machine of 64 GiB: ten percent of memory at one KiB a file.
    private const long DefaultMaxFiles = 6_553_600;
    private const long DefaultNrOpen = 1024 * 1024;
    private const long LargestNrOpen = int.MaxValue & ~63L;

    private long nrFiles;

    /// <summary>Open files (the first number of <c>fs.file-nr</c>).</summary>
    public long NrFiles => Interlocked.Read(ref nrFiles);

    /// <summary>How many files may be open on the machine, except by CAP_SYS_ADMIN (<c>fs.file-max</c>).</summary>
    public long MaxFiles { get; set; } = DefaultMaxFiles;

    /// <summary>How many descriptors a task may have at most, whatever its limit (<c>fs.nr_open</c>): 64 to 2³¹-64.</summary>
    public long NrOpen
    {
        get;
        set => field = value is >= 64 and <= LargestNrOpen ? value : throw new ArgumentOutOfRangeException(nameof(value));
    } = DefaultNrOpen;

    internal void Count(int change) => Interlocked.Add(ref nrFiles, change);
}

/// <summary>The open files of a machine.</summary>
[LinuxFile("fs/file_table.c")]
public static class FileTable
{
    /// <summary>Opens a file of the calling task; the caller holds the only reference.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="operations">What can be done with it.</param>
    /// <param name="privateData">What the operations work on.</param>
    /// <param name="flags">Open flags, <c>O_*</c>.</param>
    /// <param name="file">The file, or null.</param>
    /// <returns>0, or -ENFILE when <c>fs.file-max</c> files are open and the task lacks CAP_SYS_ADMIN.</returns>
    [Linux("alloc_file_pseudo")]
    public static int AllocFilePseudo(
        Machine machine, FileOperations operations, object? privateData, int flags, out File? file)
    {
        FilesStat stat = machine.FilesStat;
        TaskStruct? task = Cpu.This.Task;
        if (stat.NrFiles >= stat.MaxFiles && task?.Capable(CAP_SYS_ADMIN) == false)
        {
            machine.Log.WriteOnce(LogLevel.Info, "file-max", $"VFS: file-max limit {stat.MaxFiles} reached");
            file = null;
            return -ENFILE;
        }

        // Only the creation flags go; O_CLOEXEC belongs to the descriptor.
        file = new File(machine, operations, privateData, flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC));
        return 0;
    }

    [Linux("__fput")]
    internal static void FputCore(File file)
    {
        Eventpoll.EventpollRelease(file);
        if ((file.FFlags & FASYNC) != 0)
            file.FOp.Fasync(-1, file, on: false);
        file.FOp.Release(file);
        file.Machine.FilesStat.Count(-1);
    }

    /// <summary>Bit of <see cref="File.FFlags"/>: SIGIO is wanted (<c>FASYNC</c>, <c>O_ASYNC</c>).</summary>
    public const int FASYNC = 0x2000;
}
