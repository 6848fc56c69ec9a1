namespace Linnet.Kernel.Fs;

/// <summary>What this folder keeps for tasks and machines that know nothing of it.</summary>
public static class FsState
{
    private static readonly StateSlot<FilesStruct> FilesSlot = new();
    private static readonly StateSlot<Rlimits> RlimitsSlot = new();
    private static readonly StateSlot<FilesStat> FilesStatSlot = new();

    extension(TaskStruct task)
    {
        /// <summary>The task's descriptors (<c>files</c>); empty until something is opened.</summary>
        public FilesStruct Files
        {
            get => FilesSlot.OfOrNew(task.Slots, task.Machine, static machine => new FilesStruct(machine));
            internal set => FilesSlot.Set(task.Slots, value);
        }

        /// <summary>The task's resource limits.</summary>
        public Rlimits Rlimits
        {
            get => RlimitsSlot.OfOrNew(task.Slots, 0, static _ => new Rlimits());
            internal set => RlimitsSlot.Set(task.Slots, value);
        }
    }

    extension(Machine machine)
    {
        /// <summary>How many files are open on the machine, and how many may be (<c>files_stat</c>).</summary>
        public FilesStat FilesStat => FilesStatSlot.OfOrNew(machine.Slots, 0, static _ => new FilesStat());
    }

    // For exit: a task whose descriptors were never used has none to close.
    internal static FilesStruct? FindFiles(TaskStruct task) => FilesSlot.Find(task.Slots);

    internal static void ForgetFiles(TaskStruct task) => FilesSlot.Set(task.Slots, null);

    /// <summary>Has tasks get descriptors when they are made, and lose them when they end.</summary>
    internal static void FilesInit(Machine machine) => machine.TaskHooks = [.. machine.TaskHooks, new FilesTaskHooks()];

    private sealed class FilesTaskHooks : TaskHooks
    {
        public override int Alloc(TaskStruct parent, TaskStruct child, ulong cloneFlags)
        {
            FilesStruct.CopyFiles(parent, child, (cloneFlags & CLONE_FILES) != 0);
            return 0;
        }

        public override void Unshare(TaskStruct task, ulong flags)
        {
            if ((flags & CLONE_FILES) != 0)
                FilesStruct.UnshareFd(task);
        }

        public override void Free(TaskStruct task) => FilesStruct.ExitFiles(task);
    }
}
