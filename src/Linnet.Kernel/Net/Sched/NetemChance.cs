using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>A random number each of which is in part the one before (<c>struct crndstate</c>).</summary>
[LinuxStruct("crndstate")]
internal struct NetemCrandom(double correlation, uint last)
{
    // How much of 2^32 is that of the number before.
    private readonly uint rho = NetemChance.Scale(correlation);
    private uint last = last;

    /// <summary>Whether numbers depend on those before.</summary>
    public readonly bool IsCorrelated => rho != 0;

    /// <summary>The next number (<c>get_crandom</c>).</summary>
    public uint Next(ref Prandom prng)
    {
        uint value = prng.NextU32();
        if (rho == 0)
            return value;
        ulong weight = (ulong)rho + 1;
        last = (uint)((UInt128)value * ((1UL << 32) - weight) + (UInt128)last * weight >> 32);
        return last;
    }
}

/// <summary>The models by which packets are lost, and by which times vary.</summary>
[LinuxFile("net/sched/sch_netem.c")]
internal static class NetemChance
{
    /// <summary>A probability as netem takes it: of all 32-bit numbers.</summary>
    public static uint Scale(double probability) => (uint)Math.Round(probability * uint.MaxValue);

    /// <summary>
    /// A time around <paramref name="mu"/>, ns. Linux takes the random number modulo the range, which loses its correlation; where there
    /// is one, it is scaled to the range here.
    /// </summary>
    [Linux("tabledist")]
    public static long Tabledist(long mu, long sigma, ref NetemCrandom state, ref Prandom prng, short[]? table)
    {
        if (sigma == 0)
            return mu;
        uint random = state.Next(ref prng);
        if (table == null)
        {
            long span = 2 * sigma;
            bool modulo = span <= uint.MaxValue && !state.IsCorrelated;
            return mu - sigma + (modulo ? random % span : (long)((UInt128)random * (ulong)span >> 32));
        }

        long t = table[(int)(state.IsCorrelated ? (ulong)random * (uint)table.Length >> 32 : random % (uint)table.Length)];
        long x = sigma % NETEM_DIST_SCALE * t;
        x += x >= 0 ? NETEM_DIST_SCALE / 2 : -NETEM_DIST_SCALE / 2;
        return x / NETEM_DIST_SCALE + sigma / NETEM_DIST_SCALE * t + mu;
    }

    /// <summary>Whether the next packet is lost, by the model of four states.</summary>
    /// <param name="model">The model.</param>
    /// <param name="state">The state, 1 to 4.</param>
    /// <param name="prng">Where chance comes from.</param>
    [Linux("loss_4state")]
    public static bool Loss4State(LossStates model, ref int state, ref Prandom prng)
    {
        uint random = prng.NextU32();
        state = state switch
        {
            1 => Below(random, model.P14) ? 4 : Below(random, model.P13 + model.P14) ? 3 : 1,
            2 => Below(random, model.P23) ? 3 : 2,
            3 => Below(random, model.P32) ? 2 : Below(random, model.P31 + model.P32) ? 1 : 3,
            _ => 1,
        };
        return state is 3 or 4;
    }

    /// <summary>Whether the next packet is lost, by the model of Gilbert and Elliott.</summary>
    [Linux("loss_gilb_ell")]
    public static bool LossGilbEll(GilbertElliott model, ref bool bad, ref Prandom prng)
    {
        bool lost;
        if (bad)
        {
            if (Below(prng.NextU32(), model.ToGood))
                bad = false;
            lost = Below(prng.NextU32(), model.LossInBad);
        }
        else
        {
            if (Below(prng.NextU32(), model.ToBad))
                bad = true;
            lost = Below(prng.NextU32(), model.LossInGood);
        }

        return lost;
    }

    private static bool Below(uint random, double probability) => random < probability * (1UL << 32);
}
