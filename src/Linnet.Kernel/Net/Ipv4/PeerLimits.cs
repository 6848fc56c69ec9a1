namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// How many messages of a kind each host still gets: tokens that come with time, as Linux keeps in its inet peers
/// (<c>inet_peer_xrlim_allow</c>).
/// </summary>
internal sealed class PeerRateLimits(int capacity, RandomSource random)
{
    private readonly Dictionary<uint, (long Tokens, long Last)> peers = new(new KeyedAddresses(random));

    /// <summary>Whether one more message may go to <paramref name="peer"/> now.</summary>
    /// <param name="peer">Who gets it.</param>
    /// <param name="now">Ms since boot.</param>
    /// <param name="cost">Ms of silence that a message costs.</param>
    /// <param name="burst">Most ms of silence that are saved up.</param>
    public bool Allow(uint peer, long now, long cost, long burst)
    {
        lock (peers)
        {
            if (!peers.TryGetValue(peer, out (long Tokens, long Last) state))
            {
                // A flood from invented addresses must not take memory without end: old peers are forgotten all at once.
                if (peers.Count >= capacity)
                    peers.Clear();
                state = (burst, now);
            }

            long tokens = Math.Min(state.Tokens + now - state.Last, burst);
            bool allowed = tokens >= cost;
            peers[peer] = (allowed ? tokens - cost : tokens, now);
            return allowed;
        }
    }
}

/// <summary>
/// What is remembered of the hosts that redirects were sent to: those who go on sending get fewer and fewer, and then none
/// (RFC 1812 section 4.3.3.2; <c>rate_tokens</c>, <c>n_redirects</c> and <c>rate_last</c> of Linux's inet peers).
/// </summary>
internal sealed class RedirectLimits(int capacity, RandomSource random)
{
    private readonly Dictionary<uint, (int Sent, long Last)> peers = new(new KeyedAddresses(random));

    /// <summary>Whether one more redirect may go to <paramref name="peer"/> now.</summary>
    /// <param name="peer">Who gets it.</param>
    /// <param name="now">Ms since boot.</param>
    /// <param name="load">Ms before the second one; doubles with each.</param>
    /// <param name="most">How many are sent to one who does not listen.</param>
    /// <param name="silence">Ms without packets to redirect after which it begins anew.</param>
    /// <param name="sent">How many the peer got, this one included.</param>
    public bool Allow(uint peer, long now, int load, int most, int silence, out int sent)
    {
        lock (peers)
        {
            bool known = peers.TryGetValue(peer, out (int Sent, long Last) state);
            if (!known && peers.Count >= capacity)
                peers.Clear();
            if (!known || now > state.Last + silence)
                state = (0, now);
            sent = state.Sent;
            if (sent >= most)
            {
                peers[peer] = (sent, now);
                return false;
            }

            bool allowed = sent == 0 || now > state.Last + ((long)load << sent);
            if (allowed)
                state = (++sent, now);
            peers[peer] = state;
            return allowed;
        }
    }
}

/// <summary>Hashes addresses that remote hosts choose, so that they cannot choose the buckets too.</summary>
internal sealed class KeyedAddresses(RandomSource random) : IEqualityComparer<uint>
{
    private readonly SiphashKey secret = SiphashKey.New(random);

    public bool Equals(uint x, uint y) => x == y;

    public int GetHashCode(uint address) => (int)Siphash.Hsiphash2(address, 0, in secret);
}

/// <summary>How many messages still go to the log: ten in five seconds (<c>net_ratelimit</c>).</summary>
internal sealed class MessageLimit
{
    private const int Most = 10;
    private const long Interval = 5000;
    private readonly Lock guard = new();
    private long begin = -Interval;
    private int written;

    /// <summary>Whether one more may be written now.</summary>
    public bool Allow(long now)
    {
        lock (guard)
        {
            if (now - begin >= Interval)
                (begin, written) = (now, 0);
            return written++ < Most;
        }
    }
}
