using Linnet.Kernel;

namespace Linnet.Linux;

/// <summary>Sees the calls that programs make on Linnet, and the data that is carried for them.</summary>
/// <remarks>
/// Methods are called by the thread that handles a call: <see cref="Observe"/> as often as Linnet is asked for it, and
/// <see cref="Done"/> at the end, with <see cref="Given"/> or <see cref="Waits"/> before where they apply.
/// </remarks>
internal interface ICallObserver
{
    /// <summary>Makes a call and sees what it does. A call that has to wait is made again each time that it might go on.</summary>
    /// <param name="process">Who makes it.</param>
    /// <param name="descriptor">The number that the program gave, which is not Linnet's; -1 where the call has none.</param>
    /// <param name="call">The call.</param>
    /// <returns>The call's result.</returns>
    long Observe(HostProcess process, int descriptor, Func<long> call);

    /// <summary>The new socket has a number in the program.</summary>
    void Given(int descriptor);

    /// <summary>The call is not answered yet.</summary>
    void Waits();

    /// <summary>What was observed is the whole of a call, or of a try.</summary>
    void Done();

    /// <summary>Data is about to be carried on this thread.</summary>
    /// <param name="owner">The task that carries it.</param>
    /// <returns>What ends it.</returns>
    ICarryObserver Carry(TaskStruct owner);
}

/// <summary>Sees a piece of data that is carried between a program's descriptor and Linnet's socket.</summary>
internal interface ICarryObserver
{
    /// <summary>It has been carried, or not.</summary>
    /// <param name="process">Whose socket it is, as far as is known.</param>
    /// <param name="descriptor">Its number there.</param>
    /// <param name="toNetwork">Whether the program sent it; otherwise it is received.</param>
    /// <param name="data">What was carried; empty for nothing.</param>
    void End(HostProcess? process, int descriptor, bool toNetwork, ReadOnlySpan<byte> data);
}
