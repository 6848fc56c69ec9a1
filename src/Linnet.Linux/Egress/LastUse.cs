namespace Linnet.Linux;

/// <summary>When something of the way out was used last: what has been idle for a minute is closed. For any thread.</summary>
internal sealed class LastUse
{
    private const long IdleMilliseconds = 60_000;

    private long at = Environment.TickCount64;

    /// <summary>Whether it has not been used for a minute.</summary>
    public bool IsIdle => Environment.TickCount64 - Volatile.Read(ref at) > IdleMilliseconds;

    /// <summary>It is used now.</summary>
    public void Touch() => Volatile.Write(ref at, Environment.TickCount64);
}
