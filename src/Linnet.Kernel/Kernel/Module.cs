using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>Where a module is in its life.</summary>
public enum ModuleState
{
    /// <summary>Its init runs (<c>MODULE_STATE_COMING</c>).</summary>
    Coming,

    /// <summary>Usable (<c>MODULE_STATE_LIVE</c>).</summary>
    Live,

    /// <summary>Being unloaded: no new reference is given out (<c>MODULE_STATE_GOING</c>).</summary>
    Going,
}

/// <summary>
/// A part of the kernel that is loaded on request and reference-counted, so that it cannot go away under its users
/// (<c>struct module</c>). Code that is built in has no module: a null owner.
/// </summary>
/// <param name="name">The module's name, as <c>af_packet</c>.</param>
[LinuxStruct("module")]
[LinuxFile("kernel/module/main.c")]
public abstract class Module(string name)
{
    private const int GoingBit = 1 << 30;
    private int references;

    /// <summary>The module's name, as <c>af_packet</c>.</summary>
    public string Name { get; } = name;

    /// <summary>Where the module is in its life.</summary>
    public ModuleState State { get; internal set; } = ModuleState.Coming;

    /// <summary>How many users hold the module.</summary>
    public int RefCount => Volatile.Read(ref references) & ~GoingBit;

    /// <summary>Takes a reference unless the module is being unloaded. A null module is built in and always there.</summary>
    [Linux("try_module_get")]
    public static bool TryModuleGet(Module? module)
    {
        if (module == null)
            return true;
        while (true)
        {
            int seen = Volatile.Read(ref module.references);
            if ((seen & GoingBit) != 0)
                return false;
            if (Interlocked.CompareExchange(ref module.references, seen + 1, seen) == seen)
                return true;
        }
    }

    /// <summary>Gives a reference back.</summary>
    [Linux("module_put")]
    public static void ModulePut(Module? module)
    {
        if (module == null)
            return;
        Bug.On(Interlocked.Decrement(ref module.references) is < 0 or GoingBit - 1);
    }

    /// <summary>Registers what the module offers. Runs in the loading task, with no lock held.</summary>
    /// <returns>0, or a negative errno with nothing left registered.</returns>
    protected internal abstract int Init(Machine machine);

    /// <summary>Takes back what <see cref="Init"/> registered.</summary>
    protected internal abstract void Exit(Machine machine);

    // From now on no reference can be taken; refused while somebody holds one.
    internal bool TryStopRef() => Interlocked.CompareExchange(ref references, GoingBit, 0) == 0;
}

/// <summary>The modules of a machine: those that could be loaded, by name and alias, and those that are.</summary>
[LinuxFile("kernel/module/kmod.c")]
public sealed class ModuleTable
{
    private readonly Machine machine;
    private readonly Dictionary<string, Func<Module>> available = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> aliases = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Module> loaded = new(StringComparer.Ordinal);

    internal ModuleTable(Machine machine) => this.machine = machine;

    /// <summary>
    /// The parameters of modules (<c>/sys/module</c>), built-in ones included, as <c>module.tcp_cubic.parameters.beta</c>.
    /// </summary>
    public SysctlTable Parameters { get; } = new();

    /// <summary>Called with each name that was requested and that no module answers to.</summary>
    public Action<string>? RequestFailed { get; set; }

    /// <summary>The loaded modules (<c>/proc/modules</c>), by name.</summary>
    public IReadOnlyList<Module> Loaded
    {
        get
        {
            lock (loaded)
                return [.. loaded.Values.OrderBy(module => module.Name, StringComparer.Ordinal)];
        }
    }

    /// <summary>Makes a module loadable (what <c>depmod</c> does with a file).</summary>
    /// <param name="name">The module's name.</param>
    /// <param name="create">Makes the module when it is loaded.</param>
    /// <param name="moduleAliases">Other names that it answers to (<c>MODULE_ALIAS</c>), as <c>net-pf-17</c>.</param>
    public void MakeAvailable(string name, Func<Module> create, params ReadOnlySpan<string> moduleAliases)
    {
        lock (loaded)
        {
            available[name] = create;
            foreach (string alias in moduleAliases)
                aliases[alias] = name;
        }
    }

    /// <summary>Loads the module that answers to <paramref name="name"/>, if it is not loaded yet.</summary>
    /// <returns>0 once it is there, a negative errno otherwise; callers look again for what they need, whatever it is.</returns>
    [Linux("request_module")]
    public int RequestModule(string name)
    {
        Module module;
        lock (loaded)
        {
            string target = aliases.GetValueOrDefault(name, name);
            if (loaded.ContainsKey(target))
                return 0;
            if (!available.TryGetValue(target, out Func<Module>? create))
            {
                RequestFailed?.Invoke(name);
                return -ENOENT;
            }

            module = create();
            loaded.Add(target, module);
        }

        int err = module.Init(machine);
        if (err < 0)
        {
            lock (loaded)
                loaded.Remove(module.Name);
            return err;
        }

        module.State = ModuleState.Live;
        return 0;
    }

    /// <summary>Unloads a module (<c>rmmod</c>).</summary>
    /// <returns>0, -ENOENT when it is not loaded, -EWOULDBLOCK while somebody uses it.</returns>
    [Linux("delete_module", "kernel/module/main.c")]
    public int DeleteModule(string name)
    {
        Module? module;
        lock (loaded)
        {
            if (!loaded.TryGetValue(name, out module))
                return -ENOENT;
            if (module.State != ModuleState.Live)
                return -EBUSY;
            if (!module.TryStopRef())
                return -EWOULDBLOCK;
            module.State = ModuleState.Going;
        }

        module.Exit(machine);
        lock (loaded)
            loaded.Remove(name);
        return 0;
    }
}
