using System.Text;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The texts of <c>/proc/net</c>: protocols register a writer for each file; a reader sees its own namespace.
/// </summary>
public sealed class ProcNet
{
    private static readonly StateSlot<ProcNet> Slot = new();

    private readonly SortedDictionary<string, Action<NetNamespace, StringBuilder>> files = new(StringComparer.Ordinal);

    /// <summary>The names of all files, sorted.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (files)
                return [.. files.Keys];
        }
    }

    /// <summary>The files of a machine; made when first asked for.</summary>
    public static ProcNet Of(Machine machine)
    {
        if (Slot.Find(machine.Slots) is { } found)
            return found;
        lock (machine.Slots)
        {
            if (Slot.Find(machine.Slots) == null)
                Slot.Set(machine.Slots, new ProcNet());
        }

        return Slot.Of(machine.Slots);
    }

    /// <summary>Registers a file (<c>proc_create_net</c>).</summary>
    /// <param name="name">Name under <c>/proc/net</c>, as <c>snmp</c>.</param>
    /// <param name="show">Appends the file's text for a namespace.</param>
    public void Register(string name, Action<NetNamespace, StringBuilder> show)
    {
        lock (files)
            files[name] = show;
    }

    /// <summary>Takes a file away again (<c>remove_proc_entry</c>).</summary>
    public void Unregister(string name)
    {
        lock (files)
            files.Remove(name);
    }

    /// <summary>Reads a file.</summary>
    /// <returns>0, or -ENOENT with an empty text.</returns>
    public int Read(NetNamespace net, string name, out string text)
    {
        Action<NetNamespace, StringBuilder>? show;
        lock (files)
            files.TryGetValue(name, out show);
        StringBuilder builder = new();
        show?.Invoke(net, builder);
        text = builder.ToString();
        return show == null ? -ENOENT : 0;
    }
}
