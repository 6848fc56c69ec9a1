namespace Linnet.Kernel.Security;

/// <summary>A policy file does not say what it should; the message has a line for each error, as <c>FILE:LINE:COLUMN: what</c>.</summary>
/// <param name="errors">One line for each error.</param>
public sealed class PolicySyntaxException(IReadOnlyList<string> errors) : FormatException(string.Join('\n', errors))
{
    /// <summary>One line for each error.</summary>
    public IReadOnlyList<string> Errors { get; } = errors;
}

/// <summary>
/// Which programs may do what with sockets: rules, of which the first that matches decides, and what happens when none
/// does. Immutable, but for the counters of its rules. The syntax is in <c>docs/security.md</c>.
/// </summary>
public sealed class Policy
{
    internal Policy(IReadOnlyList<PolicyRule> rules, PolicyRule fallback)
    {
        Rules = rules;
        Default = fallback;
        foreach (PolicyRule rule in rules)
            Mentioned |= rule.Operations;
        if (!fallback.Allows)
            Mentioned = PolicyOperation.All;
    }

    /// <summary>The rules, in the order in which they are asked.</summary>
    public IReadOnlyList<PolicyRule> Rules { get; }

    /// <summary>What decides when no rule matches.</summary>
    public PolicyRule Default { get; }

    /// <summary>Whether something of an operation may be refused, to whomever.</summary>
    /// <param name="operations">The operations; of several, any.</param>
    public bool CanRefuse(PolicyOperation operations)
    {
        foreach (PolicyRule rule in Rules)
        {
            if (!rule.Allows && (rule.Operations & operations) != 0)
                return true;
            if (rule.Allows && rule.MatchesAll)
                operations &= ~rule.Operations;
        }

        return !Default.Allows && operations != PolicyOperation.None;
    }

    /// <summary>The operations that rules speak of; others need no look at them.</summary>
    internal PolicyOperation Mentioned { get; }

    /// <summary>Reads a policy.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="fileName">What the file is called in messages.</param>
    /// <exception cref="PolicySyntaxException">It does not say what it should; all errors are listed.</exception>
    public static Policy Parse(string text, string fileName = "policy") => new PolicyParser(fileName).Parse(text);

    /// <summary>The rule that decides on a request, the default where none matches; counts the decision.</summary>
    public PolicyRule Decide(in PolicyRequest request)
    {
        PolicyRule decision = Default;
        foreach (PolicyRule rule in Rules)
        {
            if (!rule.Matches(request))
                continue;
            decision = rule;
            break;
        }

        decision.Count();
        return decision;
    }
}
