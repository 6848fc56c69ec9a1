using System.Runtime.CompilerServices;

namespace Linnet.Kernel;

/// <summary>
/// The per-owner state of a subsystem that the owner knows nothing of: what Linux does with <c>net_generic</c> for
/// network namespaces, here also for machines, tasks and CPUs. A slot is declared once, as a static readonly field of the
/// subsystem; reading it is one array access.
/// </summary>
/// <typeparam name="T">The state's type.</typeparam>
public sealed class StateSlot<T>
    where T : class
{
    private readonly int index = SlotTable.Allocate();

    /// <summary>The state held by <paramref name="table"/>.</summary>
    /// <exception cref="BugException">The subsystem was not initialised for this owner.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public T Of(SlotTable table) => Unsafe.As<T>(table.Get(index)!) ?? Missing();

    /// <summary>The state held by <paramref name="table"/>, or null when the subsystem was not initialised for it.</summary>
    public T? Find(SlotTable table) => Unsafe.As<T?>(table.Get(index));

    /// <summary>The state held by <paramref name="table"/>, made by <paramref name="create"/> when there is none yet.</summary>
    public T OfOrNew<TArg>(SlotTable table, TArg arg, Func<TArg, T> create)
    {
        if (Find(table) is { } found)
            return found;
        lock (table)
        {
            T? made = Find(table);
            if (made == null)
                table.Set(index, made = create(arg));
            return made;
        }
    }

    /// <summary>Installs the state of one owner.</summary>
    public void Set(SlotTable table, T? value) => table.Set(index, value);

    private static T Missing() => throw new BugException($"{typeof(T).Name} is not initialised here");
}

/// <summary>The values of all <see cref="StateSlot{T}"/>s for one owner.</summary>
public sealed class SlotTable
{
    private static int allocated;
    private object?[] values = new object?[8];

    internal static int Allocate() => Interlocked.Increment(ref allocated) - 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal object? Get(int index)
    {
        object?[] current = values;
        return (uint)index < (uint)current.Length ? current[index] : null;
    }

    internal void Set(int index, object? value)
    {
        lock (this)
        {
            object?[] current = values;
            if (index >= current.Length)
                Array.Resize(ref current, Math.Max(index + 1, current.Length * 2));
            current[index] = value;
            Volatile.Write(ref values, current);
        }
    }
}
