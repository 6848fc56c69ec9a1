namespace Linnet.Linux;

/// <summary>Sees the calls that programs make on Linnet.</summary>
internal interface ICallObserver
{
    /// <summary>Makes a call and sees what it does. A call that has to wait is made again each time that it might go on.</summary>
    /// <param name="process">Who makes it.</param>
    /// <param name="call">The call.</param>
    /// <returns>The call's result.</returns>
    long Observe(HostProcess process, Func<long> call);
}
