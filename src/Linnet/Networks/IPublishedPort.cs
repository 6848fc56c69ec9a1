using System.Net;

namespace Linnet;

/// <summary>A port of the computer that Linnet runs on, carried to a server in a network.</summary>
public interface IPublishedPort : IAsyncDisposable
{
    /// <summary>Where the computer listens.</summary>
    IPEndPoint EndPoint { get; }

    /// <summary>Whether nothing is on its way through it at the moment.</summary>
    bool IsIdle { get; }
}
