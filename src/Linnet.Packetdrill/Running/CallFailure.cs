namespace Linnet.Packetdrill.Running;

/// <summary>A call cannot be made as it was written, or did not return what was written.</summary>
/// <param name="message">What is wrong, without file, line and call.</param>
internal sealed class CallFailure(string message) : Exception(message);

/// <summary>A packet is not as written.</summary>
/// <param name="message">What is wrong, with the packets.</param>
/// <param name="canGoOn">Whether <c>--non_fatal=packet</c> lets it pass.</param>
internal sealed class PacketFailure(string message, bool canGoOn = false) : Exception(message)
{
    /// <summary>Whether <c>--non_fatal=packet</c> lets it pass.</summary>
    public bool CanGoOn { get; } = canGoOn;
}
