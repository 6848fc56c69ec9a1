using Linnet.Kernel;

namespace Linnet.Linux;

/// <summary>Sees the calls that programs make on Linnet, and the data that is carried for them.</summary>
internal interface ICallObserver
{
    /// <summary>A call of a program's has come.</summary>
    /// <param name="process">Who makes it.</param>
    /// <param name="nr">The call's number.</param>
    /// <param name="arguments">Its arguments as the program gave them, six.</param>
    /// <returns>What sees the rest of it.</returns>
    IObservedCall Begin(HostProcess process, int nr, ReadOnlySpan<ulong> arguments);

    /// <summary>Something is about to be carried on this thread.</summary>
    /// <param name="owner">The task that carries it.</param>
    /// <returns>What ends it.</returns>
    ICarryObserver Carry(TaskStruct owner);
}

/// <summary>
/// Sees one call of a program's: <see cref="Observe"/> as often as Linnet is asked for it, <see cref="Waits"/> when it waits
/// after that, and in the end one of the others. Methods are called by one thread at a time, not always by the same.
/// </summary>
internal interface IObservedCall
{
    /// <summary>Makes a call on Linnet and sees what it does.</summary>
    /// <param name="call">The call.</param>
    /// <returns>Its result.</returns>
    long Observe(Func<long> call);

    /// <summary>It cannot be answered yet; it will be made again.</summary>
    void Waits();

    /// <summary>It is answered.</summary>
    /// <param name="result">What the program gets: a result or a negative errno.</param>
    void Ends(long result);

    /// <summary>It is the host's to make: what was asked about it before is of no interest.</summary>
    void LeavesToHost();

    /// <summary>A signal ended it, or the end of the program did, before it was answered.</summary>
    void BreaksOff();
}

/// <summary>What is carried between a program's descriptor and Linnet's socket, without a call of the program's that stops.</summary>
internal enum Carriage
{
    /// <summary>Data that the program wrote.</summary>
    Sent,

    /// <summary>Data for the program to read.</summary>
    Received,

    /// <summary>The end of what the program writes.</summary>
    Ended,

    /// <summary>That nobody has the program's descriptor open any more.</summary>
    Closed,
}

/// <summary>Sees something that is carried between a program's descriptor and Linnet's socket.</summary>
internal interface ICarryObserver
{
    /// <summary>It has been carried, or not.</summary>
    /// <param name="shadow">The socket.</param>
    /// <param name="what">What it was.</param>
    /// <param name="data">The data, as far as it was carried.</param>
    /// <param name="result">What Linnet's call returned.</param>
    void End(ShadowSocket shadow, Carriage what, ReadOnlySpan<byte> data, long result);
}
