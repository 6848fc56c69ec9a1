using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Linnet.Kernel;

/// <summary>A broken invariant of Linnet itself. It is never translated into an errno.</summary>
public sealed class BugException(string message) : Exception(message);

/// <summary>Linux's <c>BUG_ON</c>: stops on a state that only a defect in Linnet can produce.</summary>
public static class Bug
{
    /// <summary>Throws <see cref="BugException"/> when <paramref name="condition"/> holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void On(
        [DoesNotReturnIf(true)] bool condition,
        [CallerArgumentExpression(nameof(condition))] string? expression = null)
    {
        if (condition)
            Throw(expression);
    }

    [DoesNotReturn]
    private static void Throw(string? expression) => throw new BugException($"BUG: {expression}");
}
